"""One MCAP file of the ring, while it is written."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from mcap.writer import CompressionType, Writer

from semantic_detection_pkg.recorder.core.topics import Message, Topic
from semantic_detection_pkg.recorder.storage.bag_metadata import BagFormat, qos_text
from semantic_detection_pkg.recorder.storage.disk import Disk

_NEVER = 1 << 62  # the library's own limit of a chunk: chunks are closed here
_PROFILE = "ros2"  # MCAP's well-known profile: message encoding "cdr", schemas "ros2msg"
COMPRESSIONS = {"none": CompressionType.NONE, "zstd": CompressionType.ZSTD}


class SegmentWriter:
    """Messages in chunks with CRCs; definitions and QoS lie in the file itself."""

    def __init__(self, disk: Disk, path: Path, compression: str, bag_format: BagFormat) -> None:
        """Create the file.

        Args:
            compression: of its chunks, a key of `COMPRESSIONS`.

        Raises:
            OSError: it cannot be made.
        """
        self._file = disk.create(path)
        self._format = bag_format
        self._writer = Writer(
            self._file,  # type: ignore[arg-type]  # it needs write, tell and flush only
            chunk_size=_NEVER,
            compression=COMPRESSIONS[compression],
        )
        self._schemas: dict[str, int] = {}
        self._channels: dict[Topic, int] = {}
        self._sound_bytes = 0
        self._pending_bytes = 0
        self.pending: list[Message] = []
        self.counts: Counter[Topic] = Counter()
        self.start_ns = 0
        self.end_ns = 0
        try:
            self._writer.start(_PROFILE, "semantic_detection")
        except OSError:
            self._file.close()
            raise

    @property
    def bytes(self) -> int:
        """Of the file so far, with what waits for its chunk."""
        return self._file.tell() + self._pending_bytes

    @property
    def pending_bytes(self) -> int:
        """Of the messages that wait for their chunk."""
        return self._pending_bytes

    @property
    def written(self) -> int:
        """Messages that the kernel has."""
        return self.counts.total() - len(self.pending)

    @property
    def is_in_place(self) -> bool:
        """Whether the file can still be found by its name."""
        return self._file.is_in_place()

    def add(self, message: Message) -> None:
        """Append to the chunk in the making."""
        topic = message.topic
        channel = self._channels.get(topic) or self._register(topic, message.definition)
        self.pending.append(message)
        self._pending_bytes += len(message.data)
        self.counts[topic] += 1
        self._writer.add_message(
            channel,
            message.received_ns,
            message.data,
            message.published_ns,
            self.counts[topic],
        )
        self.start_ns = min(self.start_ns or message.received_ns, message.received_ns)
        self.end_ns = max(self.end_ns, message.received_ns)

    def flush(self) -> None:
        """Close the chunk and hand it to the kernel.

        Raises:
            OSError: the disk refuses; `abandon` is all that is left to do. `pending` then holds
                the messages that are not in the file.
        """
        self._writer.flush()
        self._sound_bytes = self._file.tell()
        self._pending_bytes = 0
        self.pending = []

    def sync(self) -> None:
        """Wait until what was flushed is on the medium; raises OSError."""
        self._file.sync()

    def finish(self) -> None:
        """Write index and footer, sync, close; raises OSError."""
        self.flush()
        self._writer.finish()
        self._file.sync()
        self._file.close()

    def abandon(self) -> None:
        """Close the file after the last whole chunk, to be repaired."""
        self._file.cut(self._sound_bytes)
        self._file.close()

    def _register(self, topic: Topic, definition: str) -> int:
        schema = self._schemas.get(topic.type_name)
        if schema is None:
            schema = self._writer.register_schema(topic.type_name, "ros2msg", definition.encode())
            self._schemas[topic.type_name] = schema
        # What rosbag2's own MCAP storage puts beside a channel.
        metadata = {
            "offered_qos_profiles": qos_text(topic.qos, self._format),
            "topic_type_hash": topic.type_hash,
        }
        channel = self._writer.register_channel(topic.name, "cdr", schema, metadata)
        self._channels[topic] = channel
        return channel
