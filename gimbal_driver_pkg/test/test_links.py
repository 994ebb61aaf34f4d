"""Lines that cannot be opened, break, or fall silent; and who stops the gimbal then."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator

import pytest
from fake_line import FakeLine
from patience import patience, wait_until
from pymavlink.dialects.v20 import common as mav

from gimbal_driver_pkg.core.build import build_driver
from gimbal_driver_pkg.core.driver import GimbalDriver
from gimbal_driver_pkg.core.settings import DriverSettings
from gimbal_driver_pkg.errors import InvalidValueError, LinkError
from gimbal_driver_pkg.links.driver_runner import DriverRunner
from gimbal_driver_pkg.links.last_will import SILENCE_S, LastWill
from gimbal_driver_pkg.links.opening import open_link
from gimbal_driver_pkg.protocol.siyi.dialect import SIYI
from ros_support_pkg.core.words import LinkState

STOP = SIYI.write("gimbal_rotation", {})
HARDWARE_ID = SIYI.write("hardware_id", {"id_ascii": "6B01"})
ATTITUDE = SIYI.write("attitude", {"yaw_deg_wire": 10.0})


@pytest.fixture
def line() -> FakeLine:
    return FakeLine()


@contextlib.contextmanager
def running(line: FakeLine, silence_s: float) -> Iterator[DriverRunner]:
    settings = DriverSettings(link_timeout_s=silence_s, boot_timeout_s=silence_s, command_hz=200.0)
    runner = DriverRunner(
        build_driver("siyi", "fake", settings=settings), line.open, has_last_will=False
    )
    runner.start()
    try:
        yield runner
    finally:
        runner.stop()


@pytest.fixture
def runner(line: FakeLine) -> Iterator[DriverRunner]:
    """An runner that takes a line for dead only long after a test is over."""
    with running(line, silence_s=60.0) as runner:
        yield runner


def link_state(runner: DriverRunner) -> LinkState:
    return runner.call(lambda d, now: d.state(now)).link


def bring_up(line: FakeLine, runner: DriverRunner, opened: int) -> None:
    def is_up() -> bool:
        # On a busy machine the line may fall silent, and open anew, before a word is heard.
        state = link_state(runner)
        if line.opened >= opened and state in (LinkState.HANDSHAKE, LinkState.STALE):
            with contextlib.suppress(BrokenPipeError):  # let go of since
                line.say(HARDWARE_ID + ATTITUDE)
        return line.opened >= opened and state is LinkState.UP

    wait_until(is_up)


def test_line_that_cannot_be_opened_is_tried_again(line: FakeLine, runner: DriverRunner) -> None:
    bring_up(line, runner, opened=1)
    line.can_open = False
    line.hang_up()
    wait_until(lambda: runner.error == "cannot open fake: switched off")
    assert link_state(runner) is LinkState.DOWN
    line.can_open = True
    bring_up(line, runner, opened=2)
    assert runner.error == ""
    assert runner.reconnects == 1


def test_hung_up_line_is_opened_again(line: FakeLine, runner: DriverRunner) -> None:
    for opened in (1, 2, 3):
        bring_up(line, runner, opened)
        line.hang_up()
    wait_until(lambda: line.opened >= 4, "the line, for the fourth time")


def test_line_that_cannot_be_read_is_opened_again(line: FakeLine, runner: DriverRunner) -> None:
    bring_up(line, runner, opened=1)
    line.can_read = False
    line.say(ATTITUDE)
    wait_until(lambda: link_state(runner) is LinkState.DOWN)
    line.can_read = True
    bring_up(line, runner, opened=2)


def test_line_that_cannot_be_written_is_opened_again(line: FakeLine, runner: DriverRunner) -> None:
    bring_up(line, runner, opened=1)
    line.can_write = False
    runner.call(lambda d, now: d.point(0.1, 0.1, now))
    wait_until(lambda: line.opened >= 2)
    line.can_write = True
    bring_up(line, runner, opened=line.opened)


def test_silent_line_is_opened_again(line: FakeLine) -> None:
    with running(line, silence_s=0.3) as runner:
        bring_up(line, runner, opened=1)
        opened = line.opened
        wait_until(lambda: line.opened > opened, "the line to be opened again")


def test_every_frame_is_one_write_and_the_last_is_a_stop(
    line: FakeLine, runner: DriverRunner
) -> None:
    bring_up(line, runner, opened=1)
    runner.call(lambda d, now: d.point(1.0, 0.1, now))
    runner.stop()
    assert all(frame.startswith(b"\x55\x66") for frame in line.frames)
    assert all(len(frame) == 10 + frame[3] for frame in line.frames)
    # Until it ended, the driver asked; then the gimbal was stopped.
    assert line.frames[-1][7:] == SIYI.write("gimbal_rotation", {"seq": line.frames[-1][5]})[7:]


def test_command_leaves_in_the_callers_thread(line: FakeLine, runner: DriverRunner) -> None:
    bring_up(line, runner, opened=1)
    wait_until(lambda: runner.call(lambda d, now: now > d._motion._sent_at_s + 0.005))
    before = len(line.frames)
    runner.call(lambda d, now: d.point(1.0, 0.1, now))
    assert 0x0E in [frame[7] for frame in line.frames[before:]]


@pytest.mark.parametrize(
    ("url", "baud", "words"),
    [
        (
            "/dev/no-such-gimbal",
            115200,
            "cannot open /dev/no-such-gimbal: No such file or directory",
        ),
        ("udp://gimbal.invalid:37260", 115200, "cannot open udp://gimbal.invalid:37260: "),
        ("socket://gimbal.invalid:9090", 115200, "cannot open socket://gimbal.invalid:9090: "),
    ],
)
def test_line_that_is_not_there_is_one_clear_line(url: str, baud: int, words: str) -> None:
    with pytest.raises(LinkError) as raised:
        open_link(url, baud)
    assert str(raised.value).startswith(words)
    assert "\n" not in str(raised.value)


def test_refused_connection_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(LinkError) as raised:
        open_link(f"socket://127.0.0.1:{port}")
    assert str(raised.value) == f"cannot open socket://127.0.0.1:{port}: Connection refused"


@pytest.mark.parametrize(
    ("url", "baud", "words"),
    [
        ("/dev/ttyUSB0", 12345, "baud: 12345, allowed are 9600, 19200"),
        ("udp://nowhere", 115200, "url: 'udp://nowhere', allowed is udp://host:port"),
        ("gopher://gimbal:1", 115200, "url: 'gopher://gimbal:1', allowed are a device, socket://"),
        ("socket://gimbal", 115200, "url: 'socket://gimbal', allowed is socket://host:port"),
        ("socket://gimbal:x", 115200, "url: 'socket://gimbal:x', allowed is socket://host:port"),
    ],
)
def test_url_that_cannot_be_right_is_refused(url: str, baud: int, words: str) -> None:
    with pytest.raises(InvalidValueError) as raised:
        open_link(url, baud)
    assert str(raised.value).startswith(words)


def test_device_is_taken_for_ourselves_alone() -> None:
    master, slave = os.openpty()
    name = os.ttyname(slave)
    link = open_link(name)
    with pytest.raises(LinkError, match=f"cannot open {name}: in use by another program"):
        open_link(name)
    link.close()
    open_link(name).close()
    os.close(master)
    os.close(slave)


def test_tcp_frames_leave_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        link = open_link(f"socket://127.0.0.1:{server.getsockname()[1]}")
        with socket.socket(fileno=os.dup(link.fileno())) as same:
            assert same.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        link.close()


class Cable:
    """Both ends of a line, one of them held by a last will."""

    def __init__(self, silence_s: float) -> None:
        self.ours, self.gimbals = socket.socketpair()
        self.gimbals.settimeout(patience(10.0))
        self.will = LastWill(silence_s)
        self.will.hold(self.ours.fileno(), STOP)

    def next_frame(self) -> bytes:
        return self.gimbals.recv(len(STOP))

    def is_quiet(self) -> bool:
        self.gimbals.setblocking(False)
        try:
            return self.gimbals.recv(1) == b""
        except BlockingIOError:
            return True

    def close(self) -> None:
        self.will.close()
        self.ours.close()
        self.gimbals.close()


@pytest.fixture
def make_cable() -> Iterator[Callable[[float], Cable]]:
    cables: list[Cable] = []

    def make(silence_s: float) -> Cable:
        cables.append(Cable(silence_s))
        return cables[-1]

    yield make
    for cable in cables:
        cable.close()


def test_last_will_stops_a_moving_gimbal_when_the_driver_is_gone(
    make_cable: Callable[[float], Cable],
) -> None:
    cable = make_cable(patience(5.0))
    cable.will.beat(is_moving=True)
    cable.will._pipe.close()
    assert cable.next_frame() == STOP


def test_last_will_stops_a_moving_gimbal_when_the_driver_hangs(
    make_cable: Callable[[float], Cable],
) -> None:
    cable = make_cable(0.1)
    cable.will.beat(is_moving=True)
    assert cable.next_frame() == STOP


class NotedWill:
    """A last will that keeps what it was told."""

    def __init__(self) -> None:
        self.held: list[bytes] = []
        self.beats: list[bool] = []

    def hold(self, line_fd: int, stop_frame: bytes) -> None:
        assert os.fstat(line_fd)
        self.held.append(stop_frame)

    def beat(self, is_moving: bool) -> None:
        self.beats.append(is_moving)

    def drop(self) -> None:
        self.held.append(b"")

    def close(self) -> None:
        pass


@contextlib.contextmanager
def noted(line: FakeLine, driver: GimbalDriver) -> Iterator[tuple[DriverRunner, NotedWill]]:
    runner = DriverRunner(driver, line.open, has_last_will=False)
    runner._last_will = will = NotedWill()  # type: ignore[assignment]
    runner.start()
    try:
        yield runner, will
    finally:
        runner.stop()


def test_beats_go_on_while_nothing_else_happens(line: FakeLine) -> None:
    """A gimbal told to go far, once a second, over a line that is quiet between."""
    settings = DriverSettings(link_timeout_s=60.0, boot_timeout_s=60.0, attitude_hz=1.0)
    with noted(line, build_driver("siyi", "fake", settings=settings)) as (runner, will):
        wait_until(lambda: runner.error == "")
        runner.call(lambda d, now: d.point(1.0, 0.1, now))
        wait_until(lambda: will.beats.count(True) >= 20, "beats")
        assert runner._wait_s(runner._clock()) <= SILENCE_S / 5


@pytest.mark.parametrize(("how", "code"), [("angle", 0x0E), ("rate", 0x07)])
def test_driver_that_was_late_says_again_what_it_wanted(
    line: FakeLine, how: str, code: int
) -> None:
    """The last will may have stopped the gimbal; SIYI's angle is else said once a second."""
    settings = DriverSettings(link_timeout_s=60.0, boot_timeout_s=60.0, attitude_timeout_s=10.0)
    with noted(line, build_driver("siyi", "fake", settings=settings)) as (runner, will):
        bring_up(line, runner, opened=1)
        with runner._lock:
            runner.call(
                (lambda d, now: d.point(1.0, 0.1, now))
                if how == "angle"
                else (lambda d, now: d.turn(0.3, 0.0, now))
            )
            wait_until(lambda: runner.call(lambda d, now: d.is_moving and d.due_s() > now))
            runner._beat()
            beats, frames = len(will.beats), len(line.frames)
            runner._beat_s -= SILENCE_S + 0.1  # held up for so long
            runner._beat()
            assert will.beats[beats:][:1] == [True]
            wait_until(
                lambda: (
                    runner.call(lambda d, now: d.tick(now))
                    or code in [frame[7] for frame in line.frames[frames:]]
                )
            )


