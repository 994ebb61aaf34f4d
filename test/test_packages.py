"""The packages as colcon and rosdep see them."""

import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parent.parent
BUILD_TYPES = {
    "interfaces_pkg": "ros.ament_cmake",
    "ros_support_pkg": "ros.ament_python",
    "semantic_detection_pkg": "ros.ament_python",
    "gimbal_driver_pkg": "ros.ament_python",
    "vlm_bridge_pkg": "ros.ament_python",
    "simulation_pkg": "ros.ament_python",
}


def test_build_types() -> None:
    # A package.xml that catkin_pkg rejects is ignored silently: the type falls to (python).
    output = subprocess.run(
        ["colcon", "list"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    found = {line.split()[0]: line.split()[-1].strip("()") for line in output.splitlines()}
    assert found == BUILD_TYPES


def dependencies(package: str) -> set[str]:
    manifest = ElementTree.parse(ROOT / package / "package.xml").getroot()
    return {element.text or "" for element in manifest if element.tag.endswith("depend")}


@pytest.mark.parametrize("package", BUILD_TYPES)
def test_rosdep_keys_are_known_to_resolve(package: str) -> None:
    lines = (ROOT / "test" / "snapshots" / "rosdep_keys.txt").read_text().splitlines()
    assert dependencies(package) <= set(lines) | set(BUILD_TYPES)


@pytest.mark.parametrize("package", BUILD_TYPES)
def test_dependencies_are_declared(package: str) -> None:
    """What the modules import of our own packages and of ROS stands in package.xml."""
    from test_architecture import ROS, modules, roots

    ours = set(BUILD_TYPES) - {package}
    used = set().union(*(roots(path) for path in modules(package))) & (ROS | ours)
    assert used - {package} <= dependencies(package)


def test_what_the_launch_files_start_is_declared() -> None:
    """Packages of nodes, and those of rviz2's displays."""
    launched = set[str]()
    for path in (ROOT / "launch").glob("*.launch.yaml"):
        launched |= set(re.findall(r"^\s*(?:- node: \{)?pkg: (\w+)", path.read_text(), re.M))
    rviz = (ROOT / "config" / "semantic_detection.rviz").read_text()
    launched |= set(re.findall(r"Class: (rviz_\w+)/", rviz)) - {"rviz_common"}
    if "/compressed" in rviz:
        launched.add("compressed_image_transport")
    assert {"rviz2", "robot_state_publisher"} <= launched
    assert launched - set(BUILD_TYPES) <= dependencies("semantic_detection_pkg")
