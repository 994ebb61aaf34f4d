"""The command; see the package."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from gpu_check.steps import (
    FAILED,
    OK,
    NotPossible,
    Outcome,
    Row,
    Step,
    perform,
    perform_all,
)
from gpu_check.wheels import WheelsError, fetch, join

if TYPE_CHECKING:
    from gpu_check.engine_steps import Bench

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements" / "gpu_check.in"
_SOURCES = ("tools", "test/support", "semantic_detection_pkg/src", "ros_support_pkg/src", ".")
_ALL_S = 350.0  # wheels and steps together
_BUDGET_S = 300.0
_EXIT_FAILED, _EXIT_USAGE, _EXIT_UNCHECKED = 1, 2, 3


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parse(arguments)
    try:
        if options.what == "pack":
            fetch(REQUIREMENTS, options.out, options.python_version)
            return 0
        if options.what == "run":
            return _run(options)
        if options.what == "inside":
            return _inside(options.out, options.budget_s)
    except WheelsError as error:
        print(f"gpu_check: {error}", file=sys.stderr)
        return _EXIT_USAGE
    step = next(one for one in steps() if one.name == options.step)
    options.answer.write_text(json.dumps(asdict(perform(step))))
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gpu_check", description=__doc__)
    what = parser.add_subparsers(dest="what", required=True)
    pack = what.add_parser("pack", help="fetch the wheels, where there is a network")
    pack.add_argument("--out", type=Path, required=True, help="folder for them")
    pack.add_argument("--python-version", default="3.11", help="of the machine with the GPU")
    run = what.add_parser("run", help="check, on the machine with the GPU")
    run.add_argument("--wheels", type=Path, help="what pack made; left out: what is installed")
    inside = what.add_parser("inside", help="check with what is installed")
    for one in (run, inside):
        one.add_argument("--out", type=Path, required=True, help="JSON file for the figures")
        one.add_argument("--budget-s", type=float, default=_BUDGET_S, help="for all steps")
    step = what.add_parser("step", help="one step, for the others")
    step.add_argument("step", choices=[one.name for one in steps()])
    step.add_argument("answer", type=Path)
    return parser.parse_args(arguments)


def steps() -> list[Step]:
    """All steps, in their order. Their libraries are imported when they are done."""
    return [
        Step("inventory", _inventory, 60.0, is_check=False),
        Step("cuda contract", _cuda_contract, 40.0),
        Step("recovery", lambda: _on_bench("recovery"), 60.0),
        Step("parity", lambda: _on_bench("parity"), 120.0),
        Step("hand over", _hand_over, 90.0),
        Step("onnxruntime", _onnxruntime, 60.0),
        Step("stage times", lambda: _on_bench("stage_times"), 60.0),
        Step("endurance", lambda: _on_bench("endurance"), 90.0),
    ]


def _inventory() -> Sequence[Row]:
    from gpu_check.inventory import look

    return look()


def _cuda_contract() -> Sequence[Row]:
    from gpu_check.cuda_steps import contract
    from semantic_detection_pkg.detector.backends.trt.platform import find_cuda
    from semantic_detection_pkg.errors import ConfigurationError

    try:
        cuda, _ = find_cuda()
    except ConfigurationError as error:
        raise NotPossible(str(error)) from error
    return contract(cuda)


def _on_bench(name: str) -> Sequence[Row]:
    """Do a step that needs TensorRT or TensorRT for RTX."""
    from gpu_check import engine_steps
    from semantic_detection_pkg.detector.backends.trt.platform import find_platform
    from semantic_detection_pkg.errors import ConfigurationError

    do: Callable[[Bench], Sequence[Row]] = getattr(engine_steps, name)
    try:
        platform = find_platform()
    except ConfigurationError as error:
        raise NotPossible(str(error)) from error
    with tempfile.TemporaryDirectory() as folder:
        return do(engine_steps.Bench(platform, Path(folder)))


def _hand_over() -> Sequence[Row]:
    from gpu_check.hand_over import check

    return check()


def _onnxruntime() -> Sequence[Row]:
    from gpu_check.engine_steps import onnxruntime_on_cuda

    with tempfile.TemporaryDirectory() as folder:
        return onnxruntime_on_cuda(Path(folder))


def _run(options: argparse.Namespace) -> int:
    """Install the wheels into an environment of their own that sees the machine's, and go on."""
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        python = Path(sys.executable)
        if options.wheels is not None:
            wheels = join(options.wheels, Path(folder) / "wheels")
            python = Path(folder) / "venv" / "bin" / "python"
            _do([sys.executable, "-m", "venv", "--system-site-packages", python.parents[1]])
            _do(
                [python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
                + ["--no-compile", *wheels]
            )
        left_s = _ALL_S - (time.monotonic() - started_s)
        sources = [str(ROOT / name) for name in _SOURCES]
        known = [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else []
        done = subprocess.run(
            [python, "-m", "gpu_check", "inside", "--out", options.out.absolute()]
            + ["--budget-s", f"{max(0.0, min(options.budget_s, left_s)):.1f}"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([*sources, *known])},
        )
        return done.returncode


def _do(command: Sequence[object]) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise WheelsError(f"{command[0]}: {lines[-1] if lines else 'failed without a word'}")


def _inside(out: Path, budget_s: float) -> int:
    """Do all steps and write what came out, whatever happens to one of them."""
    from bench.machine import describe

    out.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": describe(),
        "steps": [],
    }
    outcomes: list[Outcome] = []

    def tell(outcome: Outcome) -> None:
        why = f": {outcome.why}" if outcome.why else ""
        print(f"{outcome.name:<14} {outcome.status}, {outcome.took_s:.1f} s{why}", flush=True)
        outcomes.append(outcome)
        out.write_text(
            json.dumps({**document, "steps": [asdict(one) for one in outcomes]}, indent=1)
        )

    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "gpu_check", "step"]
        perform_all(steps(), lambda step: [*command, step.name], Path(folder), budget_s, tell)
    return _status(outcomes)


def _status(outcomes: Sequence[Outcome]) -> int:
    """Return the exit status; say so where there was nothing to check."""
    if any(one.status == FAILED for one in outcomes):
        return _EXIT_FAILED
    checks = {step.name for step in steps() if step.is_check}
    if not any(one.status == OK for one in outcomes if one.name in checks):
        print("nothing of the GPU path was checked", flush=True)
        return _EXIT_UNCHECKED
    return 0


if __name__ == "__main__":
    sys.exit(main())
