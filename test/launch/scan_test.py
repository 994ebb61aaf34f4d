"""The scan action: refused by one line, carried out, found something, cancelled, back at rest."""

import math
import sys
import unittest
from pathlib import Path

# launch_test runs this file alone, without pytest's settings.
ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "test" / "support")]

import launch_testing.actions  # noqa: E402 - the path comes first
import launch_testing.asserts  # noqa: E402
import launched  # noqa: E402
from action_msgs.msg import GoalStatus  # noqa: E402
from scan_checks import AREA, WORDS, check_evidence, check_refusals  # noqa: E402
from scan_graph import SOURCE  # noqa: E402

import launch  # noqa: E402
from gimbal_driver_pkg.mock.background import BackgroundMock  # noqa: E402
from interfaces_pkg.action import Scan  # noqa: E402
from interfaces_pkg.msg import Detections, Finding, GimbalState  # noqa: E402
from ros_support_pkg.qos import RECORD, SENSOR_DATA  # noqa: E402

REST_YAW_DEG = 20.0
PARAMETERS = {
    "detector": {"confidence_threshold": 0.4, "threads": 1},
    # A loaded machine is slow, not silent.
    "scan_controller": {
        "detections_timeout_s": 60.0,
        "camera_timeout_s": 60.0,
        "gimbal_timeout_s": 10.0,
        "frame_rate_hz": 5.0,
        "rest_yaw_deg": REST_YAW_DEG,
        "rest_timeout_s": 60.0,
    },
}
MOCK = BackgroundMock("zr10")


def generate_test_description() -> launch.LaunchDescription:
    """The robot's graph in the simulated world, its gimbal a mock in this process."""
    folder = launched.isolate()
    launched.enter(MOCK)
    graph = launched.include(
        "robot.launch.yaml",
        source=SOURCE,
        model=launched.DETECTOR,
        classifier=launched.CLASSIFIER,
        engine="onnxruntime",
        gimbal_mode="mock_tcp",
        mock_address=f"127.0.0.1:{MOCK.tcp_port}",
        params_file=launched.write_parameters(folder, **PARAMETERS),
        output_dir=str(folder / "recordings"),
        vlm="false",
        record="false",
        dashboard="false",
        respawn="false",
    )
    return launch.LaunchDescription(
        [launched.patient_stop(), graph, launch_testing.actions.ReadyToTest()]
    )


class TestScan(launched.GraphTest):
    """While the graph runs."""

    def test_goals_that_cannot_be_carried_out_are_refused(self) -> None:
        detections = self.probe.listen(Detections, "detections", SENSOR_DATA)
        self.probe.wait_for(lambda: detections, "detections", launched.START_TIMEOUT_S)
        check_refusals(self.probe.action(Scan, "scan"))

    def test_it_finds_is_cancelled_and_goes_to_rest(self) -> None:
        findings = self.probe.listen(Finding, "findings", RECORD)
        gimbal = self.probe.listen(GimbalState, "gimbal/state", SENSOR_DATA)
        feedback: list = []
        client = self.probe.action(Scan, "scan")
        self.probe.wait_for(lambda: gimbal and gimbal[-1].link == GimbalState.LINK_UP, "the gimbal")
        goal = client.send_goal(
            Scan.Goal(area=AREA, words=WORDS, repeat=True), feedback=feedback.append
        )
        assert goal.accepted
        check_evidence(
            self.probe.wait_for(
                lambda: next((f for f in list(findings) if f.tiers and f.best_frame.sec), None),
                "a finding",
                launched.START_TIMEOUT_S,
            )
        )
        assert feedback, "feedback on the way"
        goal.cancel()
        assert goal.result().status == GoalStatus.STATUS_CANCELED
        rest_rad = math.radians(REST_YAW_DEG)

        def is_at_rest() -> bool:
            truth = MOCK.state()
            return truth["is_still"] and abs(truth["yaw_rad"] - rest_rad) < 0.03

        self.probe.wait_for(is_at_rest, "the gimbal at rest")


@launch_testing.post_shutdown_test()
class TestEnd(unittest.TestCase):
    """After it was told to stop."""

    def test_exit_codes(self, proc_info) -> None:
        launch_testing.asserts.assertExitCodes(proc_info)
