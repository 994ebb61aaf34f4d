"""A line to the autopilot alone, with its thread: we listen at a port, somebody speaks to it."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from functools import partial

import pytest
from free_port import free_port
from patience import wait_until

from gimbal_driver_pkg.core.settings import VehicleSettings
from gimbal_driver_pkg.core.vehicle_line import VehicleLine
from gimbal_driver_pkg.core.vehicle_watch import VehicleFix, VehicleWatch
from gimbal_driver_pkg.errors import InvalidValueError, LinkError
from gimbal_driver_pkg.links.driver_runner import DriverRunner
from gimbal_driver_pkg.links.opening import open_link
from gimbal_driver_pkg.mock.conversation import MockGimbal
from gimbal_driver_pkg.mock.mavlink import MavlinkConversation
from gimbal_driver_pkg.mock.vehicle import MockVehicle
from gimbal_driver_pkg.models import MODELS
from gimbal_driver_pkg.protocol.mavlink.codec import MavlinkCodec

Runner = DriverRunner[VehicleLine]


@contextlib.contextmanager
def listening(url: str) -> Iterator[Runner]:
    line = VehicleLine(MavlinkCodec(), VehicleWatch(VehicleSettings()))
    runner = DriverRunner(line, partial(open_link, url), has_last_will=False)
    runner.start()
    try:
        yield runner
    finally:
        runner.stop()


class Router:
    """Speaks to a port of ours from a port of its own, and hears what is said to that."""

    def __init__(self, port: int, latitude_deg: float) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.connect(("127.0.0.1", port))
        gimbal = MockGimbal.create(MODELS["mavlink"], time.monotonic())
        gimbal.vehicle = MockVehicle(latitude_deg, 8.5, 434.0)
        self._conversation = MavlinkConversation(gimbal, time.monotonic())

    def go_on(self) -> None:
        now_s = time.monotonic()
        frames = self._conversation.push(now_s)
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            while True:
                frames += self._conversation.receive(self.socket.recv(4096), now_s)
        with contextlib.suppress(ConnectionRefusedError):  # nobody listens yet
            for frame in frames:
                self.socket.send(frame)


def fix_of(runner: Runner) -> VehicleFix | None:
    return runner.call(lambda line, now_s: line.watch.fix(now_s))


def heard_from(router: Router, runner: Runner, latitude_deg: float) -> bool:
    router.go_on()
    fix = fix_of(runner)
    return fix is not None and fix.latitude_deg == latitude_deg


@pytest.mark.long
def test_who_speaks_to_our_port_is_asked_and_heard_and_may_be_another_later() -> None:
    port = free_port()
    with listening(f"udpin://127.0.0.1:{port}") as runner:
        router = Router(port, 47.25)
        wait_until(partial(heard_from, router, runner, 47.25), "a position")
        router.socket.close()
        later = Router(port, 47.5)  # from another port: the router was started again
        wait_until(partial(heard_from, later, runner, 47.5), "a position from its other port")
        assert runner.error == ""
        later.socket.close()


def test_rubbish_at_our_port_is_counted(capfd: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    with listening(f"udpin://127.0.0.1:{port}") as runner:
        wait_until(lambda: runner.error == "", "the port")
        router = Router(port, 47.25)
        for size in (0, 1, 300, 4096):
            router.socket.send(bytes(range(256)) * 16 if size == 4096 else b"\xfd" * size)
        wait_until(partial(heard_from, router, runner, 47.25), "a position")
        figures = runner.call(lambda line, now_s: line.figures(now_s))
        assert int(str(figures["skipped_bytes"])) > 0
        router.socket.close()
    assert "Traceback" not in capfd.readouterr().err


def test_a_port_in_use_is_one_line() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        url = f"udpin://127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(LinkError, match=f"cannot open {url}: ") as caught:
            open_link(url)
        assert "\n" not in str(caught.value)
        with listening(url) as runner:
            wait_until(lambda: "in use" in runner.error, "the reason")


@pytest.mark.parametrize("url", ["udpin://", "udpin://127.0.0.1", "udpin://:x", "udpin://h:70000"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidValueError, match="allowed is udpin://"):
        open_link(url)
