"""A robot without containers: the folder shared with the model is missing. It searches anyway."""

from __future__ import annotations

from pathlib import Path

import pytest
from detection_checks import write_inputs
from launch_runner import LaunchSession
from ros_graph import GraphProbe

from interfaces_pkg.msg import Detections, GpuState
from interfaces_pkg.srv import AcquireGpu
from ros_support_pkg.qos import SENSOR_DATA, STATE

pytestmark = pytest.mark.graph
START_TIMEOUT_S = 60.0


@pytest.mark.long
def test_the_detector_is_active_and_tier_3_is_off(tmp_path: Path, probe: GraphProbe) -> None:
    source, model = write_inputs(tmp_path)
    shared = tmp_path / "not there" / "tier3"
    arguments = {
        "source": source,
        "model": str(model),
        "engine": "onnxruntime",
        "gimbal": "false",
        "record": "false",
        "dashboard": "false",
        "shared_dir": str(shared),
    }
    states = probe.listen(GpuState, "gpu/state", STATE)
    detections = probe.listen(Detections, "detections", SENSOR_DATA)
    with LaunchSession(("semantic_detection_pkg", "robot.launch.yaml"), arguments) as launch:
        probe.wait_for(
            lambda: states and states[-1].owner == GpuState.OWNER_DETECTOR,
            "the detector to have the GPU",
            START_TIMEOUT_S,
        )
        detections.clear()
        probe.wait_for(lambda: len(detections) > 2, "detections", START_TIMEOUT_S)
        assert states[-1].is_degraded
        assert states[-1].reason.startswith("tier 3 is off: folder ")
        request = AcquireGpu.Request(holder="test", purpose="test", duration_s=1.0, wait_s=0.0)
        answer = probe.call(AcquireGpu, "gpu/acquire", request)
        assert not answer.granted
        assert str(shared) in answer.reason
        said = [line for line in launch.lines if "tier 3 is off" in line]
        assert len(said) == 1, said
        assert not [line for line in launch.lines if "has died" in line or "Traceback" in line]
        # The folder comes with the containers: the lock is taken, tier 3 is on.
        shared.mkdir(parents=True)
        probe.wait_for(
            lambda: not states[-1].is_degraded and (shared / "gpu.epoch").exists(),
            "tier 3 to be on",
        )
        probe.wait_for(
            lambda: (shared / "gpu.lock").exists() and (shared / "gpu.lock").read_text().strip(),
            "the detector to hold the lock",
        )
