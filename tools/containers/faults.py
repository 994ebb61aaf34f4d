"""What a stack must survive: the death of each container, a stop, a start, changed sources."""

from __future__ import annotations

import time
import uuid
from functools import partial
from pathlib import Path

from patience import wait_until

from containers.engine import Engine
from containers.looks import ask_attitude, is_gimbal_there, read_recording
from containers.report import Report
from containers.stack import GIMBAL, ROBOT, SERVICES, STUB, Stack

_BACK_S = 90.0
_GRACE_S = 20.0
_KILLED = 137
_KERNELS = "semantic_detection_pkg/src/semantic_detection_pkg/detector/kernels/compiled"
_INSIDE = f"/opt/semantic-detection/{_KERNELS}"
_DOMAIN = "187"  # ROS's; frames of this check carry it in their names
_PICTURE_MB = 4.0  # a little less than one of the simulated camera
_SHARED = Path("/dev/shm")


def kill_each(report: Report, stack: Stack) -> None:
    """End each container hard and wait until the engine has brought it back and all is well."""
    for service in (GIMBAL, STUB, ROBOT):
        with report.check(f"death of {service}") as said:
            before = stack.main_process(service)
            begin_s = time.monotonic()
            stack.kill(service)
            wait_until(
                partial(_is_new, stack, service, before), "a new container's process", _BACK_S, 0.2
            )
            started_s = time.monotonic() - begin_s
            stack.wait_until_well(_BACK_S)
            wait_until(lambda: is_gimbal_there(stack), "the gimbal", _BACK_S, 0.5)
            wait_until(
                lambda: stack.section("recorder").get("is_recording"), "the recorder", _BACK_S, 0.5
            )
            said.figures += [
                f"started again after {started_s:.1f} s",
                f"all well after {time.monotonic() - begin_s:.1f} s",
            ]


def _is_new(stack: Stack, service: str, before: int) -> bool:
    return stack.main_process(service) not in (0, before)


def stop_in_order(report: Report, stack: Stack) -> None:
    """Stop the robot's container, look at what it left, then the others; start all again."""
    with report.check("stop in order") as said:
        begin_s = time.monotonic()
        stack.engine.podman("stop", "--time", f"{_GRACE_S:.0f}", stack.container(ROBOT))
        took_s = time.monotonic() - begin_s
        said.figures += [f"robot {took_s:.1f} s of {_GRACE_S:.0f}"]
        first, second = (_angles_after(stack, wait_s) for wait_s in (0.5, 0.5))
        assert first == second, f"the gimbal turns on: {first}, {second} deg"
        took_s = stack.compose("stop")
        codes = {service: stack.state(service)["ExitCode"] for service in SERVICES}
        said.figures += [f"others {took_s:.1f} s", f"status {codes[ROBOT]}", "gimbal at rest"]
        assert codes[ROBOT] == 0, f"status {codes}"
        assert _KILLED not in codes.values(), f"killed: {codes}"
        log = stack.log(ROBOT)
        assert "Traceback" not in log, log[log.index("Traceback") :][:300]
        assert "SIGKILL" not in log, "a node was killed"
    with report.check("recording is closed") as said:
        files, detections = read_recording(stack)
        said.figures += [f"{files} bags, each with its index, {detections} messages of detections"]
    with report.check("start again") as said:
        stack.compose("start")
        said.figures += [f"healthy after {stack.wait_until_well():.1f} s"]


def _angles_after(stack: Stack, wait_s: float) -> tuple[float, float]:
    time.sleep(wait_s)
    fields = ask_attitude(stack)
    return fields["yaw_deg_wire"], fields["pitch_deg_wire"]


def take_up_sources(report: Report, stack: Stack, sources: Path) -> None:
    """Change a kernel and a module on the host, as an editor does; let the host compile, too."""
    with report.check("restart takes sources up") as said:
        word = uuid.uuid4().hex
        kernel, module = sources / _KERNELS / "runs.pyx", sources / "tools" / "free_port.py"
        foreign = sources / _KERNELS / "of_the_host.so"
        before = _checksum(stack)
        kernel.write_text(kernel.read_text() + f"\n# {word}\n")
        module.write_text(module.read_text() + f"\n# {word}\n")
        foreign.write_text("no library")
        begin_s = time.monotonic()
        stack.compose("restart", ROBOT, timeout_s=600.0)
        wait_until(lambda: _checksum(stack) not in ("", before), "a new kernel", 600.0, 0.5)
        stack.wait_until_well(_BACK_S)
        said.figures += [f"one kernel compiled, healthy after {time.monotonic() - begin_s:.1f} s"]
        found = stack.exec(ROBOT, "grep", "-c", word, "/opt/semantic-detection/tools/free_port.py")
        assert found.stdout.strip() == "1", "the module is the old one"
        assert stack.exec(ROBOT, "ls", f"{_INSIDE}/{foreign.name}").returncode != 0, (
            "what the host compiled is seen"
        )
        assert "compiled kernels" in stack.log(ROBOT), "the kernels' slow twins run"
        foreign.unlink()


