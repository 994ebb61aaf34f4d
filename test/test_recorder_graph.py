"""The recorder node in a real process: what is published is what other people's readers find."""

from __future__ import annotations

import array
import json
import re
import signal
from collections import Counter
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from mcap.exceptions import EndOfFile
from mcap.reader import make_reader
from mcap.records import Channel, Message
from mcap.stream_reader import StreamReader
from mcap_ros2.decoder import DecoderFactory
from node_process import running_node
from patience import patience
from rcl_interfaces.msg import Log
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import deserialize_message
from ros_graph import GraphProbe
from rosbags.highlevel import AnyReader
from rosbags.interfaces import QosDurability, QosReliability
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import String

from interfaces_pkg.msg import (
    Detections,
    Finding,
    GimbalState,
    GpuState,
    PoseAtCapture,
    RecorderStatus,
)
from interfaces_pkg.srv import MarkEvent
from ros_support_pkg.qos import EVENT, SENSOR_DATA, STATE
from ros_support_pkg.stamps import to_time

pytestmark = pytest.mark.graph
MESSAGES = 8

#: As the camera offers it, but so deep that a burst loses nothing.
DEEP_VIEW = QoSProfile(depth=MESSAGES, reliability=ReliabilityPolicy.RELIABLE)


recorder = partial(running_node, "recorder")


class RecordedTopics:
    """Publishers of what is recorded."""

    def __init__(self, probe: GraphProbe, ring: Path) -> None:
        node = probe.node
        self.ring = ring
        self.status = probe.listen(RecorderStatus, "recorder/status", STATE)
        self.probe = probe
        self.sent: list[tuple[str, str]] = []
        self.publishers = {
            "/camera/image_raw/compressed": node.create_publisher(
                CompressedImage, "camera/image_raw/compressed", DEEP_VIEW
            ),
            "/gimbal/state": node.create_publisher(GimbalState, "gimbal/state", SENSOR_DATA),
            "/detections": node.create_publisher(Detections, "detections", SENSOR_DATA),
            # Weaker than the recorder expects: it has to adapt.
            "/findings": node.create_publisher(Finding, "findings", SENSOR_DATA),
            "/gpu/state": node.create_publisher(GpuState, "gpu/state", STATE),
            "/extra": node.create_publisher(String, "extra", EVENT),
        }

    def send(self, topic: str, message: object) -> None:
        self.publishers[topic].publish(message)
        self.sent.append((topic, str(message)))

    def warm_up(self) -> None:
        """Until the recorder has heard each topic: its side of the discovery may come later."""

        def has_heard() -> bool:
            heard = {topic for topic, _ in self.recorded()}
            # What was sent before the recorder was there has to come by itself.
            for topic in self.publishers.keys() - heard - {"/gpu/state"}:
                self.publishers[topic].publish(self.publishers[topic].msg_type())
            return self.publishers.keys() <= heard

        self.probe.wait_for(has_heard, "each topic in the ring")

    def play(self) -> None:
        """A second of flight; a frame, its detections and the pose have one stamp.

        Each message is sent when the one before is on the disk: where only the newest counts, a
        recorder that is not given the processor may lose one.
        """
        jpeg = array.array("B", bytes(range(256)) * 40)
        stamps = [to_time(self.stamp_ns(number)) for number in range(MESSAGES)]
        for number, stamp in enumerate(stamps):
            image = CompressedImage(format="jpeg", data=jpeg)
            state = GimbalState(yaw_rad=0.1 * number, hfov_rad=1.0)
            image.header.stamp = state.header.stamp = stamp
            self.send("/gimbal/state", state)
            self.send("/camera/image_raw/compressed", image)
            self.send("/extra", String(data=str(number)))
            self.wait_for_written()
        for number, stamp in enumerate(stamps):
            found = Detections(vocabulary=["tent"], class_ids=[0], scores=[0.5])
            found.boxes_xyxy = [1.0, 2.0, 3.0, 4.0]
            found.header.stamp = stamp
            found.pose = PoseAtCapture(is_known=True, yaw_rad=0.1 * number)
            self.send("/detections", found)
            self.wait_for_written()

    def recorded(self) -> Counter[tuple[str, str]]:
        """Messages with their topic in finished segments and in the one being written."""
        types = {topic: publisher.msg_type for topic, publisher in self.publishers.items()}
        types |= {"/diagnostics": DiagnosticArray, "/rosout": Log}
        found: Counter[tuple[str, str]] = Counter()
        for path in self.ring.glob("ring_*"):
            topics: dict[int, str] = {}
            with suppress(EndOfFile, OSError), path.open("rb") as file:
                for record in StreamReader(file).records:
                    if isinstance(record, Channel):
                        topics[record.id] = record.topic
                    elif isinstance(record, Message):
                        topic = topics[record.channel_id]
                        found[topic, str(deserialize_message(record.data, types[topic]))] += 1
        return found

    def wait_for_written(self) -> None:
        self.probe.wait_for(lambda: set(self.sent) <= self.recorded().keys(), "all that was sent")

    @staticmethod
    def stamp_ns(number: int) -> int:
        return 1_700_000_000_000_000_000 + number * 50_000_000


