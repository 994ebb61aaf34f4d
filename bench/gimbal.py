"""The gimbal driver: parser, command to wire, and what it costs while attitude flows.

The wire is a loopback TCP socket; at its far end another process pushes attitude at 100 Hz, as a
gimbal does. The processor's share is that of the node's process (and its children), with one
subscriber of `gimbal/state`.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import random
import select
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.row import Row
from bench.stopwatch import times_ms

ROWS = (
    "gimbal_wire_p50_ms",
    "gimbal_wire_p99_ms",
    "gimbal_parse_mb_s",
    "gimbal_parse_per_scan",
    "gimbal_events_mb_s",
    "gimbal_cpu_cores_100hz",
)

_ROOT = Path(__file__).resolve().parent.parent
_CHUNK = 4096
_SET_ANGLES = 0x0E
_STREAM_FRAMES = 20_000
_COMMANDS = 500
_COMMAND_PERIOD_S = 0.025
_CPU_SECONDS = 5.0


def rows() -> Iterator[Row]:
    sys.path.insert(0, str(_ROOT / "tools"))
    latencies_ms = _wire_latencies_ms()
    percentiles = statistics.quantiles(latencies_ms, n=100)
    yield Row("gimbal_wire_p50_ms", percentiles[49], "ms")
    yield Row("gimbal_wire_p99_ms", percentiles[98], "ms", goal=2.0)
    yield Row("gimbal_parse_mb_s", _parse_mb_s(), "MB/s", goal=20.0, better="higher")
    parse_ms, scan_ms = _parse_and_scan_ms()
    yield Row("gimbal_parse_per_scan", parse_ms / scan_ms, "x", baseline=scan_ms)
    yield Row("gimbal_events_mb_s", _events_mb_s(), "MB/s", better="higher")
    yield Row("gimbal_cpu_cores_100hz", _cpu_cores(), "cores")


def _stream() -> bytes:
    """Attitude as a gimbal pushes it."""
    from gimbal_driver_pkg.protocol.siyi import wire

    dice = random.Random(1)
    frames = (
        wire.SiyiFrame(2, i & 0xFFFF, 0x0D, dice.randbytes(12)) for i in range(_STREAM_FRAMES)
    )
    return b"".join(map(wire.pack, frames))


def _throughput(feed: Callable[[bytes], object]) -> float:
    """Megabytes a second, the best of five runs."""
    stream = _stream()
    chunks = [stream[i : i + _CHUNK] for i in range(0, len(stream), _CHUNK)]

    def run() -> float:
        start_s = time.perf_counter()
        for chunk in chunks:
            feed(chunk)
        return time.perf_counter() - start_s

    return len(stream) / 1e6 / min(run() for _ in range(5))


def _parse_mb_s() -> float:
    """Bytes to checked frames."""
    from gimbal_driver_pkg.protocol.framing import Deframer
    from gimbal_driver_pkg.protocol.siyi.dialect import SIYI

    return _throughput(Deframer(SIYI.wire).feed)


def _parse_and_scan_ms() -> tuple[float, float]:
    """Processor time of the stream parsed, and of a plain scan for each header, in turns."""
    from gimbal_driver_pkg.protocol.framing import Deframer
    from gimbal_driver_pkg.protocol.siyi.dialect import SIYI

    stream = _stream()
    chunks = [stream[i : i + _CHUNK] for i in range(0, len(stream), _CHUNK)]
    deframer, header = Deframer(SIYI.wire), SIYI.wire.header

    def parse() -> None:
        for chunk in chunks:
            deframer.feed(chunk)

    def scan() -> None:
        for chunk in chunks:
            find = chunk.find
            at = find(header)
            while at >= 0:
                at = find(header, at + 1)

    parse_ms, scan_ms = map(min, times_ms(parse, scan))
    return parse_ms, scan_ms


def _events_mb_s() -> float:
    """Bytes to events in radians."""
    from gimbal_driver_pkg.protocol.siyi.codec import SiyiCodec

    codec = SiyiCodec()
    return _throughput(lambda chunk: codec.feed(chunk, 0.0))


def _wire_latencies_ms() -> list[float]:
    """Times from a command's call to its bytes at the far end."""
    from gimbal_driver_pkg.core.build import build_driver
    from gimbal_driver_pkg.links.driver_runner import DriverRunner
    from gimbal_driver_pkg.links.opening import open_link

    # A process of its own: in this one it would wait for the interpreter's lock.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    far_end = context.Process(target=_far_end, args=(theirs,), daemon=True)
    far_end.start()
    url = f"socket://127.0.0.1:{ours.recv()}"
    engine = DriverRunner(build_driver("siyi", url, "zr10"), lambda: open_link(url))
    engine.start()
    ours.recv()  # connected
    calls: dict[int, float] = {}
    for yaw in range(1, _COMMANDS + 1):
        time.sleep(_COMMAND_PERIOD_S)
        angle_rad = math.radians(yaw * 0.1)
        calls[yaw] = time.monotonic()
        engine.call(partial(_point, angle_rad))
    engine.stop()
    arrivals = ours.recv()
    assert set(calls) <= set(arrivals), "commands were lost"
    return [1000.0 * (arrivals[yaw] - called_s) for yaw, called_s in calls.items()]


