"""Messages of some topics come out of a segment as an independent reader finds them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pytest
from mcap.reader import make_reader

from semantic_detection_pkg.recorder.core.topics import Message
from semantic_detection_pkg.recorder.storage.bag_metadata import BagFormat
from semantic_detection_pkg.recorder.storage.disk import Disk
from semantic_detection_pkg.recorder.storage.segment_reader import messages_of
from semantic_detection_pkg.recorder.storage.segment_writer import COMPRESSIONS, SegmentWriter
from simulation_pkg.harness.recorded_messages import NS_PER_S, START_NS, counted, message


def written(path: Path, chunks: Sequence[Sequence[Message]], compression: str = "none") -> None:
    writer = SegmentWriter(Disk(), path, compression, BagFormat.JAZZY)
    for chunk in chunks:
        for one in chunk:
            writer.add(one)
        writer.flush()
    writer.finish()


def found(number: int, topic: str = "/findings") -> Message:
    at_ns = START_NS + number * NS_PER_S
    one = message(topic, "interfaces_pkg/msg/Finding", at_ns)
    # Received in another order than recorded.
    return one._replace(received_ns=at_ns - 2 * NS_PER_S * (number % 2), published_ns=number)


CHUNKS = [
    [counted(0, START_NS, 1000), found(1), found(2), counted(1, START_NS, 1000), found(3)],
    [counted(2, START_NS, 1000)],
    [found(4, "/other/findings"), counted(3, START_NS, 1000)],
    [found(5), found(6)],
]


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize(
    "topics", [{"/findings"}, {"/findings", "/other/findings"}, {"/nothing"}, set()]
)
def test_they_come_whole_and_in_the_order_of_recording(
    tmp_path: Path, topics: set[str], compression: str
) -> None:
    path = tmp_path / "ring_0000001.mcap"
    written(path, CHUNKS, compression)
    wanted = [one for chunk in CHUNKS for one in chunk if one.topic.name in topics]
    read = list(messages_of(path, topics))
    assert read == wanted
    with path.open("rb") as file:
        reader = make_reader(file)
        by_time = list(reader.iter_messages(sorted(topics))) if topics else []
    assert sorted(one.received_ns for one in read) == [one.log_time for _, _, one in by_time]


def test_damage_ends_them_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "ring_0000001.mcap"
    written(path, CHUNKS)
    with path.open("rb") as file:
        summary = make_reader(file).get_summary()
    assert summary is not None
    last = summary.chunk_indexes[-1]
    data = bytearray(path.read_bytes())
    # A length inside the last chunk's first record that leads out of the chunk.
    records = last.chunk_start_offset + 9 + 28 + 4 + len(last.compression) + 8
    data[records + 1 : records + 9] = (1 << 40).to_bytes(8, "little")
    path.write_bytes(data)
    with caplog.at_level(logging.WARNING):
        read = list(messages_of(path, {"/findings"}))
    assert [one.published_ns for one in read] == [1, 2, 3]
    assert "is damaged" in caplog.text