def _checksum(stack: Stack) -> str:
    """Return a checksum of the compiled kernel; "" while there is none or the container is down."""
    return stack.exec(ROBOT, "sh", "-c", f"cat {_INSIDE}/runs.*.so | sha256sum").stdout.strip()


def go_down(report: Report, stack: Stack) -> None:
    """Take the stack down: nothing stays but the volumes that have names."""
    with report.check("down") as said:
        took_s = stack.down()
        left = [name for name in stack.containers() if name.startswith(stack.project)]
        assert not left, f"left are {left}"
        names = {f"{stack.project}_{name}" for name in ("output", "vlm-socket")}
        volumes = set(stack.volumes())
        assert volumes == names, f"volumes are {volumes}"
        said.figures += [f"{took_s:.1f} s, left are the {len(names)} named volumes and no other"]
    with report.check("down -v") as said:
        stack.down("-v")
        assert stack.volumes() == [], f"left are {stack.volumes()}"
        networks = stack.engine.podman("network", "ls", "--format", "{{.Name}}").split()
        assert not [name for name in networks if name.startswith(stack.project)], networks
        said.figures += ["nothing left"]


def follow_a_killed_one(report: Report, engine: Engine, mounts: list[str]) -> None:
    """Two containers one after the other on the host's shared memory: the first is killed."""
    with report.check("shared memory of the host") as said:
        words = [word for mount in mounts for word in ("-v", mount)]
        start = (
            *("run", "--detach", "--init", "--ipc", "host", "--network", "none"),
            *("--user", "1000:1000", "--cap-drop", "ALL", "--env", f"ROS_DOMAIN_ID={_DOMAIN}"),
            *(*words, "semantic-detection:dev", "ros2", "run", "semantic_detection_pkg", "camera"),
            *("--ros-args", "-p", "source:=sim:7"),
        )
        try:
            first = engine.podman(*start).strip()
            wait_until(lambda: _frames_mb() > _PICTURE_MB, "frames in shared memory", 60.0, 0.2)
            engine.podman("kill", "--signal", "KILL", first)
            engine.podman("rm", "--force", first)
            left_mb = _frames_mb()
            assert left_mb > _PICTURE_MB, "a killed container leaves nothing, so nothing is shown"
            names = set(_pictures())
            second = engine.podman(*start).strip()
            wait_until(lambda: "frames go by" in _said(engine, second), "a camera", 60.0, 0.2)
            wait_until(lambda: _frames_mb() > _PICTURE_MB, "its frames", 60.0, 0.2)
            stale = names & set(_pictures())
            during_mb = _frames_mb()
            engine.podman("stop", "--time", "10", second)
            engine.podman("rm", "--force", second)
            after_mb = _frames_mb()
            said.figures += [
                f"killed: {left_mb:.0f} MB left, during the next {during_mb:.0f}, "
                f"after its stop {after_mb:.3f}"
            ]
            assert not stale, f"the next one has not removed {sorted(stale)}"
            assert after_mb < 0.1, "something is left"
        finally:
            for path in _frames():
                path.unlink(missing_ok=True)


def _said(engine: Engine, container: str) -> str:
    done = engine.run("podman", "logs", container, is_checked=False)
    return done.stdout + done.stderr


def _frames() -> list[Path]:
    return [path for path in _SHARED.rglob(f"frames{_DOMAIN}_*") if path.is_file()]


def _pictures() -> list[Path]:
    """Return the memory itself; the files of a service have the same names each time."""
    return [path for path in _frames() if path.suffix == ".data"]


def _frames_mb() -> float:
    total = 0
    for path in _frames():
        try:
            total += path.stat().st_blocks * 512
        except FileNotFoundError:
            continue
    return total / 1e6
