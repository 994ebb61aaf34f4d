"""What a node imports before its first work: large libraries only where it needs them at once.

Each costs tenths of a second and tens of MB, in every process that starts.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from generated.nodes import NODES, NodeEntry

ROOT = Path(__file__).resolve().parent.parent

#: Large libraries, and those that mean that something large was imported.
LARGE = {
    "PIL",
    "av",
    "cv2",
    "distributed",
    "fastapi",
    "jinja2",
    "jsonschema",
    "mcap",
    "onnxruntime",
    "psutil",
    "py_trees",
    "pydantic",
    "pymavlink",
    "rasterio",
    "rosbags",
    "scipy",
    "simulation_pkg",
    "skimage",
    "tensorrt",
    "tifffile",
    "tokenizers",
    "uvicorn",
}
#: Node -> those of them that it needs at once; all others must not be loaded.
NEEDS = {
    "camera": {"cv2"},
    "dashboard": {"cv2", "fastapi", "mcap", "pydantic", "uvicorn"},
    "demo_judge": {"cv2", "simulation_pkg"},
    "detector": {"cv2", "onnxruntime"},
    "gimbal_driver": set(),
    "gpu_arbiter": set(),
    "health_monitor": set(),
    "recorder": {"mcap"},
    "scan_controller": {"py_trees"},
    "tak": set(),
    "vehicle": {"pymavlink"},
    "vlm_bridge": set(),
}

#: Runs a node's program up to where the node would be made.
_PROGRAM = """
import json, sys
from importlib import import_module
import ros_support_pkg.running
ros_support_pkg.running.run_node = lambda *_, **__: 0
getattr(import_module(sys.argv[1] + ".programs"), sys.argv[2])()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def loaded_by(node: NodeEntry) -> set[str]:
    """Return the packages that a node's program has loaded when its node is to be made."""
    command = [sys.executable, "-c", _PROGRAM, node.package, node.executable]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.name)
def test_a_node_loads_no_large_library_before_it_needs_it(node: NodeEntry) -> None:
    loaded = loaded_by(node)
    assert "rclpy" in loaded, "the program has not come to its node"
    assert (loaded & LARGE) - NEEDS.get(node.name, set()) == set()


def test_every_node_is_in_the_table_with_what_exists() -> None:
    assert set(NEEDS) == {node.name for node in NODES}
    assert set().union(*NEEDS.values()) <= LARGE


def test_what_a_scan_imports_in_functions_is_what_is_preloaded() -> None:
    """A library that only a function imports would make a step of the control loop long."""
    code = (
        "import sys; from semantic_detection_pkg.scan import preloading as p; import numpy as np;"
        "p.preload();"
        "from semantic_detection_pkg.scan.core.paths.skeleton import trace_skeleton;"
        "from semantic_detection_pkg.scan.core import controller;"
        "here = set(sys.modules);"
        "trace_skeleton([np.array([[0, 0], [200, 0], [200, 20], [0, 20]], float)]);"
        "late = sorted(m for m in set(sys.modules) - here if m.count('.') < 2);"
        "assert not late, late"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_bytecode_is_written_though_the_environment_says_not_to(tmp_path: Path) -> None:
    """The build writes it once for who may not, or cannot, write it at each start."""
    code = (
        "import sys; sys.path.insert(0, 'tools/setup'); import compile_imports as c;"
        "c.modules_of_nodes = lambda: ['late_and_large']; c.LATER = (); sys.exit(c.main())"
    )
    (tmp_path / "late_and_large.py").write_text("x = 1\n")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": path}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True)
    assert list(tmp_path.glob("__pycache__/late_and_large.*.pyc"))


def test_the_nodes_modules_are_among_those_compiled() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tools/setup'); import compile_imports as c;"
        "print('\\n'.join(c.modules_of_nodes()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {
        "gimbal_driver_pkg.node",
        "semantic_detection_pkg.dashboard.node",
        "simulation_pkg.demo_judge",
        "vlm_bridge_pkg.node",
    } <= set(done.stdout.split())
