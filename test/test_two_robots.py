"""Two robots on one host and one network: what each has for itself by default."""

import re
from pathlib import Path

import pytest
import rclpy
from launch_runner.plan import make_plan
from rclpy.context import Context
from rclpy.node import Node

from ros_support_pkg.frames import in_namespace
from semantic_detection_pkg.gpu import owners

ROOT = Path(__file__).resolve().parent.parent
#: What may be the same for both: what is installed, the camera, what was asked for.
_SHARED = re.compile(r"config|\.onnx$|^/dev/|^device:|^127\.0\.0\.1:9090$")


def folders_of(namespace: str, tmp_path: Path) -> dict[str, str]:
    """Every parameter and argument of the robot's launch file that is a path."""
    folder = tmp_path / (namespace or "none")
    folder.mkdir()
    arguments = {"namespace": namespace} if namespace else {}
    plan = make_plan(ROOT / "launch" / "robot.launch.yaml", arguments, folder)
    found = {}
    for process in plan.processes:
        for word in process.command:
            name, _, value = word.partition(":=")
            if value.startswith("/./"):  # in a folder that nobody gave: empty, see the launch file
                continue
            if "/" in value and not _SHARED.search(value) and not name.startswith("__"):
                found[f"{process.label}.{name}"] = value.strip("'\"")
    for path in folder.rglob("*.yaml"):
        for name, value in re.findall(
            r"^\s*(\w+): ['\"]?(\S*/\S*?)['\"]?$", path.read_text(), re.M
        ):
            if not _SHARED.search(value):
                found[f"{path.stem}.{name}"] = value
    return found


def test_folders_sockets_and_locks_carry_the_namespace(tmp_path: Path) -> None:
    first, second = (folders_of(name, tmp_path) for name in ("r1", "r2"))
    named = list(first.values())
    for kind in ("gpu.lock", "gpu.epoch", "vlm.sock", "vlm.hold", "recordings"):
        assert any(kind in value for value in named), f"{kind} is looked at: {named}"
    assert not set(first.values()) & set(second.values())
    assert all("r1" in value for value in named)


def test_without_a_namespace_paths_stay_as_they_were(tmp_path: Path) -> None:
    paths = {Path(value).as_posix() for value in folders_of("", tmp_path).values()}
    assert {"/run/tier3/gpu.lock", "/run/tier3/vlm.sock", "output/recordings"} <= paths


@pytest.mark.parametrize(
    ("namespace", "frame", "expected"),
    [
        ("", "gimbal_base", "gimbal_base"),
        ("/r1", "gimbal_base", "r1/gimbal_base"),
        ("/r1", "r1/gimbal_base", "r1/gimbal_base"),
        ("/fleet/r1", "camera_optical_frame", "fleet/r1/camera_optical_frame"),
    ],
)
def test_frames_carry_the_namespace(
    ros_domain: dict[str, str], namespace: str, frame: str, expected: str
) -> None:
    context = Context()
    rclpy.init(context=context, domain_id=int(ros_domain["ROS_DOMAIN_ID"]))
    node = Node("n", namespace=namespace, context=context, use_global_arguments=False)
    try:
        assert in_namespace(node, frame) == expected
    finally:
        node.destroy_node()
        context.try_shutdown()


def test_owners_differ_by_domain_and_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", "7")
    assert owners.robot("/") == owners.robot("") == "robot 7 /"
    assert len({owners.robot("/"), owners.robot("/r1"), owners.robot("/r2")}) == 3
    ours = owners.robot("/r1")
    monkeypatch.setenv("ROS_DOMAIN_ID", "8")
    assert owners.robot("/r1") != ours
    assert owners.model("/run/tier3//r1/gpu.epoch") == owners.model("/run/tier3/r1/gpu.epoch")
