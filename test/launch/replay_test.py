"""A bag, published again by replay.launch.yaml: as it was, in order, with the clock of its time."""

import os
import sys
import unittest
from pathlib import Path

# launch_test runs this file alone, without pytest's settings.
ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "test" / "support")]

import launch_testing.actions  # noqa: E402 - the path comes first
import launch_testing.asserts  # noqa: E402
import launch_testing.markers  # noqa: E402
import launched  # noqa: E402
from replay_checks import Listener  # noqa: E402
from ros_graph import GraphProbe  # noqa: E402

import launch  # noqa: E402
from simulation_pkg.harness.scan_recording import (  # noqa: E402
    messages_of,
    recorded_scan,
    write_bag,
)

FOLDER = launched.isolate()
SCAN = recorded_scan()
# Before the bag is played: it does not wait for everybody.
LISTENER = Listener(GraphProbe(int(os.environ["ROS_DOMAIN_ID"])))


@launch_testing.markers.keep_alive  # a bag comes to its end
def generate_test_description() -> launch.LaunchDescription:
    """The bag of a scan, ten times as fast as it was, without its detections."""
    bag = write_bag(FOLDER, list(messages_of(SCAN)))
    player = launched.include(
        "replay.launch.yaml", bag=str(bag), rate="10.0", exclude_topics="detections"
    )
    return launch.LaunchDescription(
        [launched.patient_stop(), player, launch_testing.actions.ReadyToTest()]
    )


class TestReplay(unittest.TestCase):
    """While the bag is played."""

    def test_it_is_as_it_was(self) -> None:
        LISTENER.check(SCAN)
        LISTENER.probe.wait_for(lambda: "replay" not in launched.running(), "the player's end")


@launch_testing.post_shutdown_test()
class TestEnd(unittest.TestCase):
    """After its end."""

    def test_it_says_how_much_it_was(self, proc_info, proc_output) -> None:
        LISTENER.probe.close()
        launch_testing.asserts.assertExitCodes(proc_info)
        topics = [one.topic.name for one in messages_of(SCAN)]
        expected = len(topics) - topics.count("/detections")
        assert f"{expected} messages published\n" in launched.text_of(proc_output)
