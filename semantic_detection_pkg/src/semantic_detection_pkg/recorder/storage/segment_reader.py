"""What a finished segment holds, from its summary alone; and the salvage of an unfinished one."""

from __future__ import annotations

import logging
import struct
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Container, Iterator
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.reader import make_reader
from mcap.records import Channel, Chunk, McapRecord, Schema, Statistics
from mcap.records import Message as McapMessage
from mcap.stream_reader import StreamReader, get_chunk_data_stream
from mcap.writer import MCAP0_MAGIC

from semantic_detection_pkg.recorder.core.ring import Segment
from semantic_detection_pkg.recorder.core.topics import Message, OfferedQos, Topic
from semantic_detection_pkg.recorder.storage.bag_metadata import BagFormat, parse_qos
from semantic_detection_pkg.recorder.storage.disk import Disk
from semantic_detection_pkg.recorder.storage.segment_writer import SegmentWriter

#: Opcode, length and content of the footer, then the magic (mcap.dev/spec).
_RECORD_HEAD = struct.Struct("<BQ")
_FOOTER = struct.Struct("<QQI")
_CHANNEL_ID = struct.Struct("<H")  # a message begins with it
_TAIL_BYTES = _RECORD_HEAD.size + _FOOTER.size + len(MCAP0_MAGIC)
_READERS: dict[int, Callable[[ReadDataStream], McapRecord]] = {
    Opcode.SCHEMA: Schema.read,
    Opcode.CHANNEL: Channel.read,
    Opcode.STATISTICS: Statistics.read,
}


_log = logging.getLogger(__name__)


class UnfinishedSegmentError(Exception):
    """The file has no sound summary: it was never closed, was cut off or is damaged."""


def read_segment(path: Path, number: int) -> Segment:
    """Read what is in a finished segment, without reading its messages.

    Raises:
        UnfinishedSegmentError: there is no sound summary.
        OSError: the file cannot be read.
    """
    stat = path.stat()
    try:
        records = _summary(path, stat.st_size)
        statistics = next(r for r in records if isinstance(r, Statistics))
        types = {r.id: r.name for r in records if isinstance(r, Schema)}
        counts: Counter[Topic] = Counter()
        for record in records:
            if isinstance(record, Channel):
                count = statistics.channel_message_counts.get(record.id, 0)
                counts[_topic(record, types[record.schema_id])] += count
    except (McapError, StopIteration, KeyError, ValueError, struct.error) as error:
        raise UnfinishedSegmentError(f"{path}: {error or 'no statistics'}") from error
    return Segment(
        number,
        stat.st_size,
        statistics.message_start_time,
        statistics.message_end_time,
        counts,
    )


def messages_of(path: Path, topics: Collection[str]) -> Iterator[Message]:
    """Yield messages of some topics in a finished segment, in the order of recording.

    What is damaged ends it with a warning.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        try:
            summary = make_reader(file).get_summary()
            if summary is None:
                return
            wanted = {
                channel.id: (_topic(channel, schema.name), schema.data.decode())
                for channel in summary.channels.values()
                if channel.topic in topics and (schema := summary.schemas.get(channel.schema_id))
            }
            for chunk in sorted(summary.chunk_indexes, key=lambda one: one.chunk_start_offset):
                held = chunk.message_index_offsets
                if held and not wanted.keys() & held.keys():
                    continue
                file.seek(chunk.chunk_start_offset + _RECORD_HEAD.size)
                for one in _messages_in(Chunk.read(ReadDataStream(file)), wanted):
                    topic, text = wanted[one.channel_id]
                    yield Message(topic, text, one.log_time, one.publish_time, one.data)
        except (McapError, ValueError, struct.error) as error:
            _log.warning("%s is damaged: %s", path, error)


def _messages_in(chunk: Chunk, channels: Container[int]) -> Iterator[McapMessage]:
    """Yield a chunk's messages of some channels; the others are not unpacked."""
    stream, length = get_chunk_data_stream(chunk)
    data = stream.read(length)
    for opcode, start, end in _records_in(data):
        if opcode == Opcode.MESSAGE and _CHANNEL_ID.unpack_from(data, start)[0] in channels:
            yield McapMessage.read(ReadDataStream(BytesIO(data[start:end])), end - start)


