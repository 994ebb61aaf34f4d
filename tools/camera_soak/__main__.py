"""`make soak`, or `make soak ARGS="--incidents 40 --seconds 120"`."""

from __future__ import annotations

import argparse
import sys

import rtsp_camera

from camera_soak import Incident, run


def main() -> int:
    """Run the soak; status 1 if something was not as promised, 2 where it cannot run."""
    parser = argparse.ArgumentParser(prog="camera_soak", description=__doc__)
    parser.add_argument("--incidents", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    if rtsp_camera.interpreter() is None:
        needed = f"sudo apt-get install {rtsp_camera.PACKAGES}"
        print(f"camera_soak: no RTSP server here; {needed}", file=sys.stderr)
        return 2

    def tell(incident: Incident) -> None:
        print(
            f"{incident.kind:<17} {incident.hold_s:4.1f} s, back after {incident.back_s:5.2f} s, "
            f"{incident.memory_mb:6.1f} MB, {incident.files} files",
            flush=True,
        )

    report = run(given.incidents, given.seconds, given.seed, tell)
    print(f"\n{report.table()}")
    failures = report.failures()
    for line in failures:
        print(f"NOT AS PROMISED: {line}")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
