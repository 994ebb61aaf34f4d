"""Nodes that share a process, as the launch file puts them together and as they run."""

from __future__ import annotations

import itertools
import signal
from pathlib import Path

import pytest
from detection_checks import write_inputs
from launch_runner import LaunchSession
from launch_runner.plan import make_plan
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from ros_graph import GraphProbe

from interfaces_pkg.msg import Detections, GpuState
from ros_support_pkg.qos import SENSOR_DATA, STATE
from ros_support_pkg.sharing import split_words

LAUNCH = Path(__file__).resolve().parents[1] / "launch" / "robot.launch.yaml"
SWITCHES = ("gimbal", "vlm", "record", "dashboard", "tak", "vehicle")
#: What must outlive the others: a camera, a model and a line that take long to come back, the last
#: will of the gimbal, what is being written. And what may not wait for them: the control loop.
ALONE = {"camera", "detector", "gimbal_driver", "recorder", "scan_controller", "vehicle"}
START_TIMEOUT_S = 60.0


def processes(folder: Path, **arguments: str) -> list[tuple[str, ...]]:
    """Return the nodes of each process that a robot has."""
    folder.mkdir(parents=True)
    found = []
    for process in make_plan(LAUNCH, arguments, folder).processes:
        name = Path(process.command[0]).name
        shared = tuple(split_words(process.command[1:])[0]) if name == "nodes" else (name,)
        found.append(shared)
    return found


@pytest.mark.parametrize("off", [(), *((one,) for one in SWITCHES), SWITCHES], ids=" ".join)
def test_each_node_runs_once_whoever_shares_a_process(off: tuple[str, ...], tmp_path: Path) -> None:
    arguments = {name: str(name not in off).lower() for name in SWITCHES}
    each, few, one = (
        processes(tmp_path / layout, processes=layout, **arguments)
        for layout in ("each", "few", "one")
    )
    nodes = sorted(itertools.chain(*each))
    assert len(nodes) == len(set(nodes)) == len(each)
    assert sorted(itertools.chain(*few)) == nodes
    assert sorted(itertools.chain(*one)) == nodes
    assert {node for node in nodes if (node,) in few} - {"health_monitor"} == ALONE & set(nodes)
    assert len(one) == 1 + ("vehicle" in nodes)


@pytest.mark.long
@pytest.mark.graph
def test_a_shared_process_that_dies_comes_back_with_all_its_nodes(
    tmp_path: Path, probe: GraphProbe
) -> None:
    source, model = write_inputs(tmp_path)
    arguments = {
        "processes": "few",
        "source": source,
        "model": str(model),
        "engine": "onnxruntime",
        "gimbal": "false",
        "record": "false",
        "dashboard_port": "0",
        "shared_dir": str(tmp_path),
        "output_dir": str(tmp_path / "recordings"),
    }
    shared = ("health_monitor", "gpu_arbiter", "vlm_bridge", "dashboard")
    detections = probe.listen(Detections, "detections", SENSOR_DATA)
    states = probe.listen(GpuState, "gpu/state", STATE)

    def arbiter_is_active() -> bool:
        answer = probe.call(GetState, "gpu_arbiter/get_state", GetState.Request())
        return bool(answer.current_state.id == State.PRIMARY_STATE_ACTIVE)

    def all_are_there() -> bool:
        found = probe.node.get_node_names()
        return all(found.count(name) == 1 for name in (*shared, "camera", "detector"))

    with LaunchSession(("semantic_detection_pkg", "robot.launch.yaml"), arguments) as launch:
        probe.wait_for(lambda: detections, "detections", START_TIMEOUT_S)
        probe.wait_for(all_are_there, "all nodes", START_TIMEOUT_S)
        assert arbiter_is_active()
        before = {name: launch.wait_for_start(name).pid for name in (*shared, "camera", "detector")}
        assert len({before[name] for name in shared}) == 1
        assert len(set(before.values())) == 3
        launch.send("gpu_arbiter", signal.SIGKILL)
        probe.wait_for(
            lambda: launch.wait_for_start("dashboard").pid != before["dashboard"], "another process"
        )
        states.clear()
        probe.wait_for(
            lambda: states and states[-1].owner == GpuState.OWNER_DETECTOR,
            "the detector to have the GPU again",
            START_TIMEOUT_S,
        )
        assert arbiter_is_active()
        probe.wait_for(all_are_there, "all nodes again", START_TIMEOUT_S)
        # Who does not share it has not noticed.
        assert [launch.wait_for_start(name).pid for name in ("camera", "detector")] == [
            before["camera"],
            before["detector"],
        ]
        detections.clear()
        probe.wait_for(lambda: len(detections) > 2, "detections", START_TIMEOUT_S)
        assert launch.stop() == 0
        ends = [line for line in launch.lines if "process has" in line]
        assert ["exit code -9" in line for line in ends] == [True, *[False] * (len(ends) - 1)]
        assert all("finished cleanly" in line for line in ends[1:]), ends
        assert not [line for line in launch.lines if "Traceback" in line]
