"""Driver and mock gimbal over real lines: TCP sockets and pseudo-terminals, in real time.

How soon things happen is tested in simulated time (test_driver_motion, test_driver_contact): here
the machine may be late. What must have happened shows in where the gimbal stands: one that turns so
slowly that it needs ten seconds to its limit was stopped if it stands before that.
"""

from __future__ import annotations

import math
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from patience import patience, wait_until

from gimbal_driver_pkg.core.build import build_driver
from gimbal_driver_pkg.core.driver import GimbalDriver
from gimbal_driver_pkg.core.settings import DriverSettings
from gimbal_driver_pkg.core.state import GimbalState
from gimbal_driver_pkg.links.driver_runner import DriverRunner
from gimbal_driver_pkg.links.opening import open_link
from gimbal_driver_pkg.mock.background import BackgroundMock
from ros_support_pkg.core.words import LinkState

TOLERANCE_RAD = math.radians(0.5)
#: [rad/s] and how many times as slow as life that is; a tenth of the way to a limit in a second.
SLOW_RAD_S, SLOWNESS = 0.2, 0.1


def url_of(mock: BackgroundMock, line: str, terminal: str) -> str:
    return {
        "tcp": f"socket://127.0.0.1:{mock.tcp_port}",
        "udp": f"udp://127.0.0.1:{mock.udp_port}",
        "pty": terminal,
    }[line]


class Loop:
    """A running driver and the mock at the other end of its line."""

    def __init__(self, runner: DriverRunner, mock: BackgroundMock) -> None:
        self.runner = runner
        self.mock = mock

    def state(self) -> GimbalState:
        return self.runner.call(GimbalDriver.state)

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
    settings = DriverSettings(
        attitude_hz=attitude_hz,
        link_timeout_s=min(60.0, patience(1.0)),
        boot_timeout_s=min(60.0, patience(5.0)),
    )
    with BackgroundMock(model, speed, terminal=terminal if line == "pty" else "") as mock:
        url = url_of(mock, line, terminal)
        protocol = {"a40": "viewpro", "mavlink": "mavlink"}.get(model, "siyi")
        runner = DriverRunner(
            build_driver(protocol, url, settings=settings), lambda: open_link(url)
        )
        runner.start()
        try:
            loop = Loop(runner, mock)
            wait_until(loop.is_up)
            yield loop
        finally:
            runner.stop()


@pytest.mark.long
@pytest.mark.parametrize("line", ["tcp", "pty"])
def test_points_to_200_random_angles(line: str, terminal: str) -> None:
    rng = random.Random(7)
    with running(line, terminal, speed=40.0, attitude_hz=100.0) as loop:
        for _ in range(200):
            yaw = math.radians(rng.uniform(-133.0, 133.0))
            pitch = math.radians(rng.uniform(-23.0, 88.0))
            aim = loop.runner.call(lambda d, now, y=yaw, p=pitch: d.point(y, p, now))
            assert (aim.yaw_saturated, aim.pitch_saturated) == (False, False)
            wait_until(lambda y=yaw, p=pitch: loop.points_at(y, p))


@pytest.mark.parametrize(
    ("model", "line"),
    [("a8mini", "udp"), ("zr30", "pty"), ("a40", "tcp"), ("a40", "pty"), ("mavlink", "udp")],
)
def test_every_protocol_points_on_its_line(model: str, line: str, terminal: str) -> None:
    with running(line, terminal, model, speed=20.0) as loop:
        for yaw, pitch in ((1.0, 0.5), (-1.5, -0.2), (0.3, 1.2)):
            loop.runner.call(lambda d, now, y=yaw, p=pitch: d.point(y, p, now))
            wait_until(lambda y=yaw, p=pitch: loop.points_at(y, p))
            wait_until(loop.reads_the_truth)


@pytest.mark.long
def test_cut_50_times_and_back_each_time(terminal: str) -> None:
    with running("tcp", terminal, speed=20.0) as loop:
        for i in range(50):
            reconnects = loop.runner.reconnects
            yaw = 0.02 * (i - 25)
            loop.runner.call(lambda d, now, y=yaw: d.point(y, 0.1, now))
            loop.mock.order(cut=True)
            wait_until(lambda n=reconnects: loop.runner.reconnects > n and loop.reads_the_truth())
            wait_until(lambda y=yaw: loop.points_at(y, 0.1))
        state = loop.state()
        assert (state.model, state.problems) == ("zr10", ())


