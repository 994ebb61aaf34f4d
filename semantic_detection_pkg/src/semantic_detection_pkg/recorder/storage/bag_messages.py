"""Recorded messages as core types: read by their fields, so no ROS is needed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from ros_support_pkg.core.stamps import from_time
from semantic_detection_pkg.common.core.serialised import stamp_of
from semantic_detection_pkg.errors import ConfigurationError, FrameError
from semantic_detection_pkg.recorder.core.replay.player import Recorded
from semantic_detection_pkg.recorder.core.replay.recorded_words import RecordedWords, from_words
from semantic_detection_pkg.recorder.core.replay.redetect import RecordedPicture
from semantic_detection_pkg.recorder.storage.bag_reader import BagReader
from semantic_detection_pkg.scan.core.from_messages import (
    from_detections,
    from_gimbal_state,
    from_journal,
)


def picture(message: Any) -> RecordedPicture:
    """Return a message of `camera/image_raw/compressed`."""
    return RecordedPicture(from_time(message.header.stamp), bytes(message.data))


GIMBAL, DETECTIONS, JOURNAL = "gimbal/state", "detections", "scan/journal"
PICTURES = "camera/image_raw/compressed"
WORDS = "detector/words"
#: How topics become what a replay takes, by relative name: type and conversion.
_CONVERSIONS: dict[str, tuple[str, Callable[[Any], Recorded | RecordedPicture]]] = {
    GIMBAL: ("interfaces_pkg/msg/GimbalState", from_gimbal_state),
    DETECTIONS: ("interfaces_pkg/msg/Detections", from_detections),
    JOURNAL: ("interfaces_pkg/msg/ScanJournal", from_journal),
    PICTURES: ("sensor_msgs/msg/CompressedImage", picture),
}
_WORDS_TYPE = "interfaces_pkg/msg/WordsInForce"


def recording(
    reader: BagReader,
    namespace: str,
    topics: Collection[str],
    *,
    is_wanted: Callable[[str, int], bool] = lambda _topic, _stamp_ns: True,
    start_ns: int | None = None,
    stop_ns: int | None = None,
) -> Iterator[Recorded | RecordedPicture]:
    """Yield messages of some topics, in the order in which they were received.

    Args:
        topics: of GIMBAL, DETECTIONS, JOURNAL and PICTURES.
        is_wanted: is given topic and stamp [ns] of a message; what is not wanted is not unpacked.
        start_ns, stop_ns: [ns] receive time, from the one and before the other; None: no limit.

    Raises:
        ConfigurationError: the bag is damaged, or its messages are of another version.
    """
    types = {topic: _CONVERSIONS[topic][0] for topic in topics}
    for message in reader.messages(namespace, types, start_ns, stop_ns):
        if not is_wanted(message.topic, stamp_of(message.data)):
            continue
        content = reader.read(message)
        try:
            yield _CONVERSIONS[message.topic][1](content)
        except AttributeError as error:
            raise ConfigurationError(
                f"bag {reader.path}: {message.connection.msgtype} is of another version: {error}"
            ) from error
        except FrameError:
            continue  # detections that contradict themselves: the controller was not given them


def scan_recording(reader: BagReader, namespace: str) -> Iterator[Recorded]:
    """Yield all that `core.replay.player.replay` takes of a bag; raises as `recording`."""
    for item in recording(reader, namespace, (GIMBAL, DETECTIONS, JOURNAL)):
        if not isinstance(item, RecordedPicture):
            yield item


def words_by_stamp(reader: BagReader, namespace: str) -> dict[int, RecordedWords]:
    """Return what the recorded detector looked for, by the stamps that its detections name.

    Raises:
        ConfigurationError: as `recording`.
    """
    found: dict[int, RecordedWords] = {}
    for message in reader.messages(namespace, {WORDS: _WORDS_TYPE}):
        if stamp_of(message.data) not in found:  # it is told again and again
            words = from_words(reader.read(message))
            found[words.since_ns] = words
    return found
