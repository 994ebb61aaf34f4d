"""The checks of the main chain in the form of `launch_testing`, for machines with a whole ROS.

    launch_test test/launch/detection_test.py

`test/test_launch_testing.py` runs it so where there is one; elsewhere
`test/test_detection_graph.py` makes the same checks with the workspace's own runner.
"""

import sys
import tempfile
import unittest
from pathlib import Path

# launch_test runs this file alone, without pytest's settings.
ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "test" / "support")]

import launch_testing.actions  # noqa: E402
import launch_testing.asserts  # noqa: E402
from ament_index_python.packages import get_package_share_directory  # noqa: E402
from detection_checks import (  # noqa: E402
    check_detections_flow,
    check_diagnostics,
    check_parameters,
    check_vocabulary,
    write_inputs,
)
from launch.actions import IncludeLaunchDescription  # noqa: E402
from launch.launch_description_sources import AnyLaunchDescriptionSource  # noqa: E402
from ros_graph import GraphProbe, isolated_domain  # noqa: E402

import launch  # noqa: E402 - the path comes first

DOMAIN = isolated_domain()


def generate_test_description() -> launch.LaunchDescription:
    """The robot's graph on the test's picture and model."""
    environment = DOMAIN.__enter__()
    folder = Path(tempfile.mkdtemp())
    source, model = write_inputs(folder)
    share = get_package_share_directory("semantic_detection_pkg")
    graph = IncludeLaunchDescription(
        AnyLaunchDescriptionSource(f"{share}/launch/robot.launch.yaml"),
        launch_arguments={
            "source": source,
            "model": str(model),
            "engine": "onnxruntime",
            "gimbal": "false",
            "respawn": "false",
            "shared_dir": str(folder),
            "output_dir": str(folder / "recordings"),
            "dashboard_port": "0",
        }.items(),
    )
    settings = [
        launch.actions.SetEnvironmentVariable(name, value) for name, value in environment.items()
    ]
    TestGraph.domain_id = int(environment["ROS_DOMAIN_ID"])
    return launch.LaunchDescription([*settings, graph, launch_testing.actions.ReadyToTest()])


class TestGraph(unittest.TestCase):
    """While the graph runs."""

    domain_id = 0

    @classmethod
    def setUpClass(cls) -> None:
        cls.probe = GraphProbe(cls.domain_id)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.probe.close()

    def test_detections_flow(self) -> None:
        check_detections_flow(self.probe)

    def test_vocabulary(self) -> None:
        check_vocabulary(self.probe)

    def test_parameters(self) -> None:
        check_parameters(self.probe)

    def test_diagnostics(self) -> None:
        check_diagnostics(self.probe)


@launch_testing.post_shutdown_test()
class TestEnd(unittest.TestCase):
    """After it was told to stop."""

    def test_exit_codes(self, proc_info: launch_testing.ProcInfoHandler) -> None:
        launch_testing.asserts.assertExitCodes(proc_info)
        DOMAIN.__exit__(None, None, None)
