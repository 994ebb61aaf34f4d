"""A camera node against a network camera that fails all the time: comes back, holds its memory.

`run` does it, `python -m camera_soak` and `make soak` print what it measured.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from ament_index_python.packages import get_package_prefix
from patience import patience
from ros_graph import GraphProbe, isolated_domain
from rtsp_camera import RtspCamera

from interfaces_pkg.msg import FrameHandle
from ros_support_pkg.qos import SENSOR_DATA
from ros_support_pkg.stamps import from_time

#: What is promised: a frame within this time [s] of the server's being as it should.
BACK_S = 3.0
#: Growth of private memory [MB] that counts as held, and of open files.
MEMORY_MB, FILES = 12.0, 4
#: After this, what is captured is of a new connection: what the old one had sent is through [s].
_SETTLED_S = 0.15
_SIZES = ((320, 240), (640, 480), (480, 270))
_STREAM_TIMEOUT_S = 1.5
_USER_PASSWORD = "p@ss/word"
_CAMERA = Path("lib/semantic_detection_pkg/camera")


@dataclass(frozen=True)
class Incident:
    """One failure.

    Attributes:
        kind: one of `KINDS`.
        hold_s: how long it lasted [s].
        back_s: until a frame came after it [s].
        memory_mb: private memory of the node then [MB].
        files: that the node has open then.
    """

    kind: str
    hold_s: float
    back_s: float
    memory_mb: float
    files: int


@dataclass
class Report:
    """What a soak measured.

    Attributes:
        incidents: in their order.
        seconds: that it took.
        frames: that the node published.
    """

    incidents: list[Incident] = field(default_factory=list)
    seconds: float = 0.0
    frames: int = 0

    @property
    def growth_mb(self) -> float:
        """Private memory, median of the last fifth of incidents less that of the second [MB]."""
        memory = [one.memory_mb for one in self.incidents]
        return self._growth(memory)

    @property
    def growth_files(self) -> float:
        """Likewise for open files."""
        return self._growth([float(one.files) for one in self.incidents])

    def failures(self, limit_s: float = BACK_S) -> list[str]:
        """Return what was not as promised, one line each."""
        late = [one for one in self.incidents if one.back_s > limit_s]
        lines = [f"{one.kind} of {one.hold_s:.1f} s: back after {one.back_s:.2f} s" for one in late]
        if self.growth_mb > MEMORY_MB:
            lines.append(f"memory grew by {self.growth_mb:.1f} MB, allowed are {MEMORY_MB:g}")
        if self.growth_files > FILES:
            lines.append(f"open files grew by {self.growth_files:.0f}, allowed are {FILES}")
        return lines

    def table(self) -> str:
        """Return the figures for people."""
        rows = [
            "| what happened | times | back after, median | 95 % | longest |",
            "|---|---|---|---|---|",
        ]
        for kind in [*KINDS, "all"]:
            times = sorted(one.back_s for one in self.incidents if kind in (one.kind, "all"))
            if times:
                p95 = times[min(len(times) - 1, int(0.95 * len(times)))]
                middle = statistics.median(times)
                rows.append(
                    f"| {kind} | {len(times)} | {middle:.2f} s | {p95:.2f} s | {times[-1]:.2f} s |"
                )
        memory = [one.memory_mb for one in self.incidents]
        rows.append(
            f"\n{len(self.incidents)} incidents in {self.seconds:.0f} s, {self.frames} frames; "
            f"private memory {memory[0]:.1f} MB at first, {memory[-1]:.1f} MB at last, at most "
            f"{max(memory):.1f} MB, median of the last fifth less that of the second "
            f"{self.growth_mb:+.1f} MB; "
            f"open files {self.incidents[0].files} and {self.incidents[-1].files}"
        )
        return "\n".join(rows)

    def _growth(self, values: list[float]) -> float:
        fifth = max(len(values) // 5, 1)
        return statistics.median(values[-fifth:]) - statistics.median(values[fifth : 2 * fifth])


class Soak:
    """One node and one server."""

    def __init__(
        self, server: RtspCamera, probe: GraphProbe, node: subprocess.Popen[bytes]
    ) -> None:
        self._server = server
        self._node = node
        self._process = psutil.Process(node.pid)
        self._probe = probe
        self._size = _SIZES[0]
        self.frames: list[FrameHandle] = probe.listen(FrameHandle, "camera/frames", SENSOR_DATA)

    def wait_for_start(self) -> None:
        """Wait for the first frame."""
        self._wait(lambda _: True, time.time_ns(), 30.0)

    def incident(self, kind: str, hold_s: float) -> Incident:
        """Let something go wrong for a time, and wait until frames are there again."""
        begin, end = KINDS[kind]
        begin(self)
        time.sleep(hold_s)  # the outage itself, not a wait for something
        end(self)
        over_ns = time.time_ns()
        back_s = self._wait(self._is_as_wanted, over_ns + round(_SETTLED_S * 1e9), 10 * BACK_S)
        memory_mb = self._process.memory_full_info().uss / 1e6
        files = self._process.num_fds()
        return Incident(kind, hold_s, back_s + _SETTLED_S, memory_mb, files)

    def tell(self, *commands: str) -> None:
        """Give commands to the server."""
        for command in commands:
            self._server.tell(command)

    def next_size(self) -> None:
        """Change the size of the stream that runs."""
        self._size = _SIZES[(_SIZES.index(self._size) + 1) % len(_SIZES)]
        self.tell(f"size {self._size[0]}x{self._size[1]}")

    def _is_as_wanted(self, handle: FrameHandle) -> bool:
        return (handle.width, handle.height) == self._size

    def _wait(self, is_wanted: Callable[[Any], bool], after_ns: int, limit_s: float) -> float:
        """Return when the first such frame was captured, after a time [s]."""
        stamps: list[int] = []

        def arrived() -> bool:
            if self._node.poll() is not None:
                raise RuntimeError(f"the camera node ended with status {self._node.returncode}")
            newest = self.frames[-30:]
            stamps[:] = [
                from_time(one.header.stamp)
                for one in newest
                if from_time(one.header.stamp) > after_ns and is_wanted(one)
            ]
            return bool(stamps)

        self._probe.wait_for(arrived, "a frame", limit_s)
        return (stamps[0] - after_ns) / 1e9


def _nothing(_: Soak) -> None:
    """Let nothing happen at the beginning: it is over in a moment."""


#: What goes wrong, and how it ends.
KINDS: dict[str, tuple[Callable[[Soak], None], Callable[[Soak], None]]] = {
    "connection cut": (_nothing, lambda soak: soak.tell("drop")),
    "server gone": (lambda soak: soak.tell("stop"), lambda soak: soak.tell("start")),
    "stream stalls": (lambda soak: soak.tell("stall"), lambda soak: soak.tell("resume")),
    "size changes": (_nothing, Soak.next_size),
    "password changes": (
        lambda soak: soak.tell("password another", "drop"),
        lambda soak: soak.tell(f"password {_USER_PASSWORD}"),
    ),
}


def run(incidents: int, seconds: float, seed: int, tell: Callable[[Incident], None]) -> Report:
    """Let so many incidents happen within a time.

    Args:
        incidents: how many.
        seconds: over which they are spread [s]; it may take longer.
        seed: of their order and length.
        tell: is told of each.
    """
    chance = random.Random(seed)
    report = Report()
    kinds = [list(KINDS)[index % len(KINDS)] for index in range(incidents)]
    chance.shuffle(kinds)
    with _soak() as soak:
        soak.wait_for_start()
        begin_s = time.monotonic()
        for index, kind in enumerate(kinds):
            incident = soak.incident(kind, chance.uniform(0.2, 2.0))
            report.incidents.append(incident)
            tell(incident)
            ahead_s = begin_s + (index + 1) * seconds / incidents - time.monotonic()
            time.sleep(max(ahead_s, 0.0))
        report.seconds = time.monotonic() - begin_s
        report.frames = len(soak.frames)
    return report


@contextmanager
def _soak() -> Iterator[Soak]:
    size = f"{_SIZES[0][0]}x{_SIZES[0][1]}"
    with isolated_domain() as variables, RtspCamera(size, password=_USER_PASSWORD) as server:
        source = f"{server.url(_USER_PASSWORD)}#timeout={_STREAM_TIMEOUT_S}"
        os.environ.update(variables)
        probe = GraphProbe(int(variables["ROS_DOMAIN_ID"]))
        node = subprocess.Popen(
            [
                str(Path(get_package_prefix("semantic_detection_pkg")) / _CAMERA),
                *("--ros-args", "-p", f"source:={source}", "--log-level", "fatal"),
            ]
        )
        try:
            yield Soak(server, probe, node)
        finally:
            node.terminate()
            try:
                node.wait(patience(10.0))
            except subprocess.TimeoutExpired:
                node.kill()
                node.wait()
            probe.close()