def _summary(path: Path, size: int) -> list[McapRecord]:
    """Return the few records that are needed of the summary, its CRC checked."""
    with path.open("rb") as file:
        if size < _TAIL_BYTES:
            raise ValueError(f"{size} bytes are too few for a footer")
        file.seek(size - _TAIL_BYTES)
        tail = file.read(_TAIL_BYTES)
        opcode, length = _RECORD_HEAD.unpack_from(tail)
        if tail[-len(MCAP0_MAGIC) :] != MCAP0_MAGIC or (opcode, length) != (
            Opcode.FOOTER,
            _FOOTER.size,
        ):
            raise ValueError("no footer")
        start, offsets_start, crc = _FOOTER.unpack_from(tail, _RECORD_HEAD.size)
        if not 0 < start <= size - _TAIL_BYTES:
            raise ValueError("no summary")
        file.seek(start)
        data = file.read(size - _TAIL_BYTES - start)
    # The CRC covers the footer, too, up to itself.
    head = tail[: _RECORD_HEAD.size + _FOOTER.size - 4]
    if crc and zlib.crc32(head, zlib.crc32(data)) != crc:
        raise ValueError("the summary's CRC does not match")
    return _records(data)


def _records(data: bytes) -> list[McapRecord]:
    return [
        _READERS[opcode](ReadDataStream(BytesIO(data[start:end])))
        for opcode, start, end in _records_in(data)
        if opcode in _READERS
    ]


def _records_in(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield opcode, start and end of each record; raises ValueError, struct.error."""
    end = 0
    while end < len(data):
        opcode, length = _RECORD_HEAD.unpack_from(data, end)
        start = end + _RECORD_HEAD.size
        end = start + length
        if end > len(data):
            raise ValueError(f"a record of {length} bytes is cut off")
        yield opcode, start, end


def salvage(disk: Disk, source: Path, target: Path, compression: str, bag_format: BagFormat) -> int:
    """Write the complete chunks of an unfinished segment to a new, finished one.

    Returns:
        Messages kept; 0: there is none, and no file either.

    Raises:
        OSError: the disk refuses.
    """
    writer: SegmentWriter | None = None
    try:
        with source.open("rb") as file:
            for message in _sound_messages(file):
                if writer is None:
                    writer = SegmentWriter(disk, target, compression, bag_format)
                writer.add(message)
        if writer is None:
            return 0
        writer.finish()
    except OSError:
        if writer is not None:
            writer.abandon()
            target.unlink(missing_ok=True)
        raise
    return writer.counts.total()


class _UpToZeros:
    """A file that ends where a record's opcode is 0, which MCAP has not.

    A power cut may leave a tail of zeros; the library would walk through it nine bytes at a time.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, length: int) -> bytes:
        data = self._file.read(length)
        return b"" if length == 1 and data == b"\0" else data


def _sound_messages(file: BinaryIO) -> Iterator[Message]:
    """Yield messages of all chunks up to the first damage."""
    schemas: dict[int, Schema] = {}
    channels: dict[int, tuple[Topic, str]] = {}
    try:
        reader = StreamReader(_UpToZeros(file), validate_crcs=True)  # type: ignore[arg-type]
        for record in reader.records:
            if isinstance(record, Schema):
                schemas[record.id] = record
            elif isinstance(record, Channel):
                schema = schemas[record.schema_id]
                channels[record.id] = (_topic(record, schema.name), schema.data.decode())
            elif isinstance(record, McapMessage):
                topic, definition = channels[record.channel_id]
                yield Message(topic, definition, record.log_time, record.publish_time, record.data)
    except OSError:
        raise
    except Exception:
        # Whatever the library stumbles over in damaged bytes: what came before it is sound.
        return


def _topic(channel: Channel, type_name: str) -> Topic:
    return Topic(
        channel.topic,
        type_name,
        channel.metadata.get("topic_type_hash", ""),
        _qos(channel.metadata.get("offered_qos_profiles", "")),
    )


@lru_cache(maxsize=256)
def _qos(text: str) -> tuple[OfferedQos, ...]:
    return parse_qos(text)
