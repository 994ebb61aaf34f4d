"""Golden data (published, captured, computed frames, fault streams), and a harness of drivers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gimbal_driver_pkg.core.build import build_driver
from gimbal_driver_pkg.core.driver import GimbalDriver
from gimbal_driver_pkg.core.settings import DriverSettings
from gimbal_driver_pkg.core.state import GimbalState
from gimbal_driver_pkg.mock.body import Body
from gimbal_driver_pkg.mock.conversation import Conversation, MockGimbal
from gimbal_driver_pkg.mock.conversations import new_conversation
from gimbal_driver_pkg.mock.faults import FaultyLine, InjectedFaults
from gimbal_driver_pkg.models import MODELS
from gimbal_driver_pkg.protocol.catalogue import Direction
from gimbal_driver_pkg.protocol.dialects import DIALECTS
from ros_support_pkg.core.words import LinkState

GOLDEN = Path(__file__).parent / "golden"


def _load(name: str) -> list[dict[str, Any]]:
    return json.loads((GOLDEN / name).read_text(encoding="utf-8"))


def _ids(rows: list[dict[str, Any]], *keys: str) -> list[str]:
    return [f"{i}-" + "-".join(str(row[key]) for key in keys) for i, row in enumerate(rows)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with a `golden_frame` or `fault_stream` argument over all of them."""
    if "golden_frame" in metafunc.fixturenames:
        rows = _load("frames.json")
        metafunc.parametrize("golden_frame", rows, ids=_ids(rows, "protocol", "command"))
    if "fault_stream" in metafunc.fixturenames:
        rows = _load("fault_streams.json")
        metafunc.parametrize("fault_stream", rows, ids=_ids(rows, "protocol", "case"))


@pytest.fixture
def golden_frames() -> list[dict[str, Any]]:
    """All golden frames."""
    return _load("frames.json")


@dataclass
class DriverHarness:
    """A driver and a mock gimbal, joined in memory, in simulated time."""

    driver: GimbalDriver
    conversation: Conversation
    now_s: float = 100.0
    latency_s: float = 0.0
    faults: InjectedFaults = field(default_factory=InjectedFaults)
    frames: list[tuple[float, bytes]] = field(default_factory=list)
    """Everything that the driver sent, and when."""
    is_cut: bool = False
    """Nothing passes, either way."""

    def __post_init__(self) -> None:
        self._line = FaultyLine(seed=1)
        self._arriving: list[tuple[float, bytes]] = []
        self.driver.opened(self.now_s)
        self._deliver()

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            due_s = min(
                self.driver.due_s(), self.conversation.next_push_s(), self._next_arrival_s()
            )
            self.now_s = min(end_s, max(due_s, self.now_s + 0.001))
            self._receive_due()
            self.driver.tick(self.now_s)
            self._deliver()
            self._arrive(self.conversation.push(self.now_s))

    def run_until(self, condition: Callable[[], bool], timeout_s: float = 10.0) -> float:
        """Let time pass until `condition`; return how long it took."""
        start_s = self.now_s
        while not condition():
            assert self.now_s < start_s + timeout_s, "it did not happen"
            self.run(0.01)
        return self.now_s - start_s

    def do(self, work: Callable[[GimbalDriver, float], Any]) -> Any:
        """Give the driver a command."""
        result = work(self.driver, self.now_s)
        self._deliver()
        return result

    @property
    def state(self) -> GimbalState:
        """What the driver knows."""
        return self.driver.state(self.now_s)

    @property
    def body(self) -> Body:
        """Where the gimbal really is."""
        self.conversation.gimbal.body.advance(self.now_s)
        return self.conversation.gimbal.body

    def sent(self, protocol: str = "siyi") -> list[str]:
        """Names of all commands sent so far."""
        dialect = DIALECTS[protocol]
        return [dialect.read(frame, Direction.TO_GIMBAL).command for _, frame in self.frames]

    def is_up(self) -> bool:
        """Whether the driver trusts the line."""
        return self.state.link is LinkState.UP

    def points_at(self, yaw_rad: float, pitch_rad: float) -> bool:
        """Whether the gimbal really is within half a degree of these angles."""
        yaw, pitch = self.body.yaw.angle_rad, self.body.pitch.angle_rad
        return max(abs(yaw - yaw_rad), abs(pitch - pitch_rad)) < math.radians(0.5)

    def reopen(self) -> None:
        """Let the line be lost and opened again."""
        self.driver.closed()
        self._arriving.clear()
        self.driver.opened(self.now_s)
        self._deliver()

    def _deliver(self) -> None:
        for frame in self.driver.take_frames():
            self.frames.append((self.now_s, frame))
            arrived = self._line.receive(frame, self.faults)
            if arrived and not self.is_cut:
                self._arrive(self.conversation.receive(arrived, self.now_s))

    def _arrive(self, frames: list[bytes]) -> None:
        for delay_s, data in self._line.send(frames, self.faults):
            if not self.is_cut:
                self._arriving.append((self.now_s + self.latency_s + delay_s, data))

    def _next_arrival_s(self) -> float:
        return min((at_s for at_s, _ in self._arriving), default=math.inf)

    def _receive_due(self) -> None:
        due = [(at_s, data) for at_s, data in self._arriving if at_s <= self.now_s]
        self._arriving = [item for item in self._arriving if item not in due]
        for _, data in due:
            self.driver.receive(data, self.now_s)


RigMaker = Callable[..., DriverHarness]


@pytest.fixture
def make_rig() -> RigMaker:
    """Return a function that joins a driver and a mock gimbal in memory."""

    def make(
        model: str = "zr10",
        settings: DriverSettings | None = None,
        fixed: bool = False,
        boot_s: float = 0.0,
        driver: GimbalDriver | None = None,
        conversation: Any = None,
        **options: Any,
    ) -> DriverHarness:
        kind = MODELS[model]
        gimbal = MockGimbal.create(kind, 100.0, boot_s)
        driver = driver or build_driver(
            kind.protocol, "udp://", model if fixed else "auto", settings
        )
        return DriverHarness(
            driver, conversation or new_conversation(gimbal, 100.0, is_tcp=False), **options
        )

    return make
