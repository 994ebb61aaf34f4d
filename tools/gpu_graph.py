"""The graph around one GPU, started and seen from outside: for the graph test and the benchmark."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from launch_runner import LaunchSession
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from patience import patience
from ros_actions import GoalProbe
from ros_graph import GraphProbe
from sensor_msgs.msg import CompressedImage

from interfaces_pkg.action import AskVlm
from interfaces_pkg.msg import GpuState, VlmAnswer
from ros_support_pkg.qos import STATE

JPEG = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))[1].tobytes()


def write_launch_file(
    folder: Path, detector_autostart: str = "nothing", *, bridge_locks: bool = False
) -> Path:
    """Write that of arbiter, detector and bridge; what they share lies in the folder.

    Args:
        bridge_locks: the bridge holds the GPU's lock, for a service that knows none.
    """
    lock = {"name": "gpu_lock_file", "value": str(folder / "gpu.lock")}
    entities: list[dict[str, Any]] = [
        _node(
            "detector",
            [
                {"name": "engine", "value": "fake"},
                {"name": "model", "value": __file__},
                {"name": "autostart", "value": detector_autostart},
                lock,
            ],
        ),
        _node(
            "gpu_arbiter",
            [
                lock,
                {"name": "epoch_file", "value": str(folder / "gpu.epoch")},
                {"name": "min_dwell_s", "value": 0.0},
                # A loaded machine stops and leaves late.
                *(
                    {"name": name, "value": patience(seconds)}
                    for name, seconds in (
                        ("pause_timeout_s", 1.0),
                        ("grace_period_s", 1.0),
                        ("max_lease_s", 20.0),
                    )
                ),
                {"name": "autostart", "value": True},
            ],
        ),
        _node(
            "vlm_bridge",
            [
                {"name": "socket", "value": str(folder / "vlm.sock")},
                *([lock] if bridge_locks else []),
            ],
        ),
    ]
    path = folder / "gpu.launch.yaml"
    path.write_text(yaml.safe_dump({"launch": entities}))
    return path


def _node(name: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    package = "vlm_bridge_pkg" if name == "vlm_bridge" else "semantic_detection_pkg"
    respawn = {"respawn": "true", "respawn_delay": 0.1}
    return {"node": {"pkg": package, "exec": name, "param": parameters, **respawn}}


class Stub:
    """The VLM stub as a process of its own, as the other container would be."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.process: subprocess.Popen[str] | None = None

    def start(self, *options: str) -> None:
        """Start it, or start it again, and wait until it is ready."""
        self.stop()
        files = {"--socket": "vlm.sock", "--lock-file": "gpu.lock", "--epoch-file": "gpu.epoch"}
        words = [word for name, file in files.items() for word in (name, str(self._folder / file))]
        command = [sys.executable, "-m", "vlm_bridge_pkg.cli.vlm_stub", *words, *options]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        while "ready" not in (line := self.process.stderr.readline()):
            assert line, "the stub has ended"

    def stop(self) -> None:
        """Kill it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class GpuView:
    """The graph, seen from outside, whoever started it."""

    def __init__(self, probe: GraphProbe) -> None:
        self.probe = probe
        self.states = probe.listen(GpuState, "gpu/state", STATE)
        self.asks = probe.action(AskVlm, "vlm/ask")

    def send(self, class_name: str = "tent", timeout_s: float | None = None) -> GoalProbe:
        """Put a question; it ends as late as the machine needs, or after `timeout_s`."""
        goal = AskVlm.Goal(
            crop=CompressedImage(format="jpeg", data=JPEG),
            class_name=class_name,
            timeout_s=patience(10.0) if timeout_s is None else timeout_s,
        )
        goal.crop.header.stamp.sec = 7
        return self.asks.send_goal(goal)

    def answer(self, sent: GoalProbe) -> tuple[int, VlmAnswer]:
        """Status and answer of a goal."""
        result = sent.result("the answer")
        return result.status, result.result.answer

    def wait_for_owner(self, owner: int) -> GpuState:
        """Until the newest state has this owner."""
        return self.probe.wait_for(
            lambda: next((s for s in self.states[-1:] if s.owner == owner), None), f"owner {owner}"
        )

    def is_detector_active(self) -> bool:
        """As it says itself."""
        answer = self.probe.call(GetState, "detector/get_state", GetState.Request())
        return bool(answer.current_state.id == State.PRIMARY_STATE_ACTIVE)


class Gpu(GpuView):
    """The graph with what it was started by."""

    def __init__(self, probe: GraphProbe, launch: LaunchSession, stub: Stub) -> None:
        super().__init__(probe)
        self.launch, self.stub = launch, stub
