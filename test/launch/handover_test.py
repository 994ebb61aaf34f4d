"""The GPU goes from the detector to the vision-language model for a question, and back."""

import sys
import unittest
from pathlib import Path

# launch_test runs this file alone, without pytest's settings.
ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "test" / "support")]

import launch_testing.actions  # noqa: E402 - the path comes first
import launch_testing.asserts  # noqa: E402
import launched  # noqa: E402
from detection_checks import check_detections_flow, write_inputs  # noqa: E402
from gpu_graph import GpuView  # noqa: E402
from handover_checks import check_handover  # noqa: E402
from launch.actions import ExecuteProcess  # noqa: E402
from patience import patience  # noqa: E402

import launch  # noqa: E402
from interfaces_pkg.msg import GpuState, VlmAnswer  # noqa: E402

FOLDER = launched.isolate()
# A loaded machine stops and leaves late.
PARAMETERS = {
    "gpu_arbiter": {
        "min_dwell_s": 0.0,
        "pause_timeout_s": patience(1.0),
        "grace_period_s": patience(1.0),
        "max_lease_s": patience(20.0),
    }
}


def generate_test_description() -> launch.LaunchDescription:
    """The robot's graph without a gimbal, and the stand-in of the model's container."""
    source, model = write_inputs(FOLDER)
    stub = ExecuteProcess(
        cmd=[
            launched.program("vlm_bridge_pkg", "vlm_stub"),
            *("--socket", str(FOLDER / "vlm.sock")),
            *("--lock-file", str(FOLDER / "gpu.lock")),
            *("--epoch-file", str(FOLDER / "gpu.epoch")),
        ],
        name="vlm_stub",
    )
    graph = launched.include(
        "robot.launch.yaml",
        source=source,
        model=str(model),
        engine="onnxruntime",
        gimbal="false",
        params_file=launched.write_parameters(FOLDER, **PARAMETERS),
        shared_dir=str(FOLDER),
        output_dir=str(FOLDER / "recordings"),
        record="false",
        dashboard="false",
        respawn="false",
    )
    return launch.LaunchDescription(
        [launched.patient_stop(), stub, graph, launch_testing.actions.ReadyToTest()]
    )


class TestHandover(launched.GraphTest):
    """While the graph runs."""

    def test_1_a_question_and_its_lease(self) -> None:
        gpu = GpuView(self.probe)
        gpu.wait_for_owner(GpuState.OWNER_DETECTOR)
        self.probe.wait_for((FOLDER / "vlm.sock").is_socket, "the model's service")
        check_handover(gpu, FOLDER, launched.running()["detector"].pid)
        check_detections_flow(self.probe)

    def test_2_without_the_model_it_is_uncertain_and_the_detector_sees_on(self) -> None:
        launched.running()["vlm_stub"].terminate()
        self.probe.wait_for(lambda: "vlm_stub" not in launched.running(), "the stub's end")
        gpu = GpuView(self.probe)
        _, answer = gpu.answer(gpu.send())
        assert (answer.verdict, answer.cause) == (VlmAnswer.VERDICT_UNSURE, "no_service")
        gpu.wait_for_owner(GpuState.OWNER_DETECTOR)
        check_detections_flow(self.probe)


@launch_testing.post_shutdown_test()
class TestEnd(unittest.TestCase):
    """After it was told to stop."""

    def test_exit_codes(self, proc_info) -> None:
        launch_testing.asserts.assertExitCodes(proc_info)
