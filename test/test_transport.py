"""How messages travel: no node becomes deaf through shared memory that went wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from launch_runner.plan import make_plan
from ros_graph import GraphProbe
from std_msgs.msg import String

ROOT = Path(__file__).resolve().parents[1]
VARIABLE = "FASTRTPS_DEFAULT_PROFILES_FILE"
#: Nodes that send or take whole pictures as messages.
IMAGE_NODES = {"camera", "detector"}
#: Tells once how many of Fast DDS's ports in shared memory it has, and goes on.
TALKER = """\
import rclpy
from std_msgs.msg import String
from ros_support_pkg.timers import every
rclpy.init()
node = rclpy.create_node("talker")
publisher = node.create_publisher(String, "ports", 1)
def tell():
    ports = {line.split()[-1] for line in open("/proc/self/maps") if "fastrtps_port" in line}
    publisher.publish(String(data=str(len(ports))))
every(node, 0.1, tell)
rclpy.spin(node)
"""


def profiles(tmp_path: Path) -> dict[str, str]:
    """Return the profile's file name of each node of the robot's graph."""
    plan = make_plan(ROOT / "launch" / "robot.launch.yaml", {}, tmp_path)
    return {
        one.label.rpartition("-")[0]: Path(one.environment[VARIABLE]).name for one in plan.processes
    }


def test_only_nodes_with_pictures_have_shared_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    found = profiles(tmp_path)
    assert set(found) > IMAGE_NODES
    for name, profile in found.items():
        assert profile == ("fastdds_images.xml" if name in IMAGE_NODES else "fastdds.xml"), name


def test_who_has_a_profile_of_his_own_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "/etc/mine.xml")
    assert set(profiles(tmp_path).values()) == {"mine.xml"}


@pytest.mark.parametrize("profile", ["fastdds.xml", "fastdds_loopback.xml"])
def test_profiles_of_nodes_have_one_transport(profile: str) -> None:
    texts = [one.text for one in ElementTree.parse(ROOT / "config" / profile).iter() if one.text]
    kinds = [text for text in texts if text in ("UDPv4", "UDPv6", "TCPv4", "TCPv6", "SHM")]
    assert kinds == ["UDPv4"]


@pytest.mark.graph
def test_nodes_hear_each_other_without_shared_memory(
    ros_domain: dict[str, str], probe: GraphProbe
) -> None:
    heard = probe.listen(String, "ports", 10)
    with subprocess.Popen([sys.executable, "-c", TALKER]) as talker:
        try:
            probe.wait_for(lambda: heard, "a message")
            assert {one.data for one in list(heard)} == {"0"}
        finally:
            talker.kill()
