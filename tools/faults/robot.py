"""One simulated robot in real processes, respawned as in the field and seen from outside."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from free_port import free_port
from launch_runner import LaunchSession
from launch_runner.session import RUNNER
from rclpy.qos import QoSProfile, ReliabilityPolicy
from robot_nodes import ROBOT_NODES
from ros_graph import GraphProbe
from std_srvs.srv import SetBool

from faults.kept import Kept
from interfaces_pkg.msg import Detections, Finding, ScanState
from ros_support_pkg.qos import RECORD, SENSOR_DATA, STATE
from semantic_detection_pkg.cli.bringup import read_file
from semantic_detection_pkg.common.configuration.launching import plan_launch
from semantic_detection_pkg.recorder.core.ring import RingRules

START_TIMEOUT_S = 90.0
_CONFIG = Path(__file__).resolve().parent.parent.parent / "config" / "config.dev.yaml"
_DIAGNOSTICS = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)
#: Of what the recording may hold; the rest are tables beside the files.
_FILES_SHARE = 0.97
_AT_WORK = (ScanState.LEVEL_SWEEP, ScanState.LEVEL_CLOSE)
_LAUNCH = """\
launch:
  - executable:
      cmd: "$(find-pkg-prefix gimbal_driver_pkg)/lib/gimbal_driver_pkg/mock_gimbal --tcp {port}"
      name: mock_gimbal
  - executable:
      cmd: >-
        $(find-pkg-prefix vlm_bridge_pkg)/lib/vlm_bridge_pkg/vlm_stub --socket {shared}/vlm.sock
        --lock-file {shared}/gpu.lock --epoch-file {shared}/gpu.epoch
        --look-with $(find-pkg-share semantic_detection_pkg)/models/demo_classifier.onnx
      name: vlm_stub
  - include:
      file: "$(find-pkg-share semantic_detection_pkg)/launch/robot.launch.yaml"
      arg: {arguments}
