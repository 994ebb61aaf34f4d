"""What people hand to the demo: odd names, and videos that hold nothing."""

import os
import shlex
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
from free_port import free_port
from launch_runner import LaunchSession
from ros_graph import GraphProbe

from interfaces_pkg.msg import FrameHandle
from ros_support_pkg.qos import SENSOR_DATA
from semantic_detection_pkg.cli import bringup
from semantic_detection_pkg.cli.bringup import arguments_of, read_file
from semantic_detection_pkg.common.configuration.launching import plan_launch

WORKSPACE = Path(__file__).resolve().parent.parent
DEV = ("semantic_detection_pkg", "dev.launch.yaml")
START_TIMEOUT_S = 60.0
ODD_NAMES = ["it's", 'so "called"', "$HOME $(HOME) `date`", "two  spaces", "100%", "a#b", "ü:=ü"]


def words_of_make_demo(
    folder: Path, typed: list[str], environment: dict[str, str] | None = None
) -> list[str]:
    """What `make demo` hands to ros2. The recipe alone: what it needs is taken for built."""
    stand_in = folder / "ros2"
    stand_in.write_text('#!/bin/sh\nprintf "%s\\0" "$@"\n')
    stand_in.chmod(0o755)
    done = subprocess.run(
        ["make", "--silent", "-o", "build", "demo", "WORKSPACE=true", *typed],
        cwd=WORKSPACE,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", **(environment or {})},
        capture_output=True,
        check=True,
    )
    return done.stdout.decode().split("\0")


@pytest.mark.parametrize("name", ODD_NAMES)
@pytest.mark.parametrize("way", ["argument", "environment"])
def test_make_hands_on_what_was_typed(tmp_path: Path, name: str, way: str) -> None:
    given = {"SOURCE": f"images:{name}?loop=1", "MODEL": f"{name}.onnx"}
    if way == "environment":
        words = words_of_make_demo(tmp_path, [], given)
    else:
        words = words_of_make_demo(tmp_path, [f"{key}={value}" for key, value in given.items()])

    assert f"source:=images:{name}?loop=1" in words
    assert f"model:={name}.onnx" in words
    assert "mock_gimbal:=false" in words


@pytest.mark.parametrize(
    ("source", "mock_gimbal"),
    [
        ("sim:7", "true"),
        ("photo:a b.jpg?hfov=70", "true"),
        ("images:photo:x", "false"),
        ("device:0", "false"),
    ],
)
def test_a_made_world_has_a_gimbal_to_look_around_with(
    tmp_path: Path, source: str, mock_gimbal: str
) -> None:
    assert f"mock_gimbal:={mock_gimbal}" in words_of_make_demo(tmp_path, [f"SOURCE={source}"])


def test_bringup_says_what_it_starts_without_the_password(capsys: pytest.CaptureFixture) -> None:
    config = str(WORKSPACE / "config" / "config.dev.yaml")
    typed = ["source:=rtsp://u:se/c'r et@host/s", "model:=a b.onnx"]

    assert bringup.main(["--config", config, "--check", *typed]) == 0

    said = capsys.readouterr().out.splitlines()[0]
    assert {"model:=a b.onnx", "source:=rtsp://***@host/s"} <= set(shlex.split(said))


@pytest.fixture
def arguments(tmp_path: Path) -> dict[str, str]:
    port = free_port()
    config = WORKSPACE / "config" / "config.dev.yaml"
    return {
        **arguments_of(plan_launch(read_file(config), {})),
        "mock_gimbal": "false",
        "mock_port": str(port),
        "save_dir": str(tmp_path / "out"),
        "shared_dir": str(tmp_path),
        "record": "false",
        "dashboard": "false",
    }


@pytest.mark.long
@pytest.mark.graph
@pytest.mark.timeout(180)
def test_a_video_without_a_frame_ends_the_demo_with_a_status(
    tmp_path: Path, arguments: dict[str, str], ros_domain: dict[str, str]
) -> None:
    path = tmp_path / "cut.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (64, 48))
    for value in range(0, 100, 20):
        writer.write(np.full((48, 64, 3), value, np.uint8))
    writer.release()
    data = path.read_bytes()
    start, end = data.index(b"mdat") + 4, data.index(b"moov") - 4
    path.write_bytes(data[:start] + bytes(end - start) + data[end:])

    with LaunchSession(DEV, {**arguments, "source": f"file:{path}", "duration_s": "5"}) as session:
        assert session.wait(START_TIMEOUT_S) not in (0, None)
        said = [line for line in session.lines if "the source ended without a frame" in line]
        assert said, "\n".join(session.lines)
        assert not [line for line in session.lines if "Traceback" in line]


@pytest.mark.long
@pytest.mark.graph
@pytest.mark.timeout(180)
def test_pictures_in_a_folder_of_an_odd_name_are_seen(
    tmp_path: Path, arguments: dict[str, str], probe: GraphProbe
) -> None:
    folder = tmp_path / 'it\'s $HOME "here" `x`  $(var source)'
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), np.full((48, 64, 3), 90, np.uint8))
    handles = probe.listen(FrameHandle, "camera/frames", SENSOR_DATA)

    with LaunchSession(DEV, {**arguments, "source": f"images:{folder}?loop=1"}):
        probe.wait_for(lambda: handles, "a frame", START_TIMEOUT_S)
        assert (handles[0].width, handles[0].height) == (64, 48)
