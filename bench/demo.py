"""How long people wait: from `make demo` to the first thing that is detected, everything built."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.row import Row

ROWS = ("demo_warm_s",)

_ROOT = Path(__file__).resolve().parent.parent
_STOP_TIMEOUT_S = 30.0


def rows() -> Iterator[Row]:
    yield Row("demo_warm_s", seconds_to_first_detection(_ROOT, timeout_s=120.0), "s", goal=4.0)


def seconds_to_first_detection(folder: Path, timeout_s: float) -> float:
    """From the command, given in a workspace, to the arrival of a message with a detection.

    The demo runs in a ROS domain, on ports and in folders of its own; what it listens with was
    started before.

    Raises:
        AssertionError: nothing was detected in time; the demo's last lines are in it.
    """
    sys.path.insert(0, str(_ROOT / "tools"))
    from free_port import free_port
    from ros_graph import GraphProbe, isolated_domain

    from interfaces_pkg.msg import Detections
    from ros_support_pkg.qos import SENSOR_DATA

    with (
        tempfile.TemporaryDirectory(prefix="demo") as output,
        isolated_domain() as domain,
        (Path(output) / "demo.log").open("w+") as log,
    ):
        arguments = {
            "mock_port": free_port(),
            "dashboard_port": free_port(),
            "save_dir": f"{output}/pictures",
            "output_dir": f"{output}/recordings",
            "shared_dir": output,
        }
        words = " ".join(f"{name}:={value}" for name, value in arguments.items())
        probe = GraphProbe(int(domain["ROS_DOMAIN_ID"]))
        detections = probe.listen(Detections, "detections", SENSOR_DATA)
        start_s = time.monotonic()
        demo = subprocess.Popen(
            ["make", "demo", f"ARGS={words}"],
            cwd=folder,
            env={**_bare_environment(), **domain},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            probe.wait_for(
                lambda: any(m.class_ids for m in detections) or demo.poll() is not None,
                "a detection",
                timeout_s,
            )
            elapsed_s = time.monotonic() - start_s
            assert any(m.class_ids for m in detections), _tail(log.name)
            return elapsed_s
        except AssertionError as error:
            raise AssertionError(f"{error}\n{_tail(log.name)}") from None
        finally:
            _stop(demo)
            probe.close()


def _bare_environment() -> dict[str, str]:
    """Without what `make bench` has sourced: `make demo` finds it by itself, as for people."""
    ours = ("PREFIX", "PYTHONPATH", "VIRTUAL_ENV", "COLCON", "MAKE", "MFLAGS", "_ROS_WHEELS", "LD_")
    kept = {
        name: value for name, value in os.environ.items() if not any(word in name for word in ours)
    }
    folders = kept["PATH"].split(os.pathsep)
    kept["PATH"] = os.pathsep.join(one for one in folders if not one.startswith(str(_ROOT)))
    return kept


def _stop(demo: subprocess.Popen[bytes]) -> None:
    """Ctrl-C for the whole group; SIGKILL for what is still there after a while."""
    for number in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(demo.pid, number)
            demo.wait(_STOP_TIMEOUT_S)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def _tail(path: str) -> str:
    return "\n".join(Path(path).read_text(errors="replace").splitlines()[-30:])
