"""rviz2's and Foxglove's files against the running demo, the bag that it leaves, and its replay."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from free_port import free_port
from launch_runner import LaunchSession
from patience import patience
from rclpy.node import Node
from rclpy.qos import QoSCompatibility, qos_check_compatible
from rclpy.serialization import serialize_message
from ros_graph import GraphProbe, isolated_domain
from rosbags.rosbag2 import Reader
from rosgraph_msgs.msg import Clock
from view_requests import FOREIGN, RvizTopic, foxglove_topics, rviz_topics

from ros_support_pkg.qos import SENSOR_DATA
from semantic_detection_pkg.cli.bringup import arguments_of, read_file
from semantic_detection_pkg.common.configuration.launching import plan_launch
from semantic_detection_pkg.recorder.ros.topics import message_class, sources

pytestmark = [pytest.mark.graph, pytest.mark.timeout(240)]
ROOT = Path(__file__).resolve().parent.parent
CONFIG = ROOT / "config" / "config.dev.yaml"
START_TIMEOUT_S = 60.0
SHOWN = [topic for topic in rviz_topics() if topic.name not in FOREIGN]
#: Made for who looks, not kept: in a bag are the pictures without overlay, compressed.
LIVE_ONLY = {"detections/overlay", "camera/image_raw"}
#: Six points with colours for each cell that was seen, 240 bytes: the demo's whole area is 1.3 MB,
#: as much as its pictures of a second.
MARKERS_MAX_BYTES = 2_000_000


@dataclass(frozen=True)
class Seen:
    """What a demo showed and left.

    Attributes:
        bag: folder of its ring.
        late: topics of rviz2 from which a reader that came late heard.
        refused: topics of rviz2 that no publisher offers as they are asked for, with the reason.
        types: topics that were published, with their type.
        markers_bytes: size of the largest array of markers.
    """

    bag: Path
    late: set[str]
    refused: dict[str, str]
    types: dict[str, str]
    markers_bytes: int


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    """The demo of a few seconds, looked at as rviz2 does."""
    folder = tmp_path_factory.mktemp("views")
    port = free_port()
    arguments = {
        **arguments_of(plan_launch(read_file(CONFIG), {})),
        "source": "sim:7?width=640&height=360&rate=10",
        "mock_port": str(port),
        "save_dir": str(folder),
        "shared_dir": str(folder),
        "output_dir": str(folder / "recordings"),
        "record": "true",
        "dashboard": "false",
    }
    with isolated_domain() as environment:
        probe = GraphProbe(int(environment["ROS_DOMAIN_ID"]))
        try:
            with LaunchSession(
                ("semantic_detection_pkg", "dev.launch.yaml"), arguments, env=environment
            ) as session:
                session.wait_for_start("demo_judge")
                yield look(probe, session, folder / "recordings" / "ring")
        finally:
            probe.close()


def look(probe: GraphProbe, session: LaunchSession, bag: Path) -> Seen:
    """Listen as rviz2 does, until all was heard; then end the demo, so that the bag is closed."""
    graph = probe.node
    early = probe.listen(message_class("visualization_msgs/msg/MarkerArray"), "scan/markers", 1)
    probe.wait_for(lambda: len(early) > 2, "markers of the scan", START_TIMEOUT_S)
    heard = {
        topic.name: probe.listen(message_class(topic.type_name), topic.name, topic.qos)
        for topic in SHOWN
        if topic.name != "scan/markers"
    }
    probe.wait_for(lambda: all(heard.values()), "all that rviz2 shows", START_TIMEOUT_S)
    # The recorder may have come last: until it has had pictures and markers there is no bag to see.
    topics = [topic.name for topic in foxglove_topics()]
    probe.wait_for(
        lambda: all(is_recorded(graph, name) for name in topics), "the recorder", START_TIMEOUT_S
    )
    pictures = heard["camera/image_raw/compressed"]
    counts = len(pictures) + 5, len(early) + 2
    probe.wait_for(
        lambda: len(pictures) > counts[0] and len(early) > counts[1],
        "pictures and markers for the recorder",
        START_TIMEOUT_S,
    )
    refused = {}
    for topic in SHOWN:
        offers = graph.get_publishers_info_by_topic(topic.name)
        (offer,) = [info for info in offers if info.node_name != graph.get_name()]
        compatibility, reason = qos_check_compatible(offer.qos_profile, topic.qos)
        if compatibility == QoSCompatibility.ERROR or offer.topic_type != topic.type_name:
            refused[topic.name] = f"{offer.topic_type}: {reason}"
    types = {name: kinds[0] for name, kinds in graph.get_topic_names_and_types()}
    size = max(len(serialize_message(markers)) for markers in early)
    assert session.stop() == 0
    return Seen(bag, {name for name, got in heard.items() if got}, refused, types, size)


def is_recorded(graph: Node, topic: str) -> bool:
    infos = graph.get_subscriptions_info_by_topic(topic)
    return any(info.node_name == "recorder" for info in infos)


@pytest.mark.long
def test_every_display_of_rviz_gets_its_messages(seen: Seen) -> None:
    assert seen.refused == {}


def test_foxglove_layout_shows_topics_of_the_graph_and_of_the_bag(seen: Seen) -> None:
    with Reader(seen.bag) as reader:
        recorded = {one.topic: one.msgtype for one in reader.connections if one.msgcount}
    # A topic that was silent is not in the bag: nothing need be found in a few seconds.
    assert "/findings" in {f"/{source.name}" for source in sources(with_frames=True)}
    recorded.setdefault("/findings", "interfaces_pkg/msg/Finding")
    for topic in foxglove_topics():
        for found in (seen.types, recorded):
            assert topic.name in found
            assert topic.types is None or found[topic.name] in topic.types


def test_markers_are_small_enough_to_be_recorded(seen: Seen) -> None:
    assert seen.markers_bytes < MARKERS_MAX_BYTES


@pytest.mark.long
def test_a_bag_shows_the_same_in_rviz(seen: Seen, ros_domain: dict[str, str]) -> None:
    """Replay in rviz2: markers, compressed pictures, joint states, by /clock."""
    probe = GraphProbe(int(ros_domain["ROS_DOMAIN_ID"]))
    wanted = [topic for topic in SHOWN if topic.name not in LIVE_ONLY]
    joints = RvizTopic("joint_states", "sensor_msgs/msg/JointState", SENSOR_DATA)
    clock = RvizTopic("/clock", "rosgraph_msgs/msg/Clock", SENSOR_DATA)
    heard = {
        topic.name: probe.listen(message_class(topic.type_name), topic.name, topic.qos)
        for topic in (*wanted, joints)
    }
    times = probe.listen(Clock, clock.name, clock.qos)
    try:
        with LaunchSession(
            ("semantic_detection_pkg", "replay.launch.yaml"),
            {"bag": str(seen.bag), "rate": "2.0"},
            env={**os.environ, **ros_domain},
        ):
            probe.wait_for(
                lambda: times and all(heard.values()), f"{sorted(heard)}", patience(60.0)
            )
    finally:
        probe.close()
    stamp = heard["joint_states"][-1].header.stamp
    assert stamp.sec in range(times[0].clock.sec - 1, times[-1].clock.sec + 2), "of the bag's time"
