"""metadata.yaml of a rosbag2 folder, in the form of Jazzy or of Humble.

Fields by version: rosbag2_storage/yaml.hpp of ros2/rosbag2. Version 4 brought QoS as a text of
YAML, 5 the list of files, 7 type hashes, 8 the distribution; 9 writes QoS as structure with names.
Humble reads up to 5 and refuses a structure, Jazzy reads all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import Enum
from typing import Any

import yaml

from semantic_detection_pkg.recorder.core.ring import Segment
from semantic_detection_pkg.recorder.core.topics import OfferedQos, Topic

FILE_NAME = "metadata.yaml"


class BagFormat(Enum):
    """Which rosbag2 is to read the bag; the value is the metadata's version."""

    HUMBLE = 5
    JAZZY = 9


def segment_name(number: int) -> str:
    """Return the file name of a segment of the ring, in the ring and in events."""
    return f"ring_{number:07d}.mcap"


def bag_metadata(segments: Sequence[Segment], bag_format: BagFormat) -> bytes:
    """Return the content of metadata.yaml.

    Args:
        segments: in the order of their numbers; at least one.
    """
    start_ns = min(segment.start_ns for segment in segments)
    end_ns = max(segment.end_ns for segment in segments)
    counts: Counter[Topic] = Counter()
    for segment in segments:
        counts.update(segment.counts)
    information: dict[str, Any] = {
        "version": bag_format.value,
        "storage_identifier": "mcap",
        "duration": {"nanoseconds": end_ns - start_ns},
        "starting_time": {"nanoseconds_since_epoch": start_ns},
        "message_count": counts.total(),
        "topics_with_message_count": [
            {"topic_metadata": _topic(topics, bag_format), "message_count": count}
            for topics, count in _by_name(counts)
        ],
        "compression_format": "",
        "compression_mode": "",
        "relative_file_paths": [segment_name(segment.number) for segment in segments],
        "files": [
            {
                "path": segment_name(segment.number),
                "starting_time": {"nanoseconds_since_epoch": segment.start_ns},
                "duration": {"nanoseconds": segment.end_ns - segment.start_ns},
                "message_count": segment.messages,
            }
            for segment in segments
        ],
    }
    if bag_format is BagFormat.JAZZY:
        information |= {"custom_data": None, "ros_distro": "jazzy"}
    document = {"rosbag2_bagfile_information": information}
    return str(yaml.dump(document, Dumper=_Dumper, sort_keys=False)).encode()


def qos_text(qos: Sequence[OfferedQos], bag_format: BagFormat) -> str:
    """Return QoS as a text of YAML, as channels have it in every version."""
    if not qos:
        return ""
    return str(yaml.dump(_qos(qos, bag_format), Dumper=_Dumper, sort_keys=False)).strip()


def parse_qos(text: str) -> tuple[OfferedQos, ...]:
    """Read `qos_text` of any version.

    Raises:
        ValueError: it is no list of QoS.
    """
    try:
        entries = yaml.load(text, Loader=_Loader) or []
    except yaml.YAMLError as error:
        raise ValueError(f"QoS {text!r} is no YAML") from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"QoS {text!r} is no list of profiles")
    return tuple(OfferedQos.from_rosbag2(entry) for entry in entries)


def _by_name(counts: Counter[Topic]) -> list[tuple[list[Topic], int]]:
    """Return topics by name and type: what differs in QoS only, after a restart say, is one."""
    merged: dict[tuple[str, str], tuple[list[Topic], int]] = {}
    for topic, count in sorted(counts.items(), key=lambda item: item[0].name):
        key = (topic.name, topic.type_name)
        topics, sum_so_far = merged.get(key, ([], 0))
        merged[key] = ([*topics, topic], sum_so_far + count)
    return list(merged.values())


def _topic(topics: Sequence[Topic], bag_format: BagFormat) -> dict[str, Any]:
    newest = topics[-1]
    qos = list(dict.fromkeys(profile for topic in topics for profile in topic.qos))
    entry: dict[str, Any] = {
        "name": newest.name,
        "type": newest.type_name,
        "serialization_format": "cdr",
    }
    if bag_format is BagFormat.JAZZY:
        entry["offered_qos_profiles"] = _qos(qos, bag_format)
        entry["type_description_hash"] = newest.type_hash
    else:
        entry["offered_qos_profiles"] = qos_text(qos, bag_format)
    return entry


def _qos(qos: Sequence[OfferedQos], bag_format: BagFormat) -> list[dict[str, Any]]:
    by_name = bag_format is BagFormat.JAZZY
    return [profile.to_rosbag2(by_name=by_name) for profile in qos]


_BaseDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Dumper(_BaseDumper):
    """Without anchors: yaml-cpp reads them, people do not."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True