"""


class Robot:
    """Context manager around one robot at work.

    Its folders are those that the launch file chooses on a host where OUTPUT_DIR and TIER3_DIR say
    where: several robots share them by default, and what is in them is apart by namespace.

    Args:
        folder: the host's, for its files; `folder/recordings/NAMESPACE` holds what it records.
        probe: a node in the robot's domain.
        source: its camera.
        namespace: "" for none.
        environment: laid over that of its processes.
        command: before the launch runner's, as for a mount namespace of its own.
        processes: who shares one, an argument of robot.launch.yaml.
        shared_dir: typed, so without the namespace below it; None: as the launch file says.

    Attributes:
        ring_bytes: see `Kept.ring_bytes`.
    """

    def __init__(
        self,
        folder: Path,
        probe: GraphProbe,
        source: str = "sim:7?width=640&height=360&rate=5",
        namespace: str = "",
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] = (),
        processes: str = "each",
        shared_dir: Path | None = None,
    ) -> None:
        self.probe = probe
        self.recordings = folder / "recordings" / namespace
        self._prefix = f"{namespace}/" if namespace else ""
        ring_mb = read_file(_CONFIG)["recorder"]["max_ring_mb"]
        budget = ring_mb * 1_000_000 - RingRules().segment_bytes
        self.ring_bytes = round(_FILES_SHARE * budget)
        path = folder / f"{namespace or 'robot'}.launch.yaml"
        path.write_text(_launch_file(folder, source, namespace, processes, shared_dir))
        host = {"OUTPUT_DIR": str(folder / "recordings"), "TIER3_DIR": str(folder / "shared")}
        self.session = LaunchSession(
            path,
            env={**host, **(environment or {})},
            timeout_s=START_TIMEOUT_S,
            command=(*command, *RUNNER),
        )
        self._states = probe.listen(ScanState, f"{self._prefix}scan/state", STATE)
        self._detections = probe.listen(Detections, f"{self._prefix}detections", SENSOR_DATA)
        self._findings = probe.listen(Finding, f"{self._prefix}findings", RECORD)
        self._diagnostics = probe.listen(DiagnosticArray, "/diagnostics", _DIAGNOSTICS)

    def __enter__(self) -> Robot:
        self.session.__enter__()
        try:
            self.probe.wait_for(self.well_since(()), "the robot at work", START_TIMEOUT_S)
        except BaseException as error:
            self.session.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.session.__exit__(None, None, None)

    def pid(self, node: str) -> int:
        """Return the process id of a node, which nodes that share a process have in common."""
        return self.session.wait_for_start(node).pid

    def one_of_each_process(self) -> tuple[str, ...]:
        """Return the robot's nodes, of those that share a process the first one."""
        first: dict[int, str] = {}
        for node in ROBOT_NODES:
            first.setdefault(self.pid(node), node)
        return tuple(first.values())

    def deaths(self) -> int:
        """Return how many processes have ended so far."""
        return sum("process has" in line for line in self.session.lines)

    def well_since(self, replaced: Sequence[str]) -> Callable[[], bool]:
        """Return whether, since this call, all is as it should be: to be asked again and again.

        Every node has said that it is no error, those in `replaced` from a new process; frames are
        being answered; the scan is at work.
        """
        pids = {node: self.pid(node) for node in replaced}
        marks = [len(self._diagnostics), len(self._detections)]
        silent = set(ROBOT_NODES)
        seen = marks[0]

        def is_well() -> bool:
            nonlocal seen
            if any(self.pid(node) == pid for node, pid in pids.items()):
                seen = len(self._diagnostics)
                marks[1] = len(self._detections)
                return False
            for array in self._diagnostics[seen:]:
                for status in array.status:
                    node = status.name.removeprefix(self._prefix)
                    if status.level == DiagnosticStatus.ERROR:
                        silent.update({node} & set(ROBOT_NODES))
                    else:
                        silent.discard(node)
            seen = len(self._diagnostics)
            is_at_work = bool(self._states) and self._states[-1].level in _AT_WORK
            return not silent and len(self._detections) > marks[1] and is_at_work

        return is_well

    def is_asking(self) -> bool:
        """Return whether the scan waits for an operator who says that it goes on."""
        return bool(self._states) and self._states[-1].is_paused

    def agree(self) -> None:
        """Say that it goes on, as an operator does."""
        self.probe.call(SetBool, f"{self._prefix}scan/pause", SetBool.Request(data=False))

    def what_is_wrong(self) -> str:
        """Return in words what the newest messages say."""
        levels: dict[str, str] = {}
        for array in self._diagnostics[-100:]:
            for status in array.status:
                is_bad = status.level in (DiagnosticStatus.WARN, DiagnosticStatus.ERROR)
                levels[status.name] = status.message if is_bad else ""
        said = [f"{name}: {message}" for name, message in levels.items() if message]
        state = self._states[-1] if self._states else None
        scan = f"scan level {state.level}: {state.reason}" if state else "no scan state"
        return "; ".join([scan, *said])

    def kept(self) -> Kept:
        """Return what may not get lost."""
        state, told = self._states[-1], frozenset(self.confirmed())
        return Kept(
            state.coverage,
            state.findings,
            told,
            frozenset(one for one in told if one.startswith(self._begun(state.goal_id))),
            tuple(state.words),
            dict(self._segments()),
            frozenset(self.evidence()),
            self.ring_bytes,
        )

    def _begun(self, goal_id: str) -> tuple[str, ...]:
        """Return how ids of a goal's findings begin: by each life of the scan controller."""
        begun = {
            (one.goal_begun.sec, one.goal_begun.nanosec)
            for one in self._states
            if one.goal_id == goal_id
        }
        return tuple(f"{seconds * 1_000_000_000 + rest_ns}-" for seconds, rest_ns in begun)

    def _segments(self) -> Iterator[tuple[str, int]]:
        for path in self.recordings.glob("ring/ring_*.mcap"):
            with contextlib.suppress(FileNotFoundError):  # let go of meanwhile
                yield path.name, path.stat().st_size

    def confirmed(self) -> set[str]:
        """Return the ids of all findings that were confirmed at their newest revision."""
        newest: dict[str, Finding] = {}
        for finding in list(self._findings):
            if finding.id not in newest or finding.revision >= newest[finding.id].revision:
                newest[finding.id] = finding
        return {id_ for id_, one in newest.items() if one.state == Finding.STATE_CONFIRMED}

    def coverage_since(self, mark: int) -> float:
        """Return by how much the coverage has risen in the states after the first `mark`."""
        shares = [state.coverage for state in self._states[max(0, mark - 1) :]]
        return sum(max(0.0, b - a) for a, b in zip(shares, shares[1:], strict=False))

    def states(self) -> int:
        """Return how many states of the scan have come so far."""
        return len(self._states)

    def evidence(self) -> Iterator[str]:
        """Yield the ids that events on the disk name."""
        for path in self.recordings.glob("events/*/event.json"):
            with contextlib.suppress(OSError, ValueError):  # being written
                yield from map(str, json.loads(path.read_text())["findings"])


def hold(seconds: float, is_broken: Callable[[], bool] = lambda: False) -> bool:
    """Let time pass, for a fault that lasts; return whether nothing broke meanwhile."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        if is_broken():
            return False
        time.sleep(0.2)
    return True


def _launch_file(
    folder: Path, source: str, namespace: str, processes: str, shared_dir: Path | None = None
) -> str:
    shared = folder / "shared" / namespace
    shared.mkdir(parents=True, exist_ok=True)
    port = free_port()
    planned = plan_launch(read_file(_CONFIG), {})
    parameters = folder / f"{namespace or 'robot'}.param.yaml"
    parameters.write_text(planned.parameters)
    arguments = {
        **planned.arguments,
        "params_file": str(parameters),
        "namespace": namespace,
        "source": source,
        "model": "$(find-pkg-share semantic_detection_pkg)/models/demo_detector.onnx",
        "classifier": "$(find-pkg-share semantic_detection_pkg)/models/demo_classifier.onnx",
        "gimbal_mode": "mock_tcp",
        "mock_address": f"127.0.0.1:{port}",
        "dashboard_port": str(free_port()),
        "autostart_scan": "true",
        "resume_policy": "at_once",
        "processes": processes,
    }
    if shared_dir is not None:
        shared_dir.mkdir(exist_ok=True)
        arguments["shared_dir"] = str(shared_dir)
    listed = [{"name": name, "value": value} for name, value in arguments.items()]
    return _LAUNCH.format(port=port, shared=shared, arguments=json.dumps(listed))
