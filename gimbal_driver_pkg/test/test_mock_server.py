"""The mock gimbal as a program: lines, clients, control, faults, bad arguments."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import serial
from patience import patience, wait_until

from gimbal_driver_pkg.cli import mock_gimbal
from gimbal_driver_pkg.errors import InvalidValueError
from gimbal_driver_pkg.mock.faults import FaultyLine, InjectedFaults
from gimbal_driver_pkg.protocol.framing import Deframer
from gimbal_driver_pkg.protocol.siyi.dialect import SIYI

ATTITUDE = SIYI.write("request_attitude", {})
TIMEOUT_S = patience(10.0)


@contextmanager
def program(*arguments: str) -> Iterator[dict[str, Any]]:
    """Run the program; yield its process and the ports by kind."""
    command = [sys.executable, "-m", "gimbal_driver_pkg.cli.mock_gimbal", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found: dict[str, Any] = {"process": process}
        for line in process.stdout:
            if match := re.match(r"listening on (\w+) \S*:(\d+)", line):
                found[match[1]] = int(match[2])
            if line == "ready\n":
                break
        try:
            yield found
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(TIMEOUT_S) == 0


def control(port: int, orders: dict[str, Any]) -> dict[str, Any]:
    with socket.create_connection(("127.0.0.1", port)) as line, line.makefile("rwb") as stream:
        stream.write(json.dumps(orders).encode() + b"\n")
        stream.flush()
        return json.loads(stream.readline())


def replies(read: Callable[[], bytes], count: int) -> list[bytes]:
    deframer, frames = Deframer(SIYI.wire), []
    end_s = time.monotonic() + TIMEOUT_S
    while len(frames) < count and time.monotonic() < end_s:
        frames += deframer.feed(read())
    return frames


def test_several_clients_on_all_lines_see_the_same_gimbal(tmp_path: Path) -> None:
    terminal = str(tmp_path / "ttyGimbal")
    with (
        program("--tcp", "0", "--udp", "0", "--serial", terminal, "--control", "0") as mock,
        socket.create_connection(("127.0.0.1", mock["tcp"])) as first,
        socket.create_connection(("127.0.0.1", mock["tcp"])) as second,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
        serial.Serial(terminal, timeout=0.2) as cable,
    ):
        datagrams.connect(("127.0.0.1", mock["udp"]))
        first.sendall(SIYI.write("set_angles", {"yaw_deg_wire": 20.0}))

        def is_there() -> bool:
            truth = control(mock["control"], {})
            return truth["is_still"] and truth["yaw_rad"] != 0.0

        wait_until(is_there, "the gimbal to turn")
        answers = []
        for send, read in (
            (second.sendall, lambda: second.recv(4096)),
            (datagrams.send, lambda: datagrams.recv(4096)),
            (cable.write, lambda: cable.read(64)),
        ):
            send(ATTITUDE)
            answers += replies(read, 1)
        assert [answer[8:10].hex() for answer in answers] == ["c800"] * 3  # 20.0 deg
        assert control(mock["control"], {})["clients"] == 4
    assert not os.path.lexists(terminal)


def test_control_channel_tells_the_truth_and_refuses_nonsense() -> None:
    with program("--tcp", "0", "--control", "0", "--no-card") as mock:
        port = mock["control"]
        assert control(port, {"faults": {"noise": 0.01}})["faults"]["noise"] == 0.01
        assert control(port, {"camera": {"has_card": True}})["photos"] == 0
        assert "error" in control(port, {"faults": {"smoke": 1}})
        assert "allowed is 0..1" in control(port, {"faults": {"noise": 2}})["error"]
        assert "allowed are faults, camera, cut, reboot" in control(port, {"dance": 1})["error"]
        assert "speed: 0.0, allowed is 0.01..100" in control(port, {"speed": 0})["error"]
        assert "error" in control(port, {"speed": "slow"})
        assert "allowed is a bool" in control(port, {"faults": {"freeze": 1}})["error"]


def test_port_in_use_is_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert mock_gimbal.main(["--tcp", str(port)]) == 1
    assert capsys.readouterr().err == (
        f"mock_gimbal: cannot listen on tcp 127.0.0.1:{port}: Address already in use\n"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "zr99"], "model: 'zr99', allowed are a2mini, a40, a8mini"),
        (["--model", "a40", "--protocol", "siyi"], "model a40 speaks viewpro, not siyi"),
        (["--tcp", "70000"], "tcp: 70000, allowed is 0..65535"),
        (["--speed", "0"], "speed: 0.0, allowed is 0.01..100"),
        (["--noise", "3"], "noise: 3.0, allowed is 0..1"),
        (["--serial", "/etc/hostname"], "cannot offer a serial line as /etc/hostname"),
    ],
)
def test_bad_argument_is_one_clear_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mock_gimbal.main([*arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"mock_gimbal: {words}")
    assert error.count("\n") == 1


def frames(count: int) -> list[bytes]:
    return [SIYI.write("attitude", {"seq": i, "yaw_deg_wire": i / 10}) for i in range(count)]


def through(faults: InjectedFaults, count: int = 400) -> tuple[list[bytes], FaultyLine]:
    line, deframer = FaultyLine(seed=3), Deframer(SIYI.wire)
    sent = line.send(frames(count), faults)
    return [f for _, data in sent for f in deframer.feed(data)], line


def test_line_without_faults_changes_nothing() -> None:
    found, line = through(InjectedFaults())
    assert found == frames(400)
    assert line.intact_frames == 400


@pytest.mark.parametrize("faults", [InjectedFaults(noise=1e-3), InjectedFaults(drop=1e-3)])
def test_damage_is_counted_and_the_rest_arrives(faults: InjectedFaults) -> None:
    found, line = through(faults)
    assert 200 < line.intact_frames < 400
    assert len(found) >= line.intact_frames


def test_split_replies_arrive_whole_and_in_order() -> None:
    line = FaultyLine(seed=3)
    pieces = line.send(frames(3), InjectedFaults(split=True, delay_s=0.1))
    assert len(pieces) > 1
    assert b"".join(data for _, data in pieces) == b"".join(frames(3))
    times = [delay_s for delay_s, _ in pieces]
    assert times == sorted(times)
    assert times[0] == 0.1


@pytest.mark.parametrize("faults", [InjectedFaults(freeze=True), InjectedFaults(half_open=True)])
def test_silent_faults_let_nothing_through(faults: InjectedFaults) -> None:
    line = FaultyLine(seed=3)
    assert line.send(frames(3), faults) == []
    assert line.receive(b"abc", faults) == b""


def test_equal_seeds_give_equal_damage() -> None:
    one, other = through(InjectedFaults(noise=1e-3)), through(InjectedFaults(noise=1e-3))
    assert one[0] == other[0]


@pytest.mark.parametrize(
    "change", [{"noise": -1}, {"noise": "much"}, {"split": 1}, {"delay_s": 61}]
)
def test_faults_are_checked(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidValueError, match="allowed is"):
        InjectedFaults().changed(change)
