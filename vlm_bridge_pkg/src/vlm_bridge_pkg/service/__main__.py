"""`python3 -m vlm_bridge_pkg.service`: the VLM service in the NanoLLM container."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from semantic_detection_pkg.errors import SemanticDetectionError
from vlm_bridge_pkg.service.model import FakeModel, Model
from vlm_bridge_pkg.service.nanollm import NanoLlmModel, NanoLlmSettings
from vlm_bridge_pkg.service.running import EXIT_USAGE, add_options, options_from, serve
from vlm_bridge_pkg.service.server import VlmServer


def main(words: Sequence[str] | None = None) -> int:
    """Serve until told to end; the exit status is 2 after a mistake of the user's."""
    default = NanoLlmSettings()
    parser = argparse.ArgumentParser(prog="vlm_service", description=__doc__)
    add_options(parser)
    add = parser.add_argument
    add("--model", default=default.model, help=f"its folder; default: {default.model}")
    add("--context", type=int, default=default.context_tokens, help="tokens; default: 512")
    add("--build-folder", default=default.build_folder, help="where the built model lies")
    add("--fake", action="store_true", help="no model: a fixed answer")
    arguments = parser.parse_args(words)
    settings = NanoLlmSettings(
        arguments.model, context_tokens=arguments.context, build_folder=arguments.build_folder
    )
    model: Model = FakeModel() if arguments.fake else NanoLlmModel(settings)
    try:
        server = VlmServer(arguments.socket, model, options_from(arguments))
        return serve(server, arguments.hold_file)
    except SemanticDetectionError as error:
        sys.stderr.write(f"error: {error}\n")
        return EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main())
