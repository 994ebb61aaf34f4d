"""What the camera sees is detected: frames, boxes, words, thresholds, diagnostics."""

import sys
import unittest
from pathlib import Path

# launch_test runs this file alone, without pytest's settings.
ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "test" / "support")]

import detection_checks  # noqa: E402 - the path comes first
import launch_testing.actions  # noqa: E402
import launch_testing.asserts  # noqa: E402
import launched  # noqa: E402

import launch  # noqa: E402


def generate_test_description() -> launch.LaunchDescription:
    """The robot's graph without a gimbal, on the test's picture and model."""
    folder = launched.isolate()
    source, model = detection_checks.write_inputs(folder)
    graph = launched.include(
        "robot.launch.yaml",
        source=source,
        model=str(model),
        engine="onnxruntime",
        gimbal="false",
        vlm="false",
        record="false",
        dashboard="false",
        respawn="false",
    )
    return launch.LaunchDescription(
        [launched.patient_stop(), graph, launch_testing.actions.ReadyToTest()]
    )


class TestDetection(launched.GraphTest):
    """While the graph runs."""

    def test_detections_flow(self) -> None:
        detection_checks.check_detections_flow(self.probe)

    def test_vocabulary(self) -> None:
        detection_checks.check_vocabulary(self.probe)

    def test_parameters(self) -> None:
        detection_checks.check_parameters(self.probe)

    def test_diagnostics(self) -> None:
        detection_checks.check_diagnostics(self.probe)


@launch_testing.post_shutdown_test()
class TestEnd(unittest.TestCase):
    """After it was told to stop."""

    def test_exit_codes(self, proc_info) -> None:
        launch_testing.asserts.assertExitCodes(proc_info)
