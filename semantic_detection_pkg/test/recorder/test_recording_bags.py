"""Bags as other people's readers see them, and as ours reads those of other definitions.

What the ring keeps: `test_recording_ring.py`; events: `test_recording_events.py`.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from recording_sessions import segments, session
from rosbags.highlevel import AnyReader
from rosbags.interfaces import QosDurability, QosReliability
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from semantic_detection_pkg.recorder.core.topics import Message, Topic
from semantic_detection_pkg.recorder.storage.bag_metadata import BagFormat, parse_qos, qos_text
from semantic_detection_pkg.recorder.storage.bag_reader import BagReader, installed_types
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
from simulation_pkg.harness.scan_recording import SETTINGS

TYPES = sorted(
    [f"interfaces_pkg/msg/{path.stem}" for path in (ROOT / "interfaces_pkg/msg").glob("*.msg")]
    + [
        "sensor_msgs/msg/CompressedImage",
        "sensor_msgs/msg/CameraInfo",
        "sensor_msgs/msg/JointState",
        "diagnostic_msgs/msg/DiagnosticArray",
    ]
)


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
