"""Every node of the robot comes back after it was killed, and does its work again."""

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
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402

import launch  # noqa: E402
from gimbal_driver_pkg.mock.background import BackgroundMock  # noqa: E402
from interfaces_pkg.msg import GimbalState, GpuState, RecorderStatus  # noqa: E402
from ros_support_pkg.qos import EVENT, SENSOR_DATA, STATE  # noqa: E402

NAMES = launched.started_by("robot.launch.yaml")
MOCK = BackgroundMock("zr10")


def generate_test_description() -> launch.LaunchDescription:
    """The whole robot on the test's picture and model, its gimbal a mock in this process."""
    folder = launched.isolate()
    launched.enter(MOCK)
    source, model = write_inputs(folder)
    graph = launched.include(
        "robot.launch.yaml",
        source=source,
        model=str(model),
        engine="onnxruntime",
        gimbal_mode="mock_tcp",
        mock_address=f"127.0.0.1:{MOCK.tcp_port}",
        params_file=launched.write_parameters(folder, recorder={"min_free_mb": 0}),
        shared_dir=str(folder),
        output_dir=str(folder / "recordings"),
        dashboard_port="0",
        respawn="true",
    )
    return launch.LaunchDescription(
        [launched.patient_stop(), graph, launch_testing.actions.ReadyToTest()]
    )


class TestRespawn(launched.GraphTest):
    """While the graph runs."""

    def test_all_come_back_and_work(self) -> None:
        self._wait_until_all_work()
        before = launched.wait_for_running(NAMES)
        assert before.keys() == NAMES
        for process in {before[name] for name in NAMES}:
            process.kill()

        def replaced() -> bool:
            now = launched.running()
            return all(name in now and now[name] != before[name] for name in NAMES)

        self.probe.wait_for(replaced, "a new process for each node", launched.START_TIMEOUT_S)
        self._wait_until_all_work()

    def _wait_until_all_work(self) -> None:
        """Wait until, from now on, each node has said that it is well, and done what it is for."""
        health = self.probe.listen(DiagnosticArray, "/diagnostics", EVENT)
        gimbal = self.probe.listen(GimbalState, "gimbal/state", SENSOR_DATA)
        gpu = self.probe.listen(GpuState, "gpu/state", STATE)
        recorder = self.probe.listen(RecorderStatus, "recorder/status", STATE)
        for messages in (health, gimbal, gpu, recorder):
            messages.clear()

        def silent() -> dict[str, str]:
            """Return those who have not said that they are well, with the last that they said."""
            said = [one for array in list(health) for one in array.status]
            bad = (DiagnosticStatus.ERROR, DiagnosticStatus.STALE)
            well = {one.name for one in said if one.level not in bad}
            return dict.fromkeys(NAMES - well, "") | {
                one.name: one.message for one in said if one.name in NAMES - well
            }

        try:
            self.probe.wait_for(lambda: not silent(), "all nodes", launched.START_TIMEOUT_S)
        except AssertionError as error:
            raise AssertionError(f"{error} to be well: {silent()}") from None
        self.probe.wait_for(lambda: gimbal and gimbal[-1].link == GimbalState.LINK_UP, "the gimbal")
        self.probe.wait_for(
            lambda: gpu and gpu[-1].owner == GpuState.OWNER_DETECTOR, "the detector's turn"
        )
        self.probe.wait_for(lambda: recorder and recorder[-1].is_recording, "the recorder")
        check_detections_flow(self.probe)


@launch_testing.post_shutdown_test()
class TestEnd(unittest.TestCase):
    """After it was told to stop."""

    def test_exit_codes(self, proc_info) -> None:
        """Those of the second lives."""
        launch_testing.asserts.assertExitCodes(proc_info)
