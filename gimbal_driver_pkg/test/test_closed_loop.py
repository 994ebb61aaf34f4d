"""Driver and mock gimbal over real lines: TCP sockets and pseudo-terminals, in real time."""

from __future__ import annotations

import math
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gimbal_driver_pkg.core.build import build_driver
from gimbal_driver_pkg.core.driver import GimbalDriver
from gimbal_driver_pkg.core.link_state import LinkState
from gimbal_driver_pkg.core.settings import DriverSettings
from gimbal_driver_pkg.core.state import GimbalState
from gimbal_driver_pkg.links.engine import Engine
from gimbal_driver_pkg.links.link import open_link
from gimbal_driver_pkg.mock.background import BackgroundMock

TOLERANCE_RAD = math.radians(0.5)
TIMEOUT_S = 15.0


def wait_for(condition: Callable[[], object], timeout_s: float = TIMEOUT_S) -> float:
    """Wait until `condition` and return how long it took."""
    start_s = time.monotonic()
    while not condition():
        assert time.monotonic() < start_s + timeout_s, "it did not happen"
        time.sleep(0.002)
    return time.monotonic() - start_s


def url_of(mock: BackgroundMock, line: str, terminal: str) -> str:
    return {
        "tcp": f"socket://127.0.0.1:{mock.tcp_port}",
        "udp": f"udp://127.0.0.1:{mock.udp_port}",
        "pty": terminal,
    }[line]


class Loop:
    """A running driver and the mock at the other end of its line."""

    def __init__(self, engine: Engine, mock: BackgroundMock) -> None:
        self.engine = engine
        self.mock = mock

    def state(self) -> GimbalState:
        return self.engine.call(GimbalDriver.state)

    def is_up(self) -> bool:
        return self.state().link is LinkState.UP

    def points_at(self, yaw: float, pitch: float) -> bool:
        truth = self.mock.state()
        error = max(abs(truth["yaw_rad"] - yaw), abs(truth["pitch_rad"] - pitch))
        return truth["is_still"] and error < TOLERANCE_RAD

    def reads_the_truth(self) -> bool:
        truth, reading = self.mock.state(), self.state().attitude
        return (
            self.is_up()
            and reading is not None
            and abs(reading.yaw_rad - truth["yaw_rad"]) < TOLERANCE_RAD
            and abs(reading.pitch_rad - truth["pitch_rad"]) < TOLERANCE_RAD
        )


@pytest.fixture
def terminal(tmp_path: Path) -> str:
    return str(tmp_path / "ttyGimbal")


@contextmanager
def running(
    line: str, terminal: str, model: str = "zr10", speed: float = 1.0, attitude_hz: float = 50.0
) -> Iterator[Loop]:
    settings = DriverSettings(attitude_hz=attitude_hz)
    with BackgroundMock(model, speed, terminal=terminal if line == "pty" else "") as mock:
        url = url_of(mock, line, terminal)
        protocol = {"a40": "viewpro", "mavlink": "mavlink"}.get(model, "siyi")
        engine = Engine(build_driver(protocol, url, settings=settings), lambda: open_link(url))
        engine.start()
        try:
            loop = Loop(engine, mock)
            wait_for(loop.is_up)
            yield loop
        finally:
            engine.stop()


@pytest.mark.parametrize("line", ["tcp", "pty"])
def test_points_to_200_random_angles(line: str, terminal: str) -> None:
    rng = random.Random(7)
    with running(line, terminal, speed=40.0, attitude_hz=100.0) as loop:
        for _ in range(200):
            yaw = math.radians(rng.uniform(-133.0, 133.0))
            pitch = math.radians(rng.uniform(-23.0, 88.0))
            aim = loop.engine.call(lambda d, now, y=yaw, p=pitch: d.point(y, p, now))
            assert (aim.yaw_saturated, aim.pitch_saturated) == (False, False)
            wait_for(lambda y=yaw, p=pitch: loop.points_at(y, p))


@pytest.mark.parametrize(
    ("model", "line"),
    [("a8mini", "udp"), ("zr30", "pty"), ("a40", "tcp"), ("a40", "pty"), ("mavlink", "udp")],
)
def test_every_protocol_points_on_its_line(model: str, line: str, terminal: str) -> None:
    with running(line, terminal, model, speed=20.0) as loop:
        for yaw, pitch in ((1.0, 0.5), (-1.5, -0.2), (0.3, 1.2)):
            loop.engine.call(lambda d, now, y=yaw, p=pitch: d.point(y, p, now))
            wait_for(lambda y=yaw, p=pitch: loop.points_at(y, p))
            wait_for(loop.reads_the_truth)


