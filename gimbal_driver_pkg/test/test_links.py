"""Lines that cannot be opened, break, or fall silent; and who stops the gimbal then."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Iterator

import pytest
from fake_line import FakeLine
from patience import patience, wait_until

from gimbal_driver_pkg.core.build import build_driver
from gimbal_driver_pkg.core.driver import GimbalDriver
from gimbal_driver_pkg.core.settings import DriverSettings
from gimbal_driver_pkg.errors import InvalidValueError, LinkError
from gimbal_driver_pkg.links.engine import Engine
from gimbal_driver_pkg.links.last_will import LastWill
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
def running(line: FakeLine, silence_s: float) -> Iterator[Engine]:
    settings = DriverSettings(link_timeout_s=silence_s, boot_timeout_s=silence_s, command_hz=200.0)
    engine = Engine(build_driver("siyi", "fake", settings=settings), line.open, has_last_will=False)
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()


@pytest.fixture
def engine(line: FakeLine) -> Iterator[Engine]:
    """An engine that takes a line for dead only long after a test is over."""
    with running(line, silence_s=60.0) as engine:
        yield engine


def link_state(engine: Engine) -> LinkState:
    return engine.call(lambda d, now: d.state(now)).link


def bring_up(line: FakeLine, engine: Engine, opened: int) -> None:
    def is_up() -> bool:
        # On a busy machine the line may fall silent, and open anew, before a word is heard.
        state = link_state(engine)
        if line.opened >= opened and state in (LinkState.HANDSHAKE, LinkState.STALE):
            with contextlib.suppress(BrokenPipeError):  # let go of since
                line.say(HARDWARE_ID + ATTITUDE)
        return line.opened >= opened and state is LinkState.UP

    wait_until(is_up)


def test_line_that_cannot_be_opened_is_tried_again(line: FakeLine, engine: Engine) -> None:
    bring_up(line, engine, opened=1)
    line.can_open = False
    line.hang_up()
    wait_until(lambda: engine.error == "cannot open fake: switched off")
    assert link_state(engine) is LinkState.DOWN
    line.can_open = True
    bring_up(line, engine, opened=2)
    assert engine.error == ""
    assert engine.reconnects == 1


def test_hung_up_line_is_opened_again(line: FakeLine, engine: Engine) -> None:
    for opened in (1, 2, 3):
        bring_up(line, engine, opened)
        line.hang_up()
    wait_until(lambda: line.opened >= 4, "the line, for the fourth time")


def test_line_that_cannot_be_read_is_opened_again(line: FakeLine, engine: Engine) -> None:
    bring_up(line, engine, opened=1)
    line.can_read = False
    line.say(ATTITUDE)
    wait_until(lambda: link_state(engine) is LinkState.DOWN)
    line.can_read = True
    bring_up(line, engine, opened=2)


def test_line_that_cannot_be_written_is_opened_again(line: FakeLine, engine: Engine) -> None:
    bring_up(line, engine, opened=1)
    line.can_write = False
    engine.call(lambda d, now: d.point(0.1, 0.1, now))
    wait_until(lambda: line.opened >= 2)
    line.can_write = True
    bring_up(line, engine, opened=line.opened)


def test_silent_line_is_opened_again(line: FakeLine) -> None:
    with running(line, silence_s=0.3) as engine:
        bring_up(line, engine, opened=1)
        opened = line.opened
        wait_until(lambda: line.opened > opened, "the line to be opened again")


def test_every_frame_is_one_write_and_the_last_is_a_stop(line: FakeLine, engine: Engine) -> None:
    bring_up(line, engine, opened=1)
    engine.call(lambda d, now: d.point(1.0, 0.1, now))
    engine.stop()
    assert all(frame.startswith(b"\x55\x66") for frame in line.frames)
    assert all(len(frame) == 10 + frame[3] for frame in line.frames)
    # Until it ended, the driver asked; then the gimbal was stopped.
    assert line.frames[-1][7:] == SIYI.write("gimbal_rotation", {"seq": line.frames[-1][5]})[7:]


def test_command_leaves_in_the_callers_thread(line: FakeLine, engine: Engine) -> None:
    bring_up(line, engine, opened=1)
    wait_until(lambda: engine.call(lambda d, now: now > d._motion._sent_at_s + 0.005))
    before = len(line.frames)
    engine.call(lambda d, now: d.point(1.0, 0.1, now))
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


def test_driver_state_is_shared_safely_between_threads(line: FakeLine, engine: Engine) -> None:
    bring_up(line, engine, opened=1)

    def turn(driver: GimbalDriver, now_s: float) -> tuple[int, bool]:
        left_behind = len(driver.take_frames())
        driver.turn(0.1, 0.0, now_s)
        return left_behind, driver.is_moving

    for _ in range(200):
        line.say(ATTITUDE)
        assert engine.call(turn) == (0, True)
