"""Findings among the recorded messages: which of them are to be kept."""

from __future__ import annotations

from functools import lru_cache

from rclpy.serialization import deserialize_message

from interfaces_pkg.msg import Finding
from semantic_detection_pkg.recorder.core.definitions import is_same
from semantic_detection_pkg.recorder.core.events import FindingMark
from semantic_detection_pkg.recorder.core.topics import Message
from semantic_detection_pkg.recorder.ros.topics import definition
from semantic_detection_pkg.recorder.storage.session import FINDING_TYPE


def read_finding(message: Message) -> Finding:
    """Return a serialised finding as a message.

    Raises:
        ValueError: its bytes are no finding.
    """
    try:
        finding: Finding = deserialize_message(message.data, Finding)
    except (ValueError, RuntimeError) as error:
        raise ValueError(f"a message is no finding: {error}") from error
    return finding


def confirmed_finding(message: Message) -> FindingMark | None:
    """Return the confirmed finding that a recorded message is.

    Returns:
        None where it is not confirmed, or of another version, whose bytes would be misread.
    """
    if not _is_of_today(message.definition):
        return None
    try:
        finding = read_finding(message)
    except ValueError:
        return None
    if finding.state != Finding.STATE_CONFIRMED:
        return None
    return FindingMark(finding.id, finding.class_name, message)


@lru_cache(maxsize=8)
def _is_of_today(text: str) -> bool:
    return is_same(text, definition(FINDING_TYPE))