def _point(yaw_rad: float, driver: Any, now_s: float) -> None:
    driver.point(yaw_rad, 0.0, now_s)


def _far_end(pipe: Connection) -> None:
    """Push attitude at 100 Hz, note when each angle command arrives (its yaw tells which)."""
    from gimbal_driver_pkg.protocol.framing import Deframer
    from gimbal_driver_pkg.protocol.siyi.dialect import SIYI

    attitude, deframer = SIYI.write("attitude", {}), Deframer(SIYI.wire)
    arrivals: dict[int, float] = {}
    with socket.create_server(("127.0.0.1", 0)) as server:
        pipe.send(server.getsockname()[1])
        line, _ = server.accept()
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    pipe.send("connected")
    due_s = time.monotonic()
    while True:
        ready, _, _ = select.select([line], [], [], max(0.0, due_s - time.monotonic()))
        if not ready:
            due_s += 0.01
            line.sendall(attitude)
            continue
        data, now_s = line.recv(_CHUNK), time.monotonic()
        if not data:
            break
        for frame in deframer.feed(data):
            if frame[7] == _SET_ANGLES:
                arrivals.setdefault(int.from_bytes(frame[8:10], "little", signed=True), now_s)
    pipe.send(arrivals)


@contextmanager
def node(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run the driver's node against a gimbal at a port of this machine."""
    from ament_index_python.packages import get_package_prefix

    package = "gimbal_driver_pkg"
    command = [
        str(Path(get_package_prefix(package)) / "lib" / package / "gimbal_driver"),
        *("--ros-args", "-p", "gimbal_mode:=mock_tcp", "-p", f"mock_address:=127.0.0.1:{port}"),
        *("-p", "attitude_hz:=100.0"),
    ]
    with subprocess.Popen(command) as process:
        try:
            yield process
        finally:
            process.terminate()


def _cpu_cores() -> float:
    """Share of one core that the node's processes take."""
    from ros_graph import GraphProbe, isolated_domain

    from gimbal_driver_pkg.mock.background import BackgroundMock
    from interfaces_pkg.msg import GimbalState
    from ros_support_pkg.qos import SENSOR_DATA

    with isolated_domain() as environment, BackgroundMock("zr10") as mock:
        os.environ.update(environment)
        probe = GraphProbe(int(environment["ROS_DOMAIN_ID"]))
        try:
            with node(mock.tcp_port) as process:
                states = probe.listen(GimbalState, "gimbal/state", SENSOR_DATA)
                probe.wait_for(
                    lambda: states and states[-1].link == GimbalState.LINK_UP, "the gimbal"
                )
                before_s, start_s = _cpu_seconds(process.pid), time.monotonic()
                time.sleep(_CPU_SECONDS)
                used_s = _cpu_seconds(process.pid) - before_s
                return used_s / (time.monotonic() - start_s)
        finally:
            probe.close()


def _cpu_seconds(pid: int) -> float:
    """Processor time of a process and its children so far."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    ticks = 0
    for each in (pid, *map(int, children)):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # utime, stime
    return ticks / os.sysconf("SC_CLK_TCK")
