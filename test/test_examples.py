"""The programs of examples/ do what they say."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from ament_index_python.packages import get_package_prefix
from gpu_graph import Stub, write_launch_file
from launch_runner import LaunchSession
from patience import patience
from ros_graph import GraphProbe
from sensor_msgs.msg import CameraInfo

from interfaces_pkg.msg import Finding, GpuState
from ros_support_pkg.qos import RECORD, SENSOR_DATA, STATE

pytestmark = pytest.mark.graph

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=patience(60.0)
    )


def test_findings_are_printed(probe: GraphProbe) -> None:
    publisher = probe.node.create_publisher(Finding, "findings", RECORD)
    finding = Finding(id="f1", revision=2, state=Finding.STATE_CONFIRMED, class_name="tent")
    finding.score, finding.bearing.yaw_rad = 0.875, 0.25
    publisher.publish(finding)
    ended = run("findings.py", "--count", "1")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == (
        "f1 revision 2: tent confirmed, score 0.88, yaw 0.250 rad, pitch 0.000 rad\n"
    )


@pytest.mark.long
def test_a_question_is_answered(probe: GraphProbe, tmp_path: Path) -> None:
    picture = tmp_path / "picture.jpg"
    cv2.imwrite(str(picture), np.zeros((48, 64, 3), np.uint8))
    states = probe.listen(GpuState, "gpu/state", STATE)
    stub = Stub(tmp_path)
    stub.start()
    try:
        with LaunchSession(write_launch_file(tmp_path), timeout_s=60.0):
            probe.wait_for(
                lambda: [s for s in states if s.owner == GpuState.OWNER_DETECTOR], "the detector"
            )
            ended = run("ask_vlm.py", str(picture), "tent")
    finally:
        stub.stop()
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("yes, confidence ")
    assert ended.stdout.endswith(": it is there\n")


def test_nobody_to_ask_is_said(ros_domain: dict[str, str], tmp_path: Path) -> None:
    picture = tmp_path / "picture.jpg"
    cv2.imwrite(str(picture), np.zeros((48, 64, 3), np.uint8))
    ended = run("ask_vlm.py", str(picture), "tent", "--timeout-s", "0.5")
    assert ended.returncode == 1
    assert ended.stderr == "nobody takes questions on vlm/ask; is vlm_bridge running?\n"


@pytest.fixture
def with_own_camera(tmp_path: Path) -> dict[str, str]:
    """The environment in which the example's package is installed."""
    source, target = tmp_path / "source", tmp_path / "installed"
    shutil.copytree(EXAMPLES / "own_camera", source)  # pip leaves files beside what it builds
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run(
        [*pip, "--no-build-isolation", "--target", str(target), str(source)],
        check=True,
        capture_output=True,
        timeout=patience(60.0),
    )
    return {**os.environ, "PYTHONPATH": f"{target}{os.pathsep}{os.environ['PYTHONPATH']}"}


@pytest.mark.long
def test_an_own_camera_is_a_source_of_the_camera_node(
    probe: GraphProbe, with_own_camera: dict[str, str]
) -> None:
    package = "semantic_detection_pkg"
    program = str(Path(get_package_prefix(package)) / "lib" / package / "camera")
    infos = probe.listen(CameraInfo, "camera/camera_info", SENSOR_DATA)
    command = [program, "--ros-args", "-p", "source:=stripes:96x64?rate=20"]
    with subprocess.Popen(command, env=with_own_camera, stderr=subprocess.PIPE) as camera:
        try:
            probe.wait_for(lambda: bool(infos), "a frame of the own camera")
        finally:
            camera.terminate()
            camera.communicate(timeout=patience(10.0))
    assert (infos[0].width, infos[0].height) == (96, 64)


@pytest.mark.long
def test_an_own_camera_s_mistake_is_one_line(with_own_camera: dict[str, str]) -> None:
    script = (
        "from semantic_detection_pkg.camera.sources.registry import open_camera\n"
        "from semantic_detection_pkg.errors import ConfigurationError\n"
        "try: open_camera('stripes:wide')\n"
        "except ConfigurationError as error: print(error)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env=with_own_camera,
        capture_output=True,
        text=True,
        check=True,
        timeout=patience(30.0),
    )
    assert ended.stdout == "stripes:wide: must have the form stripes:WIDTHxHEIGHT\n"
