"""`bringup` with the robot's own config.yaml: all is there, and Ctrl-C ends all in order."""

import sys
import unittest
from pathlib import Path

# launch_test runs this file alone, without pytest's settings.
ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "test" / "support")]

import launch_testing.actions  # noqa: E402 - the path comes first
import launch_testing.asserts  # noqa: E402
import launched  # noqa: E402
import psutil  # noqa: E402
import stop_checks  # noqa: E402

import launch  # noqa: E402

FOLDER = launched.isolate()
MOCK = stop_checks.slow_gimbal()
PROCESSES: dict[str, psutil.Process] = {}


def generate_test_description() -> launch.LaunchDescription:
    """`bringup` as a person starts it."""
    launched.enter(MOCK)
    return launch.LaunchDescription(
        [
            launched.patient_stop(),
            stop_checks.bringup(FOLDER, MOCK),
            launch_testing.actions.ReadyToTest(),
        ]
    )


class TestBringup(launched.GraphTest):
    """While the robot runs."""

    def test_all_is_there_and_the_gimbal_turns(self) -> None:
        PROCESSES.update(stop_checks.check_all_is_there(self.probe, FOLDER))
        stop_checks.begin_slew(self.probe, MOCK)


@launch_testing.post_shutdown_test()
class TestEnd(unittest.TestCase):
    """After SIGINT to `bringup`."""

    def test_it_stopped_in_order(self, proc_info, proc_output) -> None:
        launch_testing.asserts.assertExitCodes(proc_info)
        assert PROCESSES, "there was a robot"
        said = launched.text_of(proc_output)
        stop_checks.check_stopped(MOCK, FOLDER, PROCESSES.values(), said)
