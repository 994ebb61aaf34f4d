"""Bags, tables and events as other people's readers see them."""

from __future__ import annotations

import json
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_disk import FakeDisk
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from recording_reader import numbers_in
from rosbags.highlevel import AnyReader
from rosbags.interfaces import QosDurability, QosReliability
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from semantic_detection_pkg.recorder.core.events import Event, EventRules
from semantic_detection_pkg.recorder.core.ring import RingRules
from semantic_detection_pkg.recorder.core.topics import Message, Topic
from semantic_detection_pkg.recorder.storage.bag_metadata import BagFormat, parse_qos, qos_text
from semantic_detection_pkg.recorder.storage.bag_reader import BagReader, installed_types
from semantic_detection_pkg.recorder.storage.disk import Disk
from semantic_detection_pkg.recorder.storage.session import RecordingSession, SessionSettings
from semantic_detection_pkg.recorder.storage.tables import Row
from simulation_pkg.harness.recorded_messages import (
    NS_PER_S,
    ROOT,
    SENSOR,
    START_NS,
    STATE,
    blank,
    counted,
    message,
    typestore,
)

SETTINGS = SessionSettings(
    RingRules(1 << 30, 0, 1 << 20, 3600.0), EventRules(1 << 30, before_s=1.0, after_s=1.0)
)
TYPES = sorted(
    [f"interfaces_pkg/msg/{path.stem}" for path in (ROOT / "interfaces_pkg/msg").glob("*.msg")]
    + [
        "sensor_msgs/msg/CompressedImage",
        "sensor_msgs/msg/CameraInfo",
        "sensor_msgs/msg/JointState",
        "diagnostic_msgs/msg/DiagnosticArray",
    ]
)


def session(
    folder: Path,
    settings: SessionSettings = SETTINGS,
    disk: Disk | None = None,
    rows_of: Callable[[Message], Iterable[Row]] = lambda _: (),
) -> RecordingSession:
    folder.mkdir(exist_ok=True)
    recording = RecordingSession(folder, settings, disk or Disk(), rows_of)
    recording.open()
    return recording


def segments(bag: Path) -> list[Path]:
    return sorted(bag.glob("*.mcap"))


def topic_of(type_name: str) -> str:
    return "/" + type_name.rpartition("/")[2].lower()