def test_cut_50_times_and_back_within_2_s_each_time(terminal: str) -> None:
    with running("tcp", terminal, speed=20.0) as loop:
        slowest_s = 0.0
        for i in range(50):
            reconnects = loop.engine.reconnects
            yaw = 0.02 * (i - 25)
            loop.engine.call(lambda d, now, y=yaw: d.point(y, 0.1, now))
            loop.mock.order(cut=True)
            took_s = wait_for(
                lambda n=reconnects: loop.engine.reconnects > n and loop.reads_the_truth()
            )
            slowest_s = max(slowest_s, took_s)
            wait_for(lambda y=yaw: loop.points_at(y, 0.1))
        state = loop.state()
        assert slowest_s < 2.0
        assert (state.model, state.problems) == ("zr10", ())


def test_unplugged_cable_is_noticed_and_found_again(terminal: str) -> None:
    with running("pty", terminal) as loop:
        for _ in range(3):
            reconnects = loop.engine.reconnects
            loop.mock.order(cut=True)
            wait_for(lambda n=reconnects: loop.engine.reconnects > n and loop.is_up(), 2.0)


@pytest.mark.parametrize("fault", ["freeze", "half_open"])
def test_silent_gimbal_is_noticed_and_found_again(fault: str, terminal: str) -> None:
    with running("tcp", terminal) as loop:
        loop.mock.order(faults={fault: True})
        wait_for(lambda: loop.state().link is LinkState.STALE, 1.5)
        wait_for(lambda: loop.state().link is LinkState.HANDSHAKE, 2.0)
        loop.mock.order(faults={fault: False})
        wait_for(loop.reads_the_truth, 2.0)


def test_reboot_is_survived(terminal: str) -> None:
    with running("tcp", terminal) as loop:
        loop.mock.order(reboot=1.5)
        wait_for(lambda: not loop.is_up())
        wait_for(loop.reads_the_truth, 4.0)


def test_noise_of_one_bit_in_a_thousand_loses_no_intact_frame(terminal: str) -> None:
    with running("tcp", terminal, attitude_hz=100.0) as loop:
        loop.mock.order(faults={"noise": 1e-3, "split": True})
        wait_for(lambda: loop.mock.state()["intact_frames"] > 250)
        sent = loop.mock.order(faults={"noise": 0.0})["intact_frames"]
        wait_for(lambda: loop.engine.call(lambda d, _: d.counts())["frames"] >= sent)
        assert loop.engine.call(lambda d, _: d.counts())["bad_frames"] > 0


def test_dead_man_stops_within_300_ms(terminal: str) -> None:
    with running("tcp", terminal) as loop:
        loop.engine.call(lambda d, now: d.turn(1.5, 0.0, now))
        wait_for(lambda: loop.mock.state()["yaw_rate_rad_s"] > 1.0)
        assert wait_for(lambda: loop.mock.state()["is_still"], 1.0) < 0.3


def test_end_of_the_driver_stops_the_gimbal(terminal: str) -> None:
    with running("tcp", terminal) as loop:
        loop.engine.call(lambda d, now: d.point(2.0, 0.0, now))
        wait_for(lambda: loop.mock.state()["yaw_rate_rad_s"] > 1.0)
        loop.engine.stop()
        assert wait_for(lambda: loop.mock.state()["is_still"], 1.0) < 0.3


SLEWING = """
import sys, time
from gimbal_driver_pkg.core.build import build_driver
from gimbal_driver_pkg.core.link_state import LinkState
from gimbal_driver_pkg.links.engine import Engine
from gimbal_driver_pkg.links.link import open_link
url, how = sys.argv[1:]
engine = Engine(build_driver("siyi", url), lambda: open_link(url))
engine.start()
while engine.call(lambda d, now: d.state(now)).link is not LinkState.UP:
    time.sleep(0.01)
engine.call(lambda d, now: d.point(2.2, 0.0, now))
while True:
    if how == "rate":
        engine.call(lambda d, now: d.turn(0.6, 0.0, now))
    time.sleep(0.03)
"""


@pytest.mark.parametrize("line", ["tcp", "pty", "udp"])
@pytest.mark.parametrize("how", ["rate", "angle"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_driver_killed_or_stuck_in_a_slew_leaves_the_gimbal_still(
    line: str, how: str, number: signal.Signals, terminal: str
) -> None:
    speed = 1.0 if how == "rate" else 0.5  # slow enough to be caught on its way
    with BackgroundMock(speed=speed, terminal=terminal if line == "pty" else "") as mock:
        command = [sys.executable, "-c", SLEWING, url_of(mock, line, terminal), how]
        with subprocess.Popen(command, start_new_session=True) as process:
            try:
                wait_for(lambda: mock.state()["yaw_rate_rad_s"] > 0.5)
                os.killpg(process.pid, number)
                took_s = wait_for(lambda: mock.state()["is_still"], 2.0)
            finally:
                os.killpg(process.pid, signal.SIGKILL)
        # A stuck driver is first waited for, a quarter of a second.
        assert took_s < (0.3 if number is signal.SIGKILL else 0.55)
        assert abs(mock.state()["yaw_rad"]) < 2.1