def confirm(topics: RecordedTopics, finding_id: str, revision: int) -> None:
    state = Finding.STATE_CONFIRMED if revision > 1 else Finding.STATE_CANDIDATE
    topics.send(
        "/findings", Finding(id=finding_id, revision=revision, state=state, class_name="Tent")
    )


def test_what_is_published_is_recorded(probe: GraphProbe, tmp_path: Path) -> None:
    topics = RecordedTopics(probe, tmp_path / "out/ring")
    health = probe.listen(DiagnosticArray, "/diagnostics", EVENT)
    topics.send("/gpu/state", GpuState(epoch=7))  # before the recorder is there
    with recorder(
        output_dir=tmp_path / "out",
        min_free_mb=0,
        before_s=patience(30.0),
        after_s=0.1,
        flush_period_s=0.05,
        extra_topics="['extra:std_msgs/msg/String']",
    ) as process:
        topics.warm_up()
        topics.play()
        for revision in (1, 2, 3):
            confirm(topics, "f1", revision)
            topics.wait_for_written()
        request = MarkEvent.Request(label="by hand", before_s=-1.0, after_s=0.0)
        answer = probe.call(MarkEvent, "recorder/mark_event", request)
        assert (answer.success, answer.message) == (True, "kept")
        bad = MarkEvent.Request(label="x", before_s=float("nan"))
        answer_bad = probe.call(MarkEvent, "recorder/mark_event", bad)
        assert not answer_bad.success
        assert "before_s is nan" in answer_bad.message
        for label, before_s, said in (
            ("", 0.0, "label is '' with 0 characters, 1 to 120"),
            ("x" * 121, 0.0, "with 121 characters, 1 to 120"),
            ("a\nb", 0.0, "without control characters"),
            ("x", 601.0, "before_s is 601, 0 to 600 s are allowed"),
        ):
            refused = probe.call(
                MarkEvent,
                "recorder/mark_event",
                MarkEvent.Request(label=label, before_s=before_s, after_s=-1.0),
            )
            assert not refused.success
            assert said in refused.message
        probe.wait_for(lambda: topics.status and topics.status[-1].events == 2, "both events")
        status = topics.status[-1]
        assert (status.is_recording, status.dropped, status.drop_reason) == (True, 0, "")
        assert status.directory == str(tmp_path / "out/ring")
        probe.wait_for(
            lambda: any(
                entry.name == "recorder" and entry.level == DiagnosticStatus.OK
                for message in health
                for entry in message.status
            ),
            "diagnostics",
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(patience(20.0)) == 0
    check_bag(tmp_path / "out/ring", topics)
    check_tables(tmp_path / "out/tables")
    check_events(tmp_path / "out/events", Path(answer.directory))


def check_bag(ring: Path, topics: RecordedTopics) -> None:
    with AnyReader([ring]) as reader:
        counts = {c.topic: c.msgcount for c in reader.connections}
        qos = {c.topic: c.ext.offered_qos_profiles[0] for c in reader.connections}
        hashes = {c.topic: c.digest for c in reader.connections}
        assert sum(1 for _ in reader.messages()) == reader.message_count
    messages = topics.recorded()
    assert [messages[sent] for sent in topics.sent] == [1] * len(topics.sent), (
        "each once, as it was"
    )
    assert counts == Counter(topic for topic, _ in messages.elements())
    expected = {
        "/camera/image_raw/compressed": (QosReliability.RELIABLE, QosDurability.VOLATILE),
        "/findings": (QosReliability.BEST_EFFORT, QosDurability.VOLATILE),
        "/gpu/state": (QosReliability.RELIABLE, QosDurability.TRANSIENT_LOCAL),
    }
    for topic, policies in expected.items():
        assert (qos[topic].reliability, qos[topic].durability) == policies, topic
    for topic in topics.publishers:
        (info, *_) = topics.probe.node.get_publishers_info_by_topic(topic)
        known = getattr(info, "topic_type_hash", None)  # Humble has none
        assert known is None or hashes[topic] == str(known), topic
    yaws: list[float] = []
    for path in sorted(ring.glob("*.mcap")):
        with path.open("rb") as file:
            reader = make_reader(file, validate_crcs=True, decoder_factories=[DecoderFactory()])
            for _, channel, raw, decoded in reader.iter_decoded_messages():
                assert 0 <= raw.log_time - raw.publish_time < patience(20.0) * 1e9
                if channel.topic == "/gimbal/state" and decoded.header.stamp.sec:
                    yaws.append(decoded.yaw_rad)
    assert yaws == [0.1 * number for number in range(MESSAGES)]


def check_tables(folder: Path) -> None:
    def rows(table: str) -> list[dict[str, object]]:
        paths = sorted(folder.glob(f"{table}_*.jsonl"))
        lines = [line for path in paths for line in path.read_text().splitlines()]
        return [row for line in lines if (row := json.loads(line))["stamp_ns"]]

    detections, gimbal = rows("detections"), rows("gimbal")
    stamps = [RecordedTopics.stamp_ns(number) for number in range(MESSAGES)]
    assert [row["stamp_ns"] for row in detections] == stamps
    assert [row["stamp_ns"] for row in gimbal] == stamps
    yaws = {row["stamp_ns"]: row["yaw_rad"] for row in gimbal}
    for row in detections:
        assert row["pose"]["yaw_rad"] == yaws[row["stamp_ns"]]
        assert row["detections"] == [
            {"class": "tent", "score": 0.5, "box_xyxy": [1.0, 2.0, 3.0, 4.0]}
        ]


def check_events(folder: Path, by_hand: Path) -> None:
    events = {path.name: json.loads((path / "event.json").read_text()) for path in folder.iterdir()}
    assert sorted(event["label"] for event in events.values()) == ["Tent", "by hand"]
    assert sorted(event["findings"] for event in events.values()) == [[], ["f1"]]
    assert events[by_hand.name]["label"] == "by hand"
    for name in events:
        with AnyReader([folder / name / "bag"]) as reader:
            assert reader.message_count >= 4 * MESSAGES


def test_mistakes_are_one_line(ros_domain: dict[str, str], tmp_path: Path) -> None:
    cases = {
        "'max_ring_mb' is 10, at least one segment": {"max_ring_mb": 10},
        "type 'no_pkg/msg/No' is not installed": {"extra_topics": "['x:no_pkg/msg/No']"},
    }
    with ExitStack() as stack:
        processes = [
            stack.enter_context(
                recorder(**{"output_dir": tmp_path / "out", "min_free_mb": 0, **case})
            )
            for case in cases.values()
        ]
        for process, text in zip(processes, cases, strict=True):
            _, errors = process.communicate(timeout=patience(30.0))
            assert process.returncode == 2
            assert "Traceback" not in errors
            (line,) = [entry for entry in errors.splitlines() if entry.startswith("error: ")]
            assert re.search(text, line), line
