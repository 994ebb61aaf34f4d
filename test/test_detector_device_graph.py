"""What a detector cannot do as it was told: its log and its diagnostics say so."""

from pathlib import Path

import onnxruntime
import pytest
from detection_checks import write_inputs
from diagnostic_msgs.msg import DiagnosticArray
from launch_runner import LaunchSession
from rcl_interfaces.msg import Log
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_graph import GraphProbe

from ros_support_pkg.qos import EVENT

ROBOT = ("semantic_detection_pkg", "robot.launch.yaml")
LOG = QoSProfile(depth=1000, durability=DurabilityPolicy.TRANSIENT_LOCAL)
CLASSIFIER = Path(__file__).parents[1] / "models" / "demo" / "demo_classifier.onnx"
ON_CPU = "colours.onnx: computes on the CPU, not on the GPU: this ONNX Runtime"
LINES = [
    (30, ON_CPU),
    (20, "classifier demo_classifier.onnx, no table of words, its own classes are those: "),
    (30, "the classifier knows none of the words searched for (red, green, blue): it will have"),
]


@pytest.mark.long
@pytest.mark.graph
def test_without_cuda_and_with_a_classifier_of_other_words_the_node_warns(
    tmp_path: Path, probe: GraphProbe
) -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    source, model = write_inputs(tmp_path)
    parameters = tmp_path / "parameters.yaml"
    parameters.write_text("detector: {ros__parameters: {device: cuda}}\n")
    arguments = {
        "source": source,
        "model": str(model),
        "classifier": str(CLASSIFIER),
        "params_file": str(parameters),
        **dict.fromkeys(("gimbal", "vlm", "record", "dashboard"), "false"),
    }
    logged = probe.listen(Log, "/rosout", LOG)  # also of before
    told = probe.listen(DiagnosticArray, "/diagnostics", EVENT)

    def is_warned_of() -> bool:
        statuses = [status for array in told for status in array.status]
        return any(
            s.name == "detector" and s.level == b"\x01" and s.message.startswith(ON_CPU)
            for s in statuses
        )

    def has_said(level: int, text: str) -> bool:
        own = [one for one in logged if one.name == "detector"]
        return any(one.level == level and one.msg.startswith(text) for one in own)

    with LaunchSession(ROBOT, arguments):
        probe.wait_for(is_warned_of, "a warning in the diagnostics")
        probe.wait_for(lambda: all(has_said(*line) for line in LINES), "lines of the log")
