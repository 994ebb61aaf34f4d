"""vlm_stub: a VLM service without a model; it speaks the real protocol and breaks on demand."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from pathlib import Path

from ros_support_pkg.core.ranges import check_range
from semantic_detection_pkg.errors import SemanticDetectionError
from vlm_bridge_pkg.errors import ConfigurationError
from vlm_bridge_pkg.protocol.requests import ChatRequest
from vlm_bridge_pkg.service.running import EXIT_USAGE, add_options, options_from, serve
from vlm_bridge_pkg.service.server import VlmServer
from vlm_bridge_pkg.stub.answers import Said
from vlm_bridge_pkg.stub.faults import FAULTS, Script, ScriptedModel, StubHandler


def main(words: Sequence[str] | None = None) -> int:
    """Serve until told to end; the exit status is 2 after a mistake of the user's."""
    parser = argparse.ArgumentParser(
        prog="vlm_stub",
        description="A VLM service without a model.",
        epilog="faults: " + "; ".join(f"{name}: {what}" for name, what in FAULTS.items()),
    )
    add_options(parser)
    add = parser.add_argument
    add("--answer", action="append", help="what it says; more than one: in turn")
    add("--look-with", type=Path, metavar="ONNX", help="answer by what this classifier sees")
    add("--piece-s", type=float, default=0.02, metavar="S", help="each word takes; default: 0.02")
    add("--p-yes", type=float, metavar="P", help="probability that it tells of 'yes'")
    add("--schemas", action="store_true", help="bind answers to a JSON schema; else refuse it")
    add("--fault", choices=FAULTS, default="none", help="default: none")
    add("--fault-count", type=int, default=0, metavar="N", help="requests it meets; 0: all")
    arguments = parser.parse_args(words)
    try:
        script = _script(arguments)
        server = VlmServer(
            arguments.socket, ScriptedModel(script), options_from(arguments), StubHandler
        )
        return serve(server, arguments.hold_file)
    except SemanticDetectionError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_USAGE


def _script(arguments: argparse.Namespace) -> Script:
    check_range("piece-s", arguments.piece_s, 0.0, 60.0, unit="s", error=ConfigurationError)
    if arguments.p_yes is not None:
        check_range("p-yes", arguments.p_yes, 0.0, 1.0, error=ConfigurationError)
    if arguments.answer and arguments.look_with:
        raise ConfigurationError("answer and look-with: only one of them is allowed")
    answers = tuple(text.replace("\\n", "\n") for text in arguments.answer or ())
    return Script(
        answers or Script.answers,
        _eyes(arguments.look_with) if arguments.look_with else None,
        arguments.p_yes,
        arguments.schemas,
        arguments.piece_s,
        arguments.fault,
        arguments.fault_count,
    )


def _eyes(model: Path) -> Callable[[ChatRequest], Said]:
    """Return what answers by what a picture shows, from the package that brings such eyes."""
    found = tuple(entry_points(group="semantic_detection.vlm_eyes"))
    if not found:
        raise ConfigurationError("look-with: needs simulation_pkg, which is not installed")
    answer: Callable[[ChatRequest], Said] = found[0].load()(model).answer
    return answer


if __name__ == "__main__":
    sys.exit(main())