def test_last_will_holds_what_stops_the_gimbal_that_is_ours_now(line: FakeLine) -> None:
    heartbeat = mav.MAVLink_heartbeat_message(mav.MAV_TYPE_QUADROTOR, 3, 0, 0, 0, 3)
    manager = mav.MAVLink_gimbal_manager_status_message(0, 0, 171, 0, 0, 0, 0)
    with noted(line, build_driver("mavlink", "fake")) as (runner, will):
        wait_until(lambda: runner.error == "" and len(will.held) == 1)
        assert True not in will.beats  # who the gimbal is, is not known yet
        for word, target in ((heartbeat, (3, 154)), (manager, (3, 171))):
            line.say(bytes(word.pack(mav.MAVLink(None, 3, 1))))

            def is_held(target: tuple[int, int] = target) -> bool:
                stop = mav.MAVLink(None).decode(bytearray(will.held[-1]))
                return (stop.target_system, stop.target_component) == target

            wait_until(is_held)


@pytest.mark.parametrize("last_words", ["still", "dropped"])
def test_last_will_leaves_a_still_gimbal_alone(
    make_cable: Callable[[float], Cable], last_words: str
) -> None:
    cable = make_cable(patience(5.0))
    cable.will.beat(is_moving=True)
    if last_words == "still":
        cable.will.beat(is_moving=False)
    else:
        cable.will.drop()
    cable.will.close()
    assert cable.is_quiet()


def test_driver_state_is_shared_safely_between_threads(
    line: FakeLine, runner: DriverRunner
) -> None:
    bring_up(line, runner, opened=1)

    def turn(driver: GimbalDriver, now_s: float) -> tuple[int, bool]:
        left_behind = len(driver.take_frames())
        driver.turn(0.1, 0.0, now_s)
        return left_behind, driver.is_moving

    for _ in range(200):
        line.say(ATTITUDE)
        assert runner.call(turn) == (0, True)
