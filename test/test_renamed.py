"""Old names of parameters and launch arguments: refused with the names of today."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import rclpy
from ament_index_python.packages import get_package_prefix
from generated.nodes import NODES, NodeEntry
from launch_runner.cli import main as launch
from patience import patience
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

from ros_support_pkg.core.renamed import RENAMED_ARGUMENTS, refusal
from ros_support_pkg.core.settings import renamed_in, settings_of
from ros_support_pkg.parameters import ParameterError, declare_parameters

RENAMED = [
    (node, old, new)
    for node in NODES
    for old, new in renamed_in(settings_of(node.settings_class).values()).items()
]


@pytest.fixture(scope="module")
def context() -> Iterator[Context]:
    context = Context()
    rclpy.init(context=context, args=["--ros-args", "--disable-rosout-logs"])
    yield context
    context.try_shutdown()


@pytest.mark.parametrize(
    ("node", "old", "new"), RENAMED, ids=[f"{node.name}.{old}" for node, old, _ in RENAMED]
)
def test_an_old_name_is_refused_with_the_new_one(
    context: Context, node: NodeEntry, old: str, new: str
) -> None:
    given = [Parameter(old, value=1)]
    made = Node("x", context=context, parameter_overrides=given, start_parameter_services=False)
    try:
        with pytest.raises(ParameterError) as caught:
            declare_parameters(made, node.settings_class)
    finally:
        made.destroy_node()
    assert str(caught.value) == (
        f"parameter '{old}' is not known any more, it is called '{new}' now"
    )
    assert new in settings_of(node.settings_class)


LAUNCH_FILES = Path(__file__).resolve().parent.parent / "launch"
ARGUMENTS = [
    ("dev.launch.yaml", "mock"),
    ("dev.launch.yaml", "seconds"),
    *((f"{name}.launch.yaml", old) for name in ("dev", "robot") for old in ("scan", "words")),
    *((f"{name}.launch.yaml", "overrides") for name in ("dev", "robot")),
    ("robot.launch.yaml", "tier3"),
    ("replay.launch.yaml", "without"),
]


@pytest.mark.parametrize(("file", "old"), ARGUMENTS)
def test_an_old_argument_is_refused_with_the_new_one(
    file: str, old: str, capsys: pytest.CaptureFixture[str]
) -> None:
    needed = ["bag:=x"] if file == "replay.launch.yaml" else []
    assert launch([str(LAUNCH_FILES / file), f"{old}:=1", *needed]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(f"argument '{old}' {refusal(RENAMED_ARGUMENTS[old])}")


def test_every_old_argument_is_tried() -> None:
    assert {old for _, old in ARGUMENTS} == set(RENAMED_ARGUMENTS)


@pytest.mark.graph
def test_a_node_ends_with_one_line_and_status_2(ros_domain: dict[str, str], tmp_path: Path) -> None:
    """Also in a parameter file, and as another node's parameter it is left alone."""
    path = tmp_path / "old.yaml"
    path.write_text(
        "/**/scan_controller:\n  ros__parameters: {closer: 3.0}\n"
        "/**/detector:\n  ros__parameters: {iou: 0.5}\n"
    )
    program = Path(get_package_prefix("semantic_detection_pkg")) / "lib/semantic_detection_pkg"
    done = subprocess.run(
        [str(program / "scan_controller"), "--ros-args", "--params-file", str(path)],
        capture_output=True,
        text=True,
        timeout=patience(30.0),
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("error: ")] == [
        "error: parameter 'closer' is not known any more, it is called 'refine_factor' now"
    ]
    assert "Traceback" not in done.stderr
