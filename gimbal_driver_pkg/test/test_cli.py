"""decode and encode, as a person at a terminal uses them."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from typing import Any

import pytest
from patience import patience

from gimbal_driver_pkg.cli import decode, encode
from gimbal_driver_pkg.cli.hextext import HexReader

ATTITUDE = "5566020c0007000dd4fe3efe0200000000000000a727"


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command in process with text on standard input; return status, lines, errors."""

    def run(module: Any, text: str, *arguments: str) -> tuple[int, list[str], str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        status = module.main(arguments)
        output = capsys.readouterr()
        return status, output.out.splitlines(), output.err

    return run


def test_all_golden_frames_go_round(cli: Any, golden_frames: list[dict[str, Any]]) -> None:
    for protocol in ("siyi", "viewpro", "viewpro_tcp"):
        for direction in ("to_gimbal", "from_gimbal"):
            rows = [
                r for r in golden_frames if (r["protocol"], r["direction"]) == (protocol, direction)
            ]
            text = "\nrubbish \n".join(row["hex"] for row in rows)
            options = ("--protocol", protocol, "--direction", direction)
            status, lines, _ = cli(decode, text, *options)
            assert status == 0
            assert [json.loads(line)["command"] for line in lines] == [r["command"] for r in rows]
            status, frames, errors = cli(encode, "\n".join(lines), "--protocol", protocol)
            assert (status, errors) == (0, "")
            assert frames == [row["hex"] for row in rows]


@pytest.mark.parametrize(
    "text",
    [
        ATTITUDE,
        ATTITUDE.upper(),
        " ".join(ATTITUDE[i : i + 2] for i in range(0, len(ATTITUDE), 2)),
        "\n".join(ATTITUDE[i : i + 7] for i in range(0, len(ATTITUDE), 7)),
        ", ".join("0x" + ATTITUDE[i : i + 2] for i in range(0, len(ATTITUDE), 2)),
        f"RX: {ATTITUDE} <- from the camera",
        f"deadbeef55{ATTITUDE}",
        f"[{ATTITUDE}]",
        f"abc {ATTITUDE} abc",
        f"12:34:56.789 {ATTITUDE}",
        f"{ATTITUDE[:20]} is the first part\n{ATTITUDE[20:]}",
    ],
)
def test_hex_is_found_in_any_dress(cli: Any, text: str) -> None:
    _, lines, _ = cli(decode, text, "--direction", "from_gimbal")
    assert [json.loads(line)["hex"] for line in lines] == [ATTITUDE]


def test_byte_cut_by_a_line_break_is_joined() -> None:
    reader = HexReader()
    assert reader.feed("55 6") + reader.feed("6 01") == b"\x55\x66\x01"


def test_frame_hidden_in_an_unfinished_one_is_found_at_the_end(cli: Any) -> None:
    _, lines, errors = cli(decode, "5566024000" + ATTITUDE)
    assert len(lines) == 1
    assert "1 frames" in errors
    assert "5 of 27 bytes skipped" in errors


def test_unknown_command_is_told_and_goes_round(cli: Any) -> None:
    frame = cli(encode, '{"command": "unknown", "fields": {"cmd_id": "0xEE", "data": "0102"}}')[1]
    (line,) = cli(decode, frame[0])[1]
    record = json.loads(line)
    assert record["command"] == "unknown"
    assert (record["fields"]["cmd_id"], record["fields"]["data"]) == ("0xEE", "0102")
    assert cli(encode, line)[1] == frame


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("nonsense", "line 1: not JSON"),
        ("[]", 'line 1: allowed is {"command"'),
        ('{"command": "center", "fields": 3}', "line 1: fields: 3, allowed is an object"),
        ('{"command": "dance", "fields": {}}', "line 1: command 'dance' is not known; known are"),
        (
            '{"command": "gimbal_rotation", "fields": {"yaw_rate": 300}}',
            "line 1: yaw_rate: 300, allowed is a whole number -128..127",
        ),
        (
            '{"command": "set_angles", "fields": {"yaw": 3}}',
            "line 1: set_angles has no field 'yaw'; it has pitch_deg_wire, yaw_deg",
        ),
        (
            '{"command": "set_angles", "fields": {"yaw_deg_wire": NaN}}',
            "line 1: yaw_deg_wire: nan, allowed is a number -3276.8..3276.7",
        ),
        ('{"command": "center", "fields": {"seq": 70000}}', "line 1: seq: 70000, allowed is"),
        ('{"command": "center", "fields": {"data": "zz"}}', "line 1: data: 'zz', allowed is hexa"),
        ('{"command": "unknown", "fields": {}}', "line 1: an unknown command needs its data field"),
    ],
)
def test_bad_line_is_one_clear_line(cli: Any, line: str, words: str) -> None:
    status, frames, errors = cli(encode, line)
    assert (status, frames) == (1, [])
    assert errors.startswith(words)
    assert errors.count("\n") == 1


def test_good_lines_around_a_bad_one_are_encoded(cli: Any) -> None:
    text = '{"command": "center"}\noops\n\n{"command": "center"}\n'
    status, frames, errors = cli(encode, text)
    assert (status, len(frames)) == (1, 2)
    assert errors.startswith("line 2:")


def test_reader_that_goes_away_ends_it_quietly() -> None:
    command = [sys.executable, "-m", "gimbal_driver_pkg.cli.decode"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.write((ATTITUDE + "\n") * 3)
        process.stdin.close()
        assert process.stderr.read() == ""
        assert process.wait(patience(20.0)) == 0