def test_unplugged_cable_is_noticed_and_found_again(terminal: str) -> None:
    with running("pty", terminal) as loop:
        for _ in range(3):
            reconnects = loop.runner.reconnects
            loop.mock.order(cut=True)
            wait_until(lambda n=reconnects: loop.runner.reconnects > n and loop.is_up())


@pytest.mark.long
@pytest.mark.parametrize("fault", ["freeze", "half_open"])
def test_silent_gimbal_is_noticed_and_found_again(fault: str, terminal: str) -> None:
    with running("tcp", terminal) as loop:
        loop.mock.order(faults={fault: True})
        wait_until(lambda: loop.state().link is LinkState.STALE, "stale")
        wait_until(lambda: loop.state().link is LinkState.HANDSHAKE, "a new line")
        loop.mock.order(faults={fault: False})
        wait_until(loop.reads_the_truth)


def test_reboot_is_survived(terminal: str) -> None:
    with running("tcp", terminal) as loop:
        loop.mock.order(reboot=1.5)
        wait_until(lambda: not loop.is_up())
        wait_until(loop.reads_the_truth)


@pytest.mark.long
def test_noise_of_one_bit_in_a_thousand_loses_no_intact_frame(terminal: str) -> None:
    with running("tcp", terminal, attitude_hz=100.0) as loop:
        loop.mock.order(faults={"noise": 1e-3, "split": True})
        wait_until(lambda: loop.mock.state()["intact_frames"] > 250)
        sent = loop.mock.order(faults={"noise": 0.0})["intact_frames"]
        wait_until(lambda: loop.runner.call(lambda d, _: d.counts())["frames"] >= sent)
        assert loop.runner.call(lambda d, _: d.counts())["bad_frames"] > 0


def test_dead_man_stops_what_nobody_renews(terminal: str) -> None:
    with running("tcp", terminal) as loop:

        def renew() -> bool:
            loop.runner.call(lambda d, now: d.turn(SLOW_RAD_S, 0.0, now))
            return bool(loop.mock.state()["yaw_rad"] > 0.05)

        wait_until(renew, "the gimbal to turn")
        wait_until(lambda: loop.mock.state()["is_still"], "the dead-man stop")
        assert loop.mock.state()["yaw_rad"] < 2.0


def test_end_of_the_driver_stops_the_gimbal(terminal: str) -> None:
    with running("tcp", terminal, speed=SLOWNESS) as loop:
        loop.runner.call(lambda d, now: d.point(2.2, 0.0, now))
        wait_until(lambda: loop.mock.state()["yaw_rad"] > 0.05, "the slew")
        loop.runner.stop()
        wait_until(lambda: loop.mock.state()["is_still"], "the stop")
        assert loop.mock.state()["yaw_rad"] < 2.0


SLEWING = """
import sys, time
from gimbal_driver_pkg.core.build import build_driver
from gimbal_driver_pkg.core.link_state import LinkState
from gimbal_driver_pkg.links.driver_runner import DriverRunner
from gimbal_driver_pkg.links.opening import open_link
url, how = sys.argv[1:]
runner = DriverRunner(build_driver("siyi", url), lambda: open_link(url))
runner.start()
while runner.call(lambda d, now: d.state(now)).link is not LinkState.UP:
    time.sleep(0.01)
while True:
    if how == "rate":
        runner.call(lambda d, now: d.turn(0.2, 0.0, now))
    else:
        runner.call(lambda d, now: d.point(2.2, 0.0, now))
    time.sleep(0.03)
"""


@pytest.mark.parametrize("line", ["tcp", "pty", "udp"])
@pytest.mark.parametrize("how", ["rate", "angle"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_driver_killed_or_stuck_in_a_slew_leaves_the_gimbal_still(
    line: str, how: str, number: signal.Signals, terminal: str
) -> None:
    speed = 1.0 if how == "rate" else SLOWNESS
    with BackgroundMock(speed=speed, terminal=terminal if line == "pty" else "") as mock:
        command = [sys.executable, "-c", SLEWING, url_of(mock, line, terminal), how]
        with subprocess.Popen(command, start_new_session=True) as process:
            try:
                wait_until(lambda: mock.state()["yaw_rad"] > 0.05, "the slew")
                os.killpg(process.pid, number)
                wait_until(lambda: mock.state()["is_still"], "the stop")
                assert mock.state()["yaw_rad"] < 2.0
            finally:
                os.killpg(process.pid, signal.SIGKILL)
