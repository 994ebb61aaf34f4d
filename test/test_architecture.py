"""The layers: arrows go down only, and the core knows nothing but numbers."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("ros_support_pkg", "semantic_detection_pkg", "gimbal_driver_pkg", "vlm_bridge_pkg")

ROS = {
    "rclpy",
    "rcl_interfaces",
    "ament_index_python",
    "builtin_interfaces",
    "interfaces_pkg",
    "ros_support_pkg",
    "diagnostic_msgs",
    "geometry_msgs",
    "lifecycle_msgs",
    "nav_msgs",
    "rosgraph_msgs",
    "sensor_msgs",
    "std_msgs",
    "std_srvs",
    "visualization_msgs",
    "cv_bridge",
    "tf2_ros",
    "vision_msgs",
}
#: Clocks, threads, files, processes, sockets: core takes them as arguments or not at all.
IMPURE = {
    "asyncio",
    "concurrent",
    "datetime",
    "glob",
    "io",
    "multiprocessing",
    "os",
    "pathlib",
    "queue",
    "random",
    "select",
    "selectors",
    "shutil",
    "signal",
    "socket",
    "subprocess",
    "tempfile",
    "threading",
    "time",
}
#: Pure computing that core may use; crcmod and pymavlink only compute, too.
LIBRARIES_OF_CORE = {"numpy", "scipy", "skimage", "py_trees", "crcmod", "pymavlink", "pymap3d"}
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


def roots(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)}


@pytest.mark.parametrize("package", PACKAGES)
def test_arrows_go_down(package: str) -> None:
    folders = {path.name for path in (ROOT / package / "src" / package).iterdir() if path.is_dir()}
    upward = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(package)
        for name in imported(path)
        if name.startswith(f"{package}.")
        and (target := name.split(".")[1]) in folders
        and RANK.get(target, ADAPTER) > RANK.get(layer(package, path), ADAPTER)
    ]
    assert upward == []


@pytest.mark.parametrize("package", PACKAGES)
def test_only_ros_and_nodes_know_ros(package: str) -> None:
    offenders = [
        f"{path.relative_to(ROOT)} imports {sorted(roots(path) & ROS)}"
        for path in modules(package)
        if layer(package, path) not in ("ros", "nodes") and roots(path) & ROS
    ]
    assert package == "ros_support_pkg" or offenders == []


@pytest.mark.parametrize("package", PACKAGES)
def test_core_is_pure(package: str) -> None:
    allowed = set(sys.stdlib_module_names) - IMPURE | LIBRARIES_OF_CORE | {package}
    offenders = [
        f"{path.relative_to(ROOT)} imports {sorted(roots(path) - allowed)}"
        for path in modules(package)
        if layer(package, path) in ("core", "protocol") and roots(path) - allowed
    ]
    assert offenders == []


@pytest.mark.parametrize("package", PACKAGES)
def test_training_and_agpl_libraries_are_never_imported(package: str) -> None:
    assert [path for path in modules(package) if roots(path) & {"ultralytics", "torch"}] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_nodes_are_thin(package: str) -> None:
    for path in modules(package):
        if layer(package, path) == "nodes":
            assert len(path.read_text().splitlines()) <= 220, f"{path.name} does more than convert"


def test_the_check_can_fail(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("import time\nfrom rclpy.node import Node\n")
    assert roots(bad) & ROS == {"rclpy"}
    assert roots(bad) & IMPURE == {"time"}
