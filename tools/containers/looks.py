"""What a stack that runs must show: rights, page, gimbal, socket, lock, recording."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from mcap.reader import make_reader
from patience import wait_until

from containers.report import Report
from containers.stack import ROBOT, SERVICES, STUB, Stack
from gimbal_driver_pkg.protocol.catalogue import Direction
from gimbal_driver_pkg.protocol.dialects import DIALECTS
from gimbal_driver_pkg.protocol.framing import Deframer

_SOCKET = "/run/tier3/vlm.sock"
_RATE_S = 15.0  # the recorder tells its figures now and then
_RELEASE = "/run/tier3/release_of_a_check"
#: Takes a lock; keeps it until a file says to let go, or not at all.
_HOLD = f"""
import fcntl, pathlib, sys, time
file = open("/run/tier3/lock_of_a_check", "a")
fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
end_s = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end_s and not pathlib.Path("{_RELEASE}").exists():
    time.sleep(0.1)
"""
_HOLD_MAX_S = "600"


def look_at(report: Report, stack: Stack) -> None:
    """Look at all of a stack that is well."""
    with report.check("rights") as said:
        _look_at_rights(stack)
        said.figures += ["uid 1000, no capabilities, no new privileges, sources read-only"]
    with report.check("page") as said:
        said.figures += _look_at_page(stack)
    with report.check("scan begins by itself") as said:
        level = wait_until(lambda: _level(stack), "a scan that runs", 60.0, 0.5)
        said.figures += [f"level {level}", f"detector {stack.section('detector')['rate_hz']} Hz"]
    with report.check("gimbal") as said:
        said.figures += _look_at_gimbal(stack)
    with report.check("socket") as said:
        done = stack.exec(
            *(ROBOT, "entrypoint", "python3", "-m", "vlm_bridge_pkg.service.is_healthy", _SOCKET)
        )
        assert done.returncode == 0, done.stderr
        status = stack.exec(ROBOT, "stat", "-c", "%a %u:%g", _SOCKET).stdout.strip()
        assert status.endswith("1000:1000"), status
        said.figures += [f"the robot's container reaches the stub's, {status}"]
    with report.check("lock") as said:
        _look_at_lock(stack)
        said.figures += ["one file, held by one container at a time"]
    with report.check("recording") as said:
        said.figures += _look_at_recording(stack)
    with report.check("memory") as said:
        used = stack.memory_mb()
        assert used, "nothing is counted"
        said.figures += [f"{name} {mb:.0f} MB" for name, mb in used.items()]


def _look_at_rights(stack: Stack) -> None:
    for service in SERVICES:
        status = Path(f"/proc/{stack.main_process(service)}/status").read_text()
        facts = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(facts[name], 16) == 0, f"{service}: {name} is {facts[name].strip()}"
        assert facts["NoNewPrivs"].strip() == "1", service
        assert set(facts["Uid"].split()) == {"1000"}, f"{service}: user {facts['Uid']}"
        done = stack.exec(service, "touch", "/sources/of_a_check")
        assert done.returncode != 0, f"{service} can write the host's sources"


def _look_at_page(stack: Stack) -> list[str]:
    status, body = stack.get("/")
    assert status == 200, f"/ is {status}"
    assert b"<html" in body, "/ is no page"
    status, _ = stack.get("/api/state/scan", token="")
    assert status == 401, f"without the token the state is {status}"
    own = [
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET and not address.address.startswith("127.")
    ]
    for address in own:  # also the engine's bridge: what other containers and hosts would use
        with socket.socket() as line:
            line.settimeout(1.0)
            assert line.connect_ex((address, stack.page_port)) != 0, f"open on {address}"
    return [f"on 127.0.0.1, refused on {len(own)} other addresses, 401 without the token"]


def _level(stack: Stack) -> str:
    scan = stack.section("scan")
    is_running = scan.get("level") in ("sweep", "close") and not scan.get("is_paused")
    return str(scan["level"]) if is_running and stack.section("detector").get("rate_hz") else ""


@contextmanager
def _gimbal(stack: Stack) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", stack.gimbal_port), timeout=5.0) as line:
        yield line


def ask_attitude(stack: Stack) -> dict[str, Any]:
    """Ask the mock gimbal through its published port, as a second client; return the fields.

    Raises:
        OSError: it does not answer.
    """
    siyi = DIALECTS["siyi"]
    deframer = Deframer(siyi.wire)
    with _gimbal(stack) as line:
        line.sendall(siyi.write("request_attitude", {}))
        while data := line.recv(4096):
            for frame in deframer.feed(data):
                record = siyi.read(frame, Direction.FROM_GIMBAL)
                if record.command == "attitude":
                    return dict(record.fields)
    raise OSError("the mock gimbal closed the line")


def _look_at_gimbal(stack: Stack) -> list[str]:
    seen: set[float] = set()

    def turns() -> bool:
        state = stack.section("gimbal")
        if state.get("link") == "up":
            seen.add(round(state["yaw_rad"], 2))
        return max(seen, default=0.0) - min(seen, default=0.0) > 0.1

    wait_until(turns, "a gimbal that turns", 30.0, 0.2)
    fields = ask_attitude(stack)
    return [
        f"link up, yaw {min(seen):.2f} to {max(seen):.2f} rad, port answers {len(fields)} fields"
    ]


def _look_at_lock(stack: Stack) -> None:
    places = {
        stack.exec(s, "stat", "-c", "%i", "/run/tier3/gpu.lock").stdout for s in (ROBOT, STUB)
    }
    assert len(places - {""}) == 1, f"gpu.lock is {places}"
    hold = ("python3", "-c", _HOLD)
    stack.engine.podman("exec", "--detach", stack.container(ROBOT), *hold, _HOLD_MAX_S)
    wait_until(lambda: stack.exec(STUB, *hold, "0").returncode, "a lock that is held", 20.0, 0.1)
    stack.exec(ROBOT, "touch", _RELEASE)
    wait_until(
        lambda: not stack.exec(STUB, *hold, "0").returncode, "a lock that is free", 20.0, 0.1
    )
    stack.exec(ROBOT, "rm", "/run/tier3/lock_of_a_check", _RELEASE)


def _look_at_recording(stack: Stack) -> list[str]:
    before = stack.section("recorder")
    assert before.get("is_recording"), "the recorder does not record"
    begin_s = time.monotonic()

    def grew() -> float:
        return float(stack.section("recorder").get("bytes_used", 0)) - before["bytes_used"]

    wait_until(
        lambda: grew() > 1e6 and time.monotonic() - begin_s > _RATE_S, "a megabyte more", 60.0, 0.5
    )
    rate = grew() / 1e6 / (time.monotonic() - begin_s)
    owners = {path.stat().st_uid for path in stack.volume("output").rglob("*")}
    assert owners == {1000}, f"files in the volume belong to {owners}"
    return [f"{rate:.1f} MB/s in the volume output, files of user 1000"]


def read_recording(stack: Stack) -> tuple[int, int]:
    """Read all bags of the ring after a stop; return the numbers of files and of detections.

    Raises:
        AssertionError: a file is not closed, or nothing was recorded.
    """
    files = sorted((stack.volume("output") / "ring").glob("*.mcap"))
    assert files, "no file"
    detections = 0
    for path in files:
        with path.open("rb") as stream:
            summary = make_reader(stream).get_summary()
            assert summary is not None, f"{path.name} is open"
            assert summary.statistics is not None, f"{path.name} counts nothing"
            counts = summary.statistics.channel_message_counts
            detections += sum(
                counts.get(number, 0)
                for number, channel in summary.channels.items()
                if channel.topic.endswith("/detections")
            )
    assert detections > 0, f"no detections in {len(files)} files"
    return len(files), detections


def is_gimbal_there(stack: Stack) -> bool:
    """Return whether the mock answers on its port and the robot's driver has it."""
    try:
        ask_attitude(stack)
    except OSError:
        return False
    return stack.section("gimbal").get("link") == "up"
