"""The robot's own config.yaml on a laptop: only the ends differ, by the environment."""

import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
from free_port import free_port
from launch_runner.packages import package_executable
from patience import patience
from ros_graph import GraphProbe

from interfaces_pkg.msg import Detections, GimbalState
from ros_support_pkg.qos import SENSOR_DATA

pytestmark = pytest.mark.graph
ROOT = Path(__file__).resolve().parent.parent


def test_the_robots_config_runs_here(
    probe: GraphProbe, ros_domain: dict[str, str], tmp_path: Path
) -> None:
    port = free_port()
    gimbal = subprocess.Popen(
        ["ros2", "run", "gimbal_driver_pkg", "mock_gimbal", "--tcp", str(port)],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    command = [
        str(package_executable("semantic_detection_pkg", "bringup")),
        *("--config", str(ROOT / "config" / "config.yaml")),
        "source:=fake:64x48?rate=10",
        f"model:={ROOT / 'models' / 'demo' / 'demo_detector.onnx'}",
        f"mock_address:=127.0.0.1:{port}",
        f"shared_dir:={tmp_path}",
        f"output_dir:={tmp_path / 'recordings'}",
        "dashboard:=false",
    ]
    environment = {"INFERENCE_ENGINE": "onnxruntime", "GIMBAL_MODE": "mock_tcp"}
    robot = subprocess.Popen(
        command,
        env={**os.environ, **ros_domain, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    detections = probe.listen(Detections, "detections", SENSOR_DATA)
    states = probe.listen(GimbalState, "gimbal/state", SENSOR_DATA)
    try:
        probe.wait_for(lambda: detections, "detections", 60.0)
        probe.wait_for(
            lambda: any(state.link == GimbalState.LINK_UP for state in states), "the gimbal"
        )
        ring = tmp_path / "recordings" / "ring"
        probe.wait_for(lambda: any(ring.glob("*.mcap")), "the recorder", 60.0)
    finally:
        # As a container is stopped: SIGTERM to the main process alone.
        nodes = psutil.Process(robot.pid).children(recursive=True)
        robot.terminate()
        text, _ = robot.communicate(timeout=patience(30.0))
        os.killpg(gimbal.pid, signal.SIGINT)
        gimbal.wait(patience(10.0))
    assert list(detections[0].vocabulary) == [
        *("person", "tent", "vehicle", "boat", "smoke", "footpath")
    ]
    assert "Traceback" not in text, text
    assert robot.returncode == 0, text
    assert len(nodes) >= 8
    assert not [node for node in nodes if node.is_running()]
    assert (ring / "metadata.yaml").exists(), "the bag is closed"
    assert "(SIGKILL)" not in text
    assert "sending signal 'SIGTERM'" not in text, text
