"""bringup as a main process: signals go on, orphans are ended and reaped, nothing is left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from patience import patience, wait_until

from ros_support_pkg.core.renamed import RENAMED_ARGUMENTS
from semantic_detection_pkg.cli.bringup import main

CONFIG = Path(__file__).parents[3] / "config" / "config.yaml"

#: In the place of `ros2 launch`: two nodes, which SIGINT ends one after the other, in its order.
#: SIGTERM leaves them alone, as `ros2 launch` does.
LAUNCH = """
import os, signal, subprocess, sys
node = '''
import os, signal, sys
def end(*_):
    with open(sys.argv[1], "a") as file: file.write(sys.argv[2] + " ended in order" + chr(10))
    sys.exit(0)
signal.signal(signal.SIGINT, end)
os.write(1, (sys.argv[2] + " up" + chr(10)).encode())
while True: signal.pause()
'''
nodes = [subprocess.Popen([sys.executable, "-c", node, sys.argv[1], name]) for name in "ab"]
def stop(*_):
    for one in nodes:
        one.send_signal(signal.SIGINT)
        one.wait()
    sys.exit(3)
signal.signal(signal.SIGINT, stop)
while True: signal.pause()
"""
MAIN = """
import os, sys
from semantic_detection_pkg.cli import main_process
if len(sys.argv) > 3:
    main_process._ORPHANS_TERM_S = main_process._TERM_S = float(sys.argv[3])
    main_process._ORPHANS_KILL_S = main_process._KILL_S = 2 * float(sys.argv[3])
