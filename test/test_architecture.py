"""The layers: arrows go down only, and the core knows nothing but numbers."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("ros_support_pkg", "semantic_detection_pkg", "gimbal_driver_pkg", "vlm_bridge_pkg")

ROS = {
    "rclpy", "rcl_interfaces", "ament_index_python", "builtin_interfaces", "interfaces_pkg", "ros_support_pkg",
    "diagnostic_msgs", "geometry_msgs", "lifecycle_msgs", "nav_msgs", "sensor_msgs", "std_msgs", "std_srvs",
    "visualization_msgs", "cv_bridge", "tf2_ros", "vision_msgs",
}  # fmt: skip
#: Clocks, threads, files, processes, sockets: core takes them as arguments or not at all.
IMPURE = {
    "asyncio", "concurrent", "datetime", "glob", "io", "multiprocessing", "os", "pathlib", "queue", "random", "select",
    "selectors", "shutil", "signal", "socket", "subprocess", "tempfile", "threading", "time",
}  # fmt: skip
#: Layers from the top down; a module may import its own layer and those below.
RANK = {"nodes": 3, "ros": 2, "cli": 2, "core": 0, "kernels": 0, "protocol": 0}
ADAPTER = 1


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package / "src" / package).rglob("*.py"))


def layer(package: str, path: Path) -> str:
    parts = path.relative_to(ROOT / package / "src" / package).parts
    return parts[0] if len(parts) > 1 else ""


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide the layer"
            names.add(node.module or "")
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


ALL_MODULES = [
    pytest.param(package, path, id=str(path.relative_to(ROOT / package / "src")))
    for package in PACKAGES
    for path in modules(package)
]


@pytest.mark.parametrize(("package", "path"), ALL_MODULES)
def test_arrows_go_down(package: str, path: Path) -> None:
    here = RANK.get(layer(package, path), ADAPTER)
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == package and len(parts) > 1 and layer(package, path):
            there = RANK.get(parts[1], ADAPTER) if _is_folder(package, parts[1]) else 0
            assert there <= here, f"{layer(package, path)} imports {name}, which is above it"


@pytest.mark.parametrize(("package", "path"), ALL_MODULES)
def test_ros_stays_in_ros_and_nodes(package: str, path: Path) -> None:
    if package == "ros_support_pkg" or layer(package, path) in ("ros", "nodes"):
        return
    assert not {name.split(".")[0] for name in imported(path)} & ROS


@pytest.mark.parametrize(("package", "path"), ALL_MODULES)
def test_core_is_pure(package: str, path: Path) -> None:
    if layer(package, path) not in ("core", "protocol"):
        return
    roots = {name.split(".")[0] for name in imported(path)}
    allowed = {"numpy", "scipy", "skimage", "py_trees", "crcmod", "pymavlink", package}
    assert not roots & IMPURE
    assert roots <= set(sys.stdlib_module_names) | allowed


@pytest.mark.parametrize(("package", "path"), ALL_MODULES)
def test_ultralytics_is_never_imported(package: str, path: Path) -> None:
    assert not {name.split(".")[0] for name in imported(path)} & {"ultralytics", "torch"}


@pytest.mark.parametrize("package", PACKAGES)
def test_nodes_are_thin(package: str) -> None:
    for path in modules(package):
        if layer(package, path) == "nodes":
            assert len(path.read_text().splitlines()) <= 220, f"{path.name} does more than convert"


def test_the_check_can_fail(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("import time\nfrom rclpy.node import Node\n")
    assert {name.split(".")[0] for name in imported(bad)} & ROS == {"rclpy"}
    assert {name.split(".")[0] for name in imported(bad)} & IMPURE == {"time"}


def _is_folder(package: str, name: str) -> bool:
    return (ROOT / package / "src" / package / name).is_dir()