@pytest.fixture(scope="module", params=["jazzy none", "jazzy zstd", "humble none"])
def bag(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three messages of every type over two segments."""
    folder = tmp_path_factory.mktemp("bag")
    distribution, compression = request.param.split()
    settings = replace(
        SETTINGS, compression=compression, bag_format=BagFormat[distribution.upper()]
    )
    for part in range(2):
        recording = session(folder, settings)
        for number in range(part, 3, 2):
            for type_name in TYPES:
                qos = STATE if "Gpu" in type_name else SENSOR
                at_ns = START_NS + number * NS_PER_S
                recording.write(
                    deque([message(topic_of(type_name), type_name, at_ns, qos)]), float(number)
                )
        recording.close()
    return folder / "ring"


def test_rosbags_reads_every_message(bag: Path) -> None:
    with AnyReader([bag]) as reader:
        assert reader.message_count == 3 * len(TYPES)
        assert (reader.start_time, reader.end_time) == (START_NS, START_NS + 2 * NS_PER_S + 1)
        found: Counter[str] = Counter()
        for connection, at_ns, data in reader.messages():
            # Deserialised with the definition that lies in the bag, not with ours.
            theirs = reader.deserialize(data, connection.msgtype)
            ours = blank(connection.msgtype)
            assert repr(theirs) == repr(typestore().deserialize_cdr(data, connection.msgtype))
            assert type(theirs).__name__ == type(ours).__name__
            assert (at_ns - START_NS) % NS_PER_S == 0
            found[connection.msgtype] += 1
        assert found == dict.fromkeys(TYPES, 3)
        by_topic = {connection.topic: connection for connection in reader.connections}
    assert {topic: c.msgcount for topic, c in by_topic.items()} == {
        topic_of(type_name): 3 for type_name in TYPES
    }
    (state,), (sensor,) = (
        by_topic[name].ext.offered_qos_profiles for name in ("/gpustate", "/detections")
    )
    assert (state.reliability, state.durability) == (
        QosReliability.RELIABLE,
        QosDurability.TRANSIENT_LOCAL,
    )
    assert (sensor.reliability, sensor.durability) == (
        QosReliability.BEST_EFFORT,
        QosDurability.VOLATILE,
    )


def test_mcap_ros2_reads_every_message(bag: Path) -> None:
    """The reader that Foxglove's tools use: definitions in the file, times, chunk CRCs."""
    found: Counter[str] = Counter()
    for path in segments(bag):
        with path.open("rb") as file:
            reader = make_reader(file, validate_crcs=True, decoder_factories=[DecoderFactory()])
            assert reader.get_header().profile == "ros2"
            for schema, channel, raw, decoded in reader.iter_decoded_messages():
                assert (schema.encoding, channel.message_encoding) == ("ros2msg", "cdr")
                assert raw.publish_time == raw.log_time - 5
                header = getattr(decoded, "header", None)
                assert header is None or header.frame_id == "frame_id ä"
                found[schema.name] += 1
    assert found == dict.fromkeys(TYPES, 3)


def test_metadata_has_the_form_of_its_distribution(bag: Path) -> None:
    information = yaml.safe_load((bag / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    topic = information["topics_with_message_count"][0]["topic_metadata"]
    if information["version"] == 9:
        assert topic["offered_qos_profiles"][0]["reliability"] == "best_effort"
        assert topic["type_description_hash"].startswith("RIHS01_")
        assert information["ros_distro"] == "jazzy"
    else:  # Humble: a text, policies by number, and nothing that it does not know
        assert information["version"] == 5
        assert yaml.safe_load(topic["offered_qos_profiles"])[0]["reliability"] == 2
        assert "type_description_hash" not in topic
        assert not {"custom_data", "ros_distro"} & set(information)
    assert information["relative_file_paths"] == [path.name for path in segments(bag)]
    assert [entry["path"] for entry in information["files"]] == [p.name for p in segments(bag)]
    assert sum(entry["message_count"] for entry in information["files"]) == 3 * len(TYPES)


def test_qos_of_either_distribution_is_read_after_an_upgrade(tmp_path: Path) -> None:
    for number, bag_format in enumerate(BagFormat):
        recording = session(tmp_path / "r", replace(SETTINGS, bag_format=bag_format))
        recording.write(deque([counted(number)]), 0.0)
        recording.close()
    with AnyReader([tmp_path / "r/ring"]) as reader:
        assert [len(c.ext.offered_qos_profiles) for c in reader.connections] == [1]
    assert parse_qos(qos_text((SENSOR, STATE), BagFormat.HUMBLE)) == (SENSOR, STATE)
    for bad in ("[", "3", "[3]"):
        with pytest.raises(ValueError, match="QoS"):
            parse_qos(bad)


# ------------------------------------------------------------------------------- ring on the disk


def fill(recording: RecordingSession, numbers: range, padding: int = 10_000) -> None:
    for number in numbers:
        recording.write(deque([counted(number, padding=padding)]), float(number))


SMALL = RingRules(
    max_ring_bytes=500_000, min_free_bytes=0, segment_bytes=100_000, segment_duration_s=3600.0
)


def used(folder: Path) -> int:
    return sum(
        path.stat().st_size
        for kind in ("ring", "tables")
        for path in (folder / kind).glob("*")
        if path.name != "metadata.yaml"
    )


def test_ten_turnovers_keep_the_budget_and_the_newest(tmp_path: Path) -> None:
    rows = [("gimbal", {"text": "x" * 200})]
    recording = session(tmp_path / "r", replace(SETTINGS, ring=SMALL), rows_of=lambda _: rows)
    for number in range(250):  # 250 x 20 kB are ten times the budget
        fill(recording, range(number, number + 1), padding=20_000)
        recording.tick(number / 10)
        assert used(tmp_path / "r") <= SMALL.max_ring_bytes + SMALL.segment_bytes
        assert recording.bytes_used <= SMALL.max_ring_bytes + SMALL.segment_bytes
    recording.close()
    ring = tmp_path / "r/ring"
    kept = numbers_in(*segments(ring))
    assert kept == list(range(kept[0], 250))
    assert len(kept) * 20_000 >= SMALL.max_ring_bytes - 2 * SMALL.segment_bytes
    with AnyReader([ring]) as reader:
        assert reader.message_count == len(kept)
    tables = sorted((tmp_path / "r/tables").iterdir())
    assert [t.stem[-7:] for t in tables] == [s.stem[-7:] for s in segments(ring)]
    assert sum(len(t.read_text().splitlines()) for t in tables) == len(kept)
    assert recording.oldest_ns == START_NS + kept[0] * NS_PER_S // 100


def test_a_message_that_makes_no_row_is_recorded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def rows_of(message: Message) -> Iterable[Row]:
        yield "gimbal", {"bad": message.data[1 << 30]}

    recording = session(tmp_path / "r", rows_of=rows_of)
    fill(recording, range(3))
    recording.close()
    assert numbers_in(*segments(tmp_path / "r/ring")) == [0, 1, 2]
    assert [r.message for r in caplog.records] == [
        "a message of /counted makes no row: IndexError('index out of range')"
    ]


def test_a_segment_is_closed_by_age(tmp_path: Path) -> None:
    rules = replace(SMALL, segment_duration_s=5.0)
    recording = session(tmp_path / "r", replace(SETTINGS, ring=rules))
    fill(recording, range(1), padding=0)
    recording.tick(4.9)
    assert segments(tmp_path / "r/ring") == []
    recording.tick(5.0)
    assert numbers_in(*segments(tmp_path / "r/ring")) == [0]


def test_the_free_space_floor_is_kept(tmp_path: Path) -> None:
    disk = FakeDisk(tmp_path / "r")
    disk.capacity_bytes = 1_000_000
    rules = replace(SMALL, max_ring_bytes=1 << 30, min_free_bytes=400_000)
    recording = session(tmp_path / "r", replace(SETTINGS, ring=rules), disk)
    for number in range(200):
        fill(recording, range(number, number + 1))
        recording.tick(float(number))
        assert disk.room() >= 400_000
    recording.close()
    kept = numbers_in(*segments(tmp_path / "r/ring"))
    assert kept == list(range(kept[0], 200))


def test_a_full_disk_makes_the_oldest_go_and_loses_nothing_new(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody else fills the disk: no floor helps, the write itself finds it full."""
    disk = FakeDisk(tmp_path / "r")
    rules = replace(SMALL, max_ring_bytes=1 << 30)
    recording = session(tmp_path / "r", replace(SETTINGS, ring=rules), disk)
    fill(recording, range(40))
    disk.capacity_bytes = used(tmp_path / "r")
    fill(recording, range(40, 120))
    recording.close()
    kept = numbers_in(*segments(tmp_path / "r/ring"))
    assert kept == list(range(kept[0], 120))
    assert kept[0] > 0
    assert [record.message for record in caplog.records if "full" in record.message] == [
        f"the disk of {tmp_path / 'r'} is full up to the floor: the oldest segments are removed"
    ]
    with AnyReader([tmp_path / "r/ring"]) as reader:
        assert reader.message_count == len(kept)


def test_what_did_not_get_to_the_disk_is_given_back(tmp_path: Path) -> None:
    disk = FakeDisk(tmp_path / "r")
    recording = session(tmp_path / "r", SETTINGS, disk)
    fill(recording, range(5))
    recording.tick(10.0)
    fill(recording, range(5, 8))
    disk.capacity_bytes = used(tmp_path / "r") + 15_000  # half of the chunk
    with pytest.raises(OSError, match="No space"):
        recording.tick(20.0)
    pending = recording.abandon()
    assert len(pending) == 3
    disk.capacity_bytes = None
    recording.open()
    recording.write(deque(pending), 30.0)
    recording.close()
    assert numbers_in(*segments(tmp_path / "r/ring")) == list(range(8))
    assert recording.written == 8


# ------------------------------------------------------------------------------- events


def event(name: str, start_s: float, end_s: float, **more: Any) -> Event:
    at = [START_NS + int(s * NS_PER_S) for s in (start_s, end_s)]
    return Event(name, "a tent", at[0], at[0], at[1], **more)


@pytest.mark.parametrize("has_links", [True, False], ids=["links", "copies"])
def test_an_event_keeps_its_segments_beyond_the_ring(tmp_path: Path, has_links: bool) -> None:
    disk = FakeDisk(tmp_path / "r")
    disk.has_links = has_links
    recording = session(tmp_path / "r", replace(SETTINGS, ring=SMALL), disk)
    fill(recording, range(20))  # 10 ms apart, ten in a segment
    recording.keep(event("e1", 0.15, 0.32, findings=("f1",)))
    fill(recording, range(20, 200))
    folder = tmp_path / "r/events/e1"
    fields = json.loads((folder / "event.json").read_text())
    assert (fields["label"], fields["findings"], fields["is_complete"]) == ("a tent", ["f1"], True)
    with AnyReader([folder / "bag"]) as reader:  # its own metadata, a bag in itself
        kept = numbers_in(*segments(folder / "bag"))
        assert reader.message_count == len(kept)
    assert set(range(15, 33)) <= set(kept) <= set(range(10, 40))
    assert set(kept).isdisjoint(numbers_in(*segments(tmp_path / "r/ring")))
    links = {path.stat().st_nlink for path in segments(folder / "bag")}
    assert links == {1}, "the ring has let them go"


def test_events_stay_in_the_order_of_their_marks(tmp_path: Path) -> None:
    """After a start, too: the oldest go first, and the clock may have been set back."""
    recording = session(tmp_path / "r", replace(SETTINGS, ring=SMALL))
    for number, name in enumerate(["2026_a", "2027_b", "1970_c"]):
        fill(recording, range(20 * number, 20 * number + 20))
        recording.keep(event(name, 0.2 * number, 0.2 * number + 0.1))
    recording.close()
    again = session(tmp_path / "r", replace(SETTINGS, ring=SMALL))
    assert [one.name for one in again.events.events] == ["2026_a", "2027_b", "1970_c"]
    again.close()


def test_an_event_goes_on_after_a_power_cut(tmp_path: Path) -> None:
    first = session(tmp_path / "r")
    fill(first, range(3))
    first.keep(event("e1", 0.0, 0.05))
    first.tick(10.0)
    first.abandon()  # as after kill -9
    second = session(tmp_path / "r")
    assert second.events.events[0].is_complete is False
    fill(second, range(3, 10))
    second.close()
    assert second.events.events[0].is_complete
    assert numbers_in(*segments(tmp_path / "r/events/e1/bag")) == list(range(10))


def test_the_oldest_event_goes_when_the_budget_is_exceeded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rules = EventRules(350_000, 1.0, 1.0)
    recording = session(tmp_path / "r", replace(SETTINGS, ring=SMALL, events=rules))
    for number in range(4):
        fill(recording, range(20 * number, 20 * number + 20))
        recording.keep(event(f"e{number}", 0.2 * number, 0.2 * number + 0.15))
    fill(recording, range(80, 100))
    recording.close()
    names = [e.name for e in recording.events.events]
    assert names == ["e3"] or names == ["e2", "e3"]
    assert recording.events.bytes <= 350_000
    assert sorted(path.name for path in (tmp_path / "r/events").iterdir()) == names
    assert "e0 is removed" in caplog.text
    # An evicted segment's number is never given again, or an event's bag would hold two of it.
    assert session(tmp_path / "r").events.last_number > 0


def test_an_event_is_not_complete_by_segments_of_a_clock_that_was_ahead(tmp_path: Path) -> None:
    """Without a battery the clock jumps, backwards, too."""
    recording = session(tmp_path / "r")
    recording.write(deque([counted(0, START_NS + 3600 * NS_PER_S)]), 0.0)
    recording.close()
    recording.open()
    recording.keep(event("e1", 0.0, 0.05))
    assert not recording.events.events[0].is_complete
    fill(recording, range(1, 10))
    recording.close()
    assert recording.events.events[0].is_complete
    assert numbers_in(*segments(tmp_path / "r/events/e1/bag")) == list(range(1, 10))


def test_an_event_of_which_nothing_is_left_is_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recording = session(tmp_path / "r")
    fill(recording, range(20))
    recording.close()
    recording.open()
    recording.keep(event("e1", -9.0, -5.0))
    assert [e.name for e in recording.events.events] == ["e1"]
    fill(recording, range(20, 21))
    recording.close()
    assert recording.events.events == []
    assert list((tmp_path / "r/events").iterdir()) == []
    assert "nothing of e1 is in the ring any more" in caplog.text


def test_a_folder_that_is_no_event_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    session(tmp_path / "r").close()
    (tmp_path / "r/events/mine").mkdir()
    (tmp_path / "r/events/broken").mkdir()
    (tmp_path / "r/events/broken/event.json").write_text("{")
    assert session(tmp_path / "r").events.events == []
    assert [r.message.endswith("the folder is left alone") for r in caplog.records] == [True] * 2
    assert (tmp_path / "r/events/mine").exists()


def test_of_a_type_in_two_workspaces_the_overlay_counts(
    bag: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An overlay with a newer definition made each bag unreadable: "is it damaged?"."""
    for workspace, fields in (("overlay", "float64 a\nfloat64 b\n"), ("underlay", "float64 a\n")):
        folder = tmp_path / workspace / "share" / "interfaces_pkg" / "msg"
        folder.mkdir(parents=True)
        (folder / "Changed.msg").write_text(fields)
    prefixes = [str(tmp_path / "overlay"), str(tmp_path / "underlay")]
    monkeypatch.setenv("AMENT_PREFIX_PATH", os.pathsep.join(prefixes))
    with BagReader(bag) as reader:
        assert reader.connections
    changed = installed_types().get_msgdef("interfaces_pkg/msg/Changed")
    assert [name for name, _ in changed.fields] == ["a", "b"]


@pytest.mark.parametrize("bag_format", [BagFormat.JAZZY, BagFormat.HUMBLE])
def test_a_ring_that_outlives_an_upgrade_is_read_by_both_definitions(
    tmp_path: Path, bag_format: BagFormat
) -> None:
    """It was "cut off or damaged": each type was read by one definition."""
    kind = "std_msgs/msg/Versioned"
    for version, text in enumerate(("int32 a\n", "int32 a\nint32 b\n"), start=1):
        store = get_typestore(Stores.EMPTY)
        store.register(get_types_from_msg(text, kind))
        data = bytes(store.serialize_cdr(store.types[kind](*range(7, 7 + version)), kind))
        topic = Topic("/versioned", kind, store.hash_rihs01(kind), (SENSOR,))
        at_ns = START_NS + version * NS_PER_S
        recording = session(tmp_path / "out", replace(SETTINGS, bag_format=bag_format))
        recording.write(deque([Message(topic, text, at_ns, at_ns, data)]), 0.0)
        recording.close()
    with BagReader(tmp_path / "out") as reader:
        read = [vars(reader.read(one)) for one in reader.messages("/", {"versioned": kind})]
        assert [one.msgcount for one in reader.connections] == [1, 1]
    assert [{k: v for k, v in one.items() if k in "ab"} for one in read] == [
        {"a": 7},
        {"a": 7, "b": 8},
    ]