command = [sys.executable, "-c", sys.argv[1], sys.argv[2]]
times = [main_process.USUAL_TIMEOUT_S + float(one) for one in sys.argv[4:]]
sys.exit(main_process.run_as_main_process(command, os.environ, *times))
"""


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / "record"


@pytest.fixture
def started(record: Path) -> Iterator[subprocess.Popen[str]]:
    with start(LAUNCH, record) as process:
        yield process
        kill_all(process)


def start(program: str, record: Path, *more: str) -> subprocess.Popen[str]:
    """Start a main process, and wait until its two nodes are up."""
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, program, str(record), *more],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert sorted(process.stdout.readline() for _ in range(2)) == ["a up\n", "b up\n"]
    return process


def kill_all(process: subprocess.Popen[str]) -> None:
    if psutil.pid_exists(process.pid):
        for one in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # it has ended meanwhile
                one.kill()
        process.kill()


def below(process: subprocess.Popen[str]) -> list[psutil.Process]:
    found: list[psutil.Process] = psutil.Process(process.pid).children(recursive=True)
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_end_all_in_order(
    started: subprocess.Popen[str], record: Path, number: signal.Signals
) -> None:
    children = below(started)
    started.send_signal(number)
    assert started.wait(patience(20.0)) == 3, "the command's status"
    assert record.read_text().splitlines() == ["a ended in order", "b ended in order"]
    assert not [one for one in children if one.is_running()]


def test_nodes_of_a_killed_launch_end_in_order_and_are_reaped(
    started: subprocess.Popen[str], record: Path
) -> None:
    launch, *nodes = below(started)
    launch.kill()
    assert started.wait(patience(20.0)) == 128 + signal.SIGKILL
    assert sorted(record.read_text().splitlines()) == ["a ended in order", "b ended in order"]
    assert not [one for one in nodes if one.is_running()]


def test_orphans_are_reaped_while_the_command_runs(tmp_path: Path) -> None:
    """A first process of a container that does not reap fills the table of processes."""
    program = LAUNCH.replace(
        "def stop", 'subprocess.run(["sh", "-c", "sleep 0.2 & exit 0"])\ndef stop'
    )
    with start(program, tmp_path / "record") as process:
        wait_until(lambda: len(below(process)) == 3, "the orphan's end and its reaping")
        kill_all(process)


def test_a_killed_main_process_takes_the_command_with_it(
    started: subprocess.Popen[str], record: Path
) -> None:
    started.kill()
    wait_until(
        lambda: record.exists() and len(record.read_text().splitlines()) == 2, "the nodes' end"
    )


@pytest.mark.long
def test_what_does_not_end_is_killed(record: Path) -> None:
    deaf = LAUNCH.replace("signal.signal(signal.SIGINT, end)", "").replace(
        "os.write(1", "[signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; os.write(1"
    )
    with start(deaf, record, "1") as process:
        children = below(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(patience(20.0)) in (3, 128 + signal.SIGTERM, 128 + signal.SIGKILL)
        assert not [one for one in children if one.is_running()]


@pytest.mark.long
def test_a_launch_that_was_given_longer_is_waited_for_longer(record: Path) -> None:
    """`sigterm_timeout:=60` was of no use: what was not done after 12 s got a SIGTERM anyway."""
    slow = LAUNCH.replace("def end(*_):", "def end(*_):\n    import time; time.sleep(1.5)")
    with start(slow, record, "1", f"{patience(20.0)}") as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(patience(20.0)) == 3, "the command's status, not that of a signal"
    assert record.read_text().splitlines() == ["a ended in order", "b ended in order"]


def test_the_usual_signals_for_the_child_even_where_ours_are_ignored(tmp_path: Path) -> None:
    """A shell starts background jobs with SIGINT ignored: nodes that inherit it never end."""
    command = [sys.executable, "-c", MAIN, LAUNCH, str(tmp_path / "record")]
    script = (
        "import signal, os, sys; signal.signal(signal.SIGINT, signal.SIG_IGN);"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, *command], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert len([process.stdout.readline() for _ in range(2)]) == 2
        process.send_signal(signal.SIGINT)
        assert process.wait(patience(20.0)) == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sorce:=device:1"], "argument 'sorce' is not known; is 'source' meant?; allowed is "),
        (["gimball:=false"], "argument 'gimball' is not known; is 'gimbal' meant?; allowed is "),
        (["sigterm_timeout:=soon"], "argument 'sigterm_timeout' is 'soon', allowed is 0 s or more"),
        (["sigkill_timeout:=-1"], "argument 'sigkill_timeout' is '-1', allowed is 0 s or more"),
        (["xyz:=1"], "argument 'xyz' is not known; allowed is autostart, autostart_scan, "),
        (["--launch-file", "robt.launch.yaml"], "--launch-file 'robt.launch.yaml', allowed is dev"),
        (["--launch-file", "../launch/robot.launch.yaml"], "--launch-file '../launch/robot.launch"),
    ],
)
def test_a_typo_in_an_argument_is_named(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """`ros2 launch` takes any name and ignores it."""
    assert main(["--config", str(CONFIG), "--check", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {said}")
    assert error.count("\n") == 1


@pytest.mark.parametrize("words", [["sigterm_timeout:=9"], ["source:=device:1", "vlm:=false"]])
def test_what_is_declared_is_taken(words: list[str]) -> None:
    assert main(["--config", str(CONFIG), "--check", *words]) == 0


def test_bringup_says_what_doctor_says(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["--config", str(CONFIG), "--check", f"shared_dir:={tmp_path / 'none'}"]
    assert main(words) == 0
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith(" BAD  shared")] == [
        f" BAD  shared   {tmp_path / 'none'} is no folder: tier 3 is off -> "
        "mount the volume vlm-socket there, or launch with vlm:=false"
    ]
    assert main([*words, "vlm:=false"]) == 0
    assert "shared" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("photos", "camera source 'photos': a scheme such as"),
        ("http://u:secret@h/s", "camera source http://***@h/s: scheme 'http' is unknown"),
        ("rtsp://u:secret", "rtsp://***: must have the form rtsp://USER:PASSWORD@HOST"),
        ("images:x?loop", "option 'loop' must have the form"),
    ],
)
def test_a_camera_that_can_never_work_is_said_before_the_start(
    source: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--config", str(CONFIG), "--check", f"source:={source}"]) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if "camera" in line]
    assert len(lines) == 1
    assert lines[0].startswith(" BAD  camera")
    assert said in lines[0]
    assert "secret" not in lines[0]


def test_a_calibration_that_can_never_work_is_said_before_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("camera: {source: 'sim:7', calibration_file: none.yaml}\n")
    assert main(["--config", str(config), "--check"]) == 0
    assert " BAD  camera   calibration file none.yaml: no such file" in capsys.readouterr().err


def test_names_of_before_are_not_among_those_that_are_allowed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--config", str(CONFIG), "--check", "xyz:=1"]) == 2
    allowed = capsys.readouterr().err.partition("allowed is ")[2].strip().split(", ")
    assert not RENAMED_ARGUMENTS.keys() & set(allowed)


def test_the_status_of_a_required_process_is_bringups(tmp_path: Path) -> None:
    """`ros2 launch` ends with 0 after a shutdown; launch/required.launch.py leaves the status.

    In a process of its own: a main process ends all that is left below it, a test's helpers, too.
    """
    (tmp_path / "ros2").write_text('#!/bin/sh\necho 7 > "$TMPDIR/exit_status"\nexit 0\n')
    (tmp_path / "ros2").chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "semantic_detection_pkg.cli.bringup", "--config", str(CONFIG)],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        check=False,
        timeout=patience(20.0),
    )
    assert done.returncode == 7
