"""A robot does not need `simulation_pkg`: the product starts where it is not installed."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from ament_index_python.packages import get_package_prefix
from patience import patience

PRODUCT = "semantic_detection_pkg"
IMPORT_ALL = """
import importlib, importlib.util, pkgutil, sys

assert importlib.util.find_spec("simulation_pkg") is None, "it is still there"
failed = []
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, f"{name}."):
        if module.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(module.name)
        except ImportError as error:
            failed.append(f"{module.name}: {error}")
print(*failed, sep="\\n", end="")
"""


@pytest.fixture
def robot() -> Mapping[str, str]:
    """The environment without anything of the simulation: modules, entry points, programs."""
    return {
        name: os.pathsep.join(
            part for part in value.split(os.pathsep) if "simulation_pkg" not in Path(part).parts
        )
        for name, value in os.environ.items()
    }


def run(robot: Mapping[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=robot,
        cwd="/",  # in the workspace, the package's folder would be a namespace of its name
        capture_output=True,
        text=True,
        check=False,
        timeout=patience(90.0),  # all modules of all packages, at a go
    )


def program(name: str) -> str:
    return str(Path(get_package_prefix(PRODUCT)) / "lib" / PRODUCT / name)


@pytest.mark.long
def test_every_module_of_the_product_is_imported(robot: Mapping[str, str]) -> None:
    packages = ("ros_support_pkg", PRODUCT, "gimbal_driver_pkg", "vlm_bridge_pkg")
    ended = run(robot, sys.executable, "-c", IMPORT_ALL, *packages)
    assert (ended.returncode, ended.stdout) == (0, ""), ended.stderr


def test_programs_start_and_offer_no_fakes(robot: Mapping[str, str]) -> None:
    ended = run(robot, program("detect"), "--help")
    assert ended.returncode == 0, ended.stderr
    assert "onnxruntime, tensorrt" in " ".join(ended.stdout.split())
    assert "fake" not in ended.stdout


@pytest.mark.parametrize("source", ["sim:7", "fake:64x48"])
def test_a_camera_of_the_simulation_is_refused_by_one_line(
    robot: Mapping[str, str], source: str
) -> None:
    script = (
        "import sys; from semantic_detection_pkg.camera.sources.registry import open_camera\n"
        "from semantic_detection_pkg.errors import ConfigurationError\n"
        "try: open_camera(sys.argv[1])\n"
        "except ConfigurationError as error: print(error)"
    )
    ended = run(robot, sys.executable, "-c", script, source)
    assert ended.stdout == (
        f"camera source {source}: {source.partition(':')[0]}: needs simulation_pkg, "
        "which is not installed\n"
    )
    assert ended.stderr == ""


@pytest.mark.graph
def test_so_it_is_by_the_camera_node(robot: Mapping[str, str], ros_domain: dict[str, str]) -> None:
    ended = run({**robot, **ros_domain}, program("camera"), "--ros-args", "-p", "source:=sim:7")
    assert ended.returncode == 2, ended.stderr
    errors = [line for line in ended.stderr.splitlines() if not line.startswith("[INFO]")]
    assert errors == [
        "error: camera source sim:7: sim: needs simulation_pkg, which is not installed"
    ]


def test_an_engine_of_the_simulation_is_unknown(robot: Mapping[str, str], tmp_path: Path) -> None:
    ended = run(robot, program("detect"), "--engine", "fake", "--model", __file__, str(tmp_path))
    assert ended.returncode == 2, ended.stderr
    assert "'fake' is unknown; allowed: onnxruntime, tensorrt" in ended.stderr
    assert "Traceback" not in ended.stderr
