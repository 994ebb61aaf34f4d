"""The main chain in real processes, beyond test/launch/detection_test.py: lifecycle, ends, demo."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from detection_checks import (
    check_detections_flow,
    check_diagnostics,
    check_lifecycle,
    write_inputs,
)
from launch_runner import LaunchSession
from patience import patience
from ros_graph import GraphProbe

from interfaces_pkg.msg import Detections
from ros_support_pkg.qos import SENSOR_DATA

pytestmark = pytest.mark.graph
ROBOT = ("semantic_detection_pkg", "robot.launch.yaml")
DEV = ("semantic_detection_pkg", "dev.launch.yaml")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("inputs")
    source, model = write_inputs(folder)
    return {
        "source": source,
        "model": str(model),
        "engine": "onnxruntime",
        "gimbal": "false",
        "shared_dir": str(folder),
        "record": "false",
        "dashboard": "false",
    }


def _for_the_demo(inputs: dict[str, str]) -> dict[str, str]:
    """Of the robot's arguments those that the demo has, too."""
    return {name: value for name, value in inputs.items() if name not in ("engine", "gimbal")}


@pytest.fixture
def graph(inputs: dict[str, str], probe: GraphProbe) -> Iterator[LaunchSession]:
    # What ends by itself, but late on a loaded machine, is not to be told a second time.
    with LaunchSession(ROBOT, {**inputs, "sigterm_timeout": f"{patience(5.0):g}"}) as session:
        session.wait_for_start("detector")
        yield session


def test_lifecycle(inputs: dict[str, str], probe: GraphProbe) -> None:
    with LaunchSession(ROBOT, {**inputs, "autostart": "false"}):
        check_lifecycle(probe)


def test_interrupt_ends_every_process(graph: LaunchSession, probe: GraphProbe) -> None:
    check_diagnostics(probe)
    assert graph.stop() == 0
    assert not [line for line in graph.lines if "escalating" in line], "ended by itself on SIGINT"
    assert {state.status for state in graph.processes.values()} == {0}


@pytest.mark.long
def test_killed_camera_comes_back(graph: LaunchSession, probe: GraphProbe) -> None:
    check_diagnostics(probe)
    first = graph.processes["camera-1"].pid
    graph.send("camera", signal.SIGKILL)
    graph.wait_until(
        lambda: graph.processes["camera-1"].pid != first, "a new camera", timeout_s=30.0
    )
    check_detections_flow(probe)


@pytest.mark.long
def test_a_detector_that_was_stopped_and_continued_sees_on(
    graph: LaunchSession, probe: GraphProbe
) -> None:
    """As by a debugger, `docker pause` or the machine's suspend."""
    detections = probe.listen(Detections, "detections", SENSOR_DATA)
    probe.wait_for(lambda: detections, "detections")
    before = graph.processes["detector-2"]
    for _ in range(3):
        graph.send("detector", signal.SIGSTOP)
        probe.wait_for(lambda: _state_of(before.pid) == "T", "a process that is stopped")
        graph.send("detector", signal.SIGCONT)
        probe.wait_for(lambda: _state_of(before.pid) != "T", "a process that goes on")
        detections.clear()
        probe.wait_for(lambda: len(detections) > 5, "detections after the stop")
    assert graph.processes["detector-2"].pid == before.pid, "the same process, not a new one"


def _state_of(pid: int) -> str:
    """Return the letter that the kernel has for the state of a process (man 5 proc)."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


@pytest.mark.long
def test_demo_ends_by_itself_with_pictures_and_a_summary(
    inputs: dict[str, str], ros_domain: dict[str, str], tmp_path: Path
) -> None:
    given = {
        "mock_gimbal": "false",
        "duration_s": f"{patience(1.0):.0f}",
        "save_dir": str(tmp_path / "pictures"),
    }
    with LaunchSession(DEV, {**_for_the_demo(inputs), **given}) as session:
        assert session.wait(timeout_s=60.0) == 0
        summary = json.loads(session.lines_of("demo_judge")[-1])
    assert summary["frames"] > 0
    assert {"red", "green"} <= set(summary["classes"])
    assert summary["detections"] == sum(summary["classes"].values())
    assert list((tmp_path / "pictures").glob("*.jpg"))


@pytest.mark.long
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"model": "missing.onnx"}, "cannot configure: model missing.onnx: does not exist"),
        ({"source": "telepathy:0"}, "scheme 'telepathy' is unknown; allowed: "),
        ({"source": "images:/nowhere"}, "error: images:/nowhere: is not a folder"),
        ({"classes": "['purple']"}, "'purple' is unknown; known: red, green, blue"),
    ],
)
def test_mistake_is_one_line_and_ends_the_demo(
    inputs: dict[str, str],
    ros_domain: dict[str, str],
    tmp_path: Path,
    arguments: dict[str, str],
    line: str,
) -> None:
    given = {**_for_the_demo(inputs), "mock_gimbal": "false", "save_dir": str(tmp_path)}
    with LaunchSession(DEV, {**given, **arguments}) as session:
        assert session.wait(timeout_s=60.0) == 2
        assert sum(line in text for text in session.lines) == 1
        assert not [text for text in session.lines if "Traceback" in text]
