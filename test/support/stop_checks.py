"""What must hold of a robot that `bringup` runs, and after it was told to stop.

Shared by `test/launch/bringup_test.py` (SIGINT) and `test/launch/stop_test.py` (SIGTERM). Its
gimbal is a mock in the test's own process, so slow that it is still under way when the robot has
ended, unless it was stopped.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import launched
import psutil
import yaml
from launch.actions import ExecuteProcess
from mcap.reader import make_reader
from robot_nodes import ROBOT_NODES
from ros_graph import GraphProbe

from gimbal_driver_pkg.mock.background import BackgroundMock
from interfaces_pkg.msg import Detections, GimbalAngle, GimbalState
from ros_support_pkg.qos import COMMAND, SENSOR_DATA

CONFIG = Path(__file__).resolve().parents[2] / "config" / "config.yaml"
#: Times life's speed: 0.02 rad/s, more than a minute and a half to `FAR_RAD`.
SLOW = 0.01
FAR_RAD = 2.0
#: What `bringup` below starts.
NODES = tuple(name for name in ROBOT_NODES if name != "dashboard")


def slow_gimbal() -> BackgroundMock:
    """Return the mock; it is to be entered."""
    return BackgroundMock("zr10", SLOW)


def bringup(folder: Path, mock: BackgroundMock) -> ExecuteProcess:
    """Return `bringup` with the robot's own config.yaml; the ends differ, by the environment."""
    return ExecuteProcess(
        cmd=[
            launched.program("semantic_detection_pkg", "bringup"),
            *("--config", str(CONFIG)),
            "source:=fake:64x48?rate=10",
            f"model:={launched.DETECTOR}",
            f"mock_address:=127.0.0.1:{mock.tcp_port}",
            f"shared_dir:={folder}",
            f"output_dir:={folder / 'recordings'}",
            "dashboard:=false",
            f"sigterm_timeout:={launched.stop_timeout_s():.1f}",
        ],
        name="bringup",
        output="both",
        additional_env={"INFERENCE_ENGINE": "onnxruntime", "GIMBAL_MODE": "mock_tcp"},
    )


def check_all_is_there(probe: GraphProbe, folder: Path) -> dict[str, psutil.Process]:
    """The robot sees, turns and records; return its processes by name."""
    processes = launched.wait_for_running(NODES)
    detections = probe.listen(Detections, "detections", SENSOR_DATA)
    states = probe.listen(GimbalState, "gimbal/state", SENSOR_DATA)
    probe.wait_for(lambda: detections, "detections", launched.START_TIMEOUT_S)
    assert list(detections[0].vocabulary) == [
        *("person", "tent", "vehicle", "boat", "smoke", "footpath")
    ], "as the robot's config.yaml and the demo's model say"
    probe.wait_for(lambda: states and states[-1].link == GimbalState.LINK_UP, "the gimbal")
    ring = folder / "recordings" / "ring"
    probe.wait_for(lambda: any(ring.iterdir()) if ring.exists() else False, "the recorder")
    return processes


def begin_slew(probe: GraphProbe, mock: BackgroundMock) -> None:
    """Send the gimbal far away and wait until it is under way."""
    angles = probe.node.create_publisher(GimbalAngle, "gimbal/cmd_angle", COMMAND)

    def is_under_way() -> bool:
        angles.publish(GimbalAngle(yaw_rad=FAR_RAD))
        return not mock.state()["is_still"]

    probe.wait_for(is_under_way, "the slew")


def check_stopped(
    mock: BackgroundMock, folder: Path, processes: Collection[psutil.Process], said: str
) -> None:
    """The robot has ended by itself, its gimbal stands, its recording is whole."""
    assert not [one for one in processes if one.is_running()], "nothing is left"
    state = mock.state()
    assert state["is_still"], "the gimbal was stopped"
    assert abs(state["yaw_rad"]) < FAR_RAD - 0.1, "before it was where it was to go"
    ring = folder / "recordings" / "ring"
    assert (ring / "metadata.yaml").exists(), "the bag is closed"
    listed = yaml.safe_load((ring / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    segments = set(listed["relative_file_paths"])
    assert {path.name for path in ring.iterdir()} == {"metadata.yaml", *segments}
    for path in ring.glob("*.mcap"):
        with path.open("rb") as file:
            summary = make_reader(file).get_summary()
        assert summary is not None, f"{path.name} has its index: the segment was closed"
    for trouble in ("Traceback", "sending signal 'SIGTERM'", "'SIGKILL'"):
        assert trouble not in said, said
