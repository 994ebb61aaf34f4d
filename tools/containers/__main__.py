"""`make containers`; ARGS=--mounted builds no image, ARGS="--folder DIR" keeps the images there."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from containers import faults, images
from containers.engine import ContainerError, Engine, missing
from containers.looks import look_at
from containers.report import Report
from containers.stack import SERVICES, Stack

_BUILD_S = 3600.0
_UP_S = 180.0


def main() -> int:
    """Run all; status 1 if something was not as promised, 2 where it cannot run."""
    parser = argparse.ArgumentParser(prog="containers", description=__doc__)
    parser.add_argument(
        "--mounted", action="store_true", help="no image: mount this built tree into a small one"
    )
    parser.add_argument(
        "--folder", type=Path, help="keep the images there, for the next run; else nothing stays"
    )
    given = parser.parse_args()
    if lacks := missing():
        print(f"containers: missing are {', '.join(lacks)}; Debian has them", file=sys.stderr)
        return 2
    folder = (
        given.folder.absolute() if given.folder else Path(tempfile.mkdtemp(prefix="containers"))
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # cleans up, too
    engine, report = Engine(folder), Report()
    engine.remove(with_storage=False)  # what a run left that was killed in that folder
    try:
        _run(report, engine, is_mounted=given.mounted)
    except ContainerError as error:
        print(f"NOT AS PROMISED: {error}: the rest was not looked at", flush=True)
    finally:
        engine.remove(with_storage=given.folder is None)
    print(f"{len(report.checks)} looked at, {report.faults} not as promised")
    return int(report.faults > 0)


def _run(report: Report, engine: Engine, *, is_mounted: bool) -> None:
    sources = engine.folder / "sources"
    images.copy_sources(sources)
    files = [sources / "docker" / "compose.dev.yaml"]
    with report.check("base image", is_vital=True) as said:
        begin_s = time.monotonic()
        said.figures += [images.make_base(engine), f"{time.monotonic() - begin_s:.0f} s"]
    stack = Stack(engine, f"check{os.getpid()}", files)
    with report.check("image", is_vital=True) as said:
        begin_s = time.monotonic()
        if is_mounted:
            files.append(images.build_mounted(engine))
        else:
            stack.compose("build", timeout_s=_BUILD_S)
        size_mb = engine.inspect("image", "inspect", "semantic-detection:dev")["Size"] / 1e6
        said.figures += [f"{size_mb:.0f} MB", f"{time.monotonic() - begin_s:.0f} s"]
    with report.check("up", is_vital=True) as said:
        up_s = stack.compose("up", "-d", "--no-build", timeout_s=_UP_S)
        said.figures += [f"{up_s:.1f} s", f"healthy after {up_s + stack.wait_until_well():.1f} s"]
        for service in SERVICES:
            assert stack.state(service)["Running"], f"{service} has ended: {stack.log(service)}"
    look_at(report, stack)
    faults.kill_each(report, stack)
    faults.stop_in_order(report, stack)
    if not is_mounted:
        faults.take_up_sources(report, stack, sources)
    faults.go_down(report, stack)
    mounts = images.mounts() if is_mounted else []
    faults.follow_a_killed_one(report, engine, mounts)


if __name__ == "__main__":
    sys.exit(main())
