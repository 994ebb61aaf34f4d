"""Bags of rosbag2, MCAP or SQLite, read without ROS; what is wrong with one is said in one line."""

from __future__ import annotations

import copy
import hashlib
import os
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rosbags.interfaces import Connection, MessageDefinition, MessageDefinitionFormat
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore

from ros_support_pkg.core.closing import Closing
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.recorder.storage.foreign_bags import METADATA, foreign_reason
from semantic_detection_pkg.recorder.storage.recording_order import in_recording_order, storages_of

#: Where a folder that is no bag itself may have one: an event, or the recorder's output.
_INNER = ("bag", "ring")
#: How the library says that it does not know a kind of bag.
_NOT_KNOWN = "not supported"
#: What can be read alone.
_FILES = (".mcap", ".db3")
_OURS = "interfaces_pkg"


#: Number of a file and time of receiving [ns]: times alone may run back, files do not.
Place = tuple[int, int]
_BEFORE_ALL = -(2**63)


def beginning_of(file: int) -> Place:
    """Return the place before all messages of a file."""
    return file, _BEFORE_ALL


@dataclass(frozen=True)
class BagMessage:
    """One message.

    Attributes:
        topic: as it was asked for, with or without its namespace.
        connection: of the bag: full name, type and offered QoS.
        received_ns: [ns] since the epoch.
        data: CDR.
        file: number of the file that it lies in, from 0 on.
    """

    topic: str
    connection: Connection
    received_ns: int
    data: bytes
    file: int = 0

    @property
    def place(self) -> Place:
        """Where it lies in the recording."""
        return self.file, self.received_ns


@dataclass(frozen=True)
class Part:
    """A stretch of a recording, by places: from `start` on and before `stop`."""

    start: Place
    stop: Place

    @property
    def files(self) -> range:
        """Numbers of the files that it has a share in."""
        is_at_edge = self.stop[1] <= _BEFORE_ALL
        return range(self.start[0], self.stop[0] + (0 if is_at_edge else 1))


class BagReader(Closing):
    """A bag that is open for reading; a context manager.

    Attributes:
        path: of the bag.
        stretch: what of it is read; None: all.
    """

    def __init__(self, path: Path) -> None:
        """Open a bag.

        Args:
            path: a bag's folder, that of an event, the recorder's output folder, or a file of a
                bag alone, .mcap or .db3.

        Raises:
            ConfigurationError: it cannot be read.
        """
        self.path = _bag_folder(path)
        self._types: dict[tuple[str, str], Any] = {}  # by definition and name
        self.stretch: Part | None = None
        with _Explained(self.path):
            self._reader = Reader(self.path)
            self._reader.open()
            _accept_changes(self._reader)
        if not self._reader.message_count:
            self.close()
            raise ConfigurationError(f"bag {self.path} is empty: it holds no message")

    def close(self) -> None:
        """Close its files."""
        self._reader.close()

    @property
    def start_ns(self) -> int:
        """[ns] since the epoch, of the first message received."""
        if self.stretch is None:
            return int(self._reader.start_time)
        start_ns = self.file_spans()[self.stretch.start[0]][0]
        return max(start_ns, self.stretch.start[1])

    @property
    def end_ns(self) -> int:
        """[ns] since the epoch, of the last message received."""
        if self.stretch is None:
            return int(self._reader.end_time)
        end_ns = self.file_spans()[self.stretch.files[-1]][1]
        return min(end_ns, self.stretch.stop[1]) if self.stretch.stop[1] > _BEFORE_ALL else end_ns

    @property
    def connections(self) -> list[Connection]:
        """All topics with what was offered."""
        return list(self._reader.connections)

    def file_spans(self) -> list[tuple[int, int]]:
        """Return when each file's messages were received, from the first to the last [ns]."""
        spans = (storage.metadata for storage in storages_of(self._reader))
        return [(int(one.start_time), int(one.end_time) - 1) for one in spans]

    def files(self) -> list[Path]:
        """Return the bag's files, as `file_spans` counts them; if compressed, what is there."""
        found = []
        for storage in storages_of(self._reader):
            path = Path(storage.path)
            if path.parent not in (self.path, self.path.parent):  # it was unpacked elsewhere
                packed = sorted(self.path.glob(f"{path.name}.*"))
                path = packed[0] if packed else self.path
            found.append(path)
        return found

    def part(self, part: Part) -> BagReader:
        """Return a reader of one stretch alone; it is closed with this one."""
        reader = copy.copy(self)
        reader.stretch = part
        return reader

    def counts(self) -> Counter[tuple[str, str]]:
        """Return how many messages there are, by (topic, type).

        Raises:
            ConfigurationError: the bag is damaged.
        """
        counts: Counter[tuple[str, str]] = Counter()
        if self.stretch is None:
            for connection in self._reader.connections:
                counts[connection.topic, connection.msgtype] += connection.msgcount
            return counts
        storages = storages_of(self._reader)
        for file in self.stretch.files:
            if (
                beginning_of(file) >= self.stretch.start
                and beginning_of(file + 1) <= self.stretch.stop
            ):
                for connection in storages[file].connections:
                    counts[connection.topic, connection.msgtype] += connection.msgcount
        cut = {file for file in (self.stretch.start[0], self.stretch.stop[0]) if self._is_cut(file)}
        for file in cut:
            one = self.part(
                Part(
                    max(self.stretch.start, beginning_of(file)),
                    min(self.stretch.stop, beginning_of(file + 1)),
                )
            )
            for message in one.messages_of({c.topic for c in self._reader.connections}):
                counts[message.topic, message.connection.msgtype] += 1
        return counts

    def _is_cut(self, file: int) -> bool:
        """Return whether the part has some of a file, but not all."""
        assert self.stretch is not None
        first, after = beginning_of(file), beginning_of(file + 1)
        has_some = first < self.stretch.stop and self.stretch.start < after
        return has_some and not (self.stretch.start <= first and after <= self.stretch.stop)

    def namespace_of(self, topics: Collection[str], namespace: str | None = None) -> str:
        """Return the robot whose topics these are, as `/` or `/robot/`.

        Args:
            topics: relative names.
            namespace: the one that is wanted; None: there must be only one.

        Raises:
            ConfigurationError: there is none of the topics, or there is more than one robot.
        """
        found = sorted(
            {
                connection.topic[: -len(topic)]
                for connection in self._reader.connections
                for topic in topics
                if connection.topic.endswith(f"/{topic}")
            }
        )
        if namespace is not None:
            wanted = f"/{namespace.strip('/')}/".replace("//", "/")
            found = [one for one in found if one == wanted]
        if not found:
            has = ", ".join(sorted({c.topic for c in self._reader.connections})[:8])
            raise ConfigurationError(
                f"bag {self.path} has no topic {' or '.join(topics)}"
                + (f" in namespace {namespace}" if namespace is not None else "")
                + f"; it has {has}"
            )
        if len(found) > 1:
            raise ConfigurationError(
                f"bag {self.path} holds several robots: {', '.join(found)}; name one of them"
            )
        return found[0]

    def messages(
        self,
        namespace: str,
        types: Mapping[str, str],
        start_ns: int | None = None,
        stop_ns: int | None = None,
    ) -> Iterator[BagMessage]:
        """Yield messages of some topics in the order in which they were received.

        Args:
            namespace: of `namespace_of`.
            types: type by relative topic; topics that are not in the bag are left out.
            start_ns, stop_ns: [ns] receive time, from the one and before the other; what lies
                outside is not read. None: no limit.

        Raises:
            ConfigurationError: a topic has another type, or the bag is damaged.
        """
        names = {namespace + topic: topic for topic in types}
        for connection in self._reader.connections:
            wanted = types.get(names.get(connection.topic, ""), connection.msgtype)
            if connection.msgtype != wanted:
                raise ConfigurationError(
                    f"bag {self.path}: topic {connection.topic} is {connection.msgtype}, "
                    f"{wanted} is needed"
                )
        for one in self.messages_of(names, start_ns, stop_ns):
            yield BagMessage(names[one.topic], one.connection, one.received_ns, one.data, one.file)

    def messages_of(
        self, topics: Collection[str], start_ns: int | None = None, stop_ns: int | None = None
    ) -> Iterator[BagMessage]:
        """Yield messages of topics by their full names, of whatever type, in the order received.

        Raises:
            ConfigurationError: the bag is damaged.
        """
        chosen = [c for c in self._reader.connections if c.topic in topics]
        files = None if self.stretch is None else self.stretch.files
        with _Explained(self.path):
            for file, connection, received_ns, data in in_recording_order(
                self._reader, chosen, start_ns, stop_ns, files
            ):
                message = BagMessage(connection.topic, connection, received_ns, data, file)
                if self.stretch is None or self.stretch.start <= message.place < self.stretch.stop:
                    yield message

    def read(self, message: BagMessage) -> Any:
        """Return the message as an object with the fields of its type, as the bag defines it.

        Raises:
            ConfigurationError: its bytes are no such message, or nothing says what the type is.
        """
        connection = message.connection
        with _Explained(self.path):
            name = (connection.msgdef.data, connection.msgtype)
            if name not in self._types:
                self._types[name] = _types_of(connection.msgdef, connection.msgtype)
            types = self._types[name]
            if connection.msgtype not in types.types:
                raise ConfigurationError(
                    f"bag {self.path} has no definition of {connection.msgtype}, and the type is "
                    "not installed: source the workspace that has it"
                )
            return types.deserialize_cdr(message.data, connection.msgtype)


class _Explained:
    """Whatever the library stumbles over in a foreign or damaged bag becomes one line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, ConfigurationError):
            if reason := foreign_reason(self._path):
                raise ConfigurationError(f"bag {self._path}: {reason}") from error
            said = " ".join(str(error).split()) or type(error).__name__
            if _NOT_KNOWN in said:
                raise ConfigurationError(f"bag {self._path} cannot be read: {said}") from error
            raise ConfigurationError(
                f"bag {self._path} cannot be read, is it cut off or damaged? {said}"
            ) from error


def _accept_changes(reader: Reader) -> None:
    """Make files and metadata agree on what was offered, and tell versions of a type apart.

    The library takes a file's messages only where the offered QoS is equal to the bag's, and says
    nothing; in a ring that outlives a change of a publisher's QoS it is not. And it reads a type by
    one definition; a ring that outlives an upgrade holds two.
    """
    bag = reader.storage
    offers = {(c.topic, c.msgtype): c.ext for c in bag.connections}
    versions: dict[tuple[str, str, str], Connection] = {}
    for storage in getattr(bag, "storages", ()):
        for index, one in enumerate(storage.connections):
            name = (one.topic, one.msgtype)
            version = one.digest or _digest(one.msgdef.data)
            one = one._replace(ext=offers.get(name, one.ext), digest=version)
            storage.connections[index] = one
            key = (*name, version)
            known = versions.get(key)
            count = one.msgcount + (known.msgcount if known else 0)
            versions[key] = one._replace(msgcount=count, owner=bag)
    if not versions:
        return
    recorded = {(c.topic, c.msgtype) for c in versions.values()}
    unseen = [c for c in bag.connections if (c.topic, c.msgtype) not in recorded]
    found = [*versions.values(), *unseen]
    bag.connections[:] = [c._replace(id=number) for number, c in enumerate(found, start=1)]


def _digest(text: str) -> str:
    """Return what tells definitions apart where the recording does not; empty: there is none."""
    return hashlib.sha256(text.encode()).hexdigest() if text else ""


def _bag_folder(path: Path) -> Path:
    if not path.exists():
        raise ConfigurationError(f"bag {path} does not exist")
    if path.suffix in _FILES and path.is_file():
        return path
    folders = (path, *(path / name for name in _INNER))
    for folder in folders:
        if (folder / METADATA).is_file():
            return folder
    for folder in folders:
        if reason := foreign_reason(folder):
            raise ConfigurationError(f"bag {folder}: {reason}")
    if not path.is_dir():
        raise ConfigurationError(f"bag {path} is a file; a folder with {METADATA} is needed")
    alone = sorted(one.name for one in path.iterdir() if one.suffix in _FILES)
    hint = f"; {alone[0]} can be read alone" if alone else ""
    raise ConfigurationError(f"folder {path} is no bag: it holds no {METADATA}{hint}")


def _types_of(definition: MessageDefinition, type_name: str) -> Any:
    """Return the types that a definition names.

    Each connection has its own: a ring that outlives an upgrade holds a type in both versions.
    """
    if definition.format is MessageDefinitionFormat.NONE:
        return installed_types()
    store = get_typestore(Stores.EMPTY)
    if definition.format is MessageDefinitionFormat.MSG:
        store.register(get_types_from_msg(definition.data, type_name))
        return store
    # Types of an IDL file stand one after the other, each under a line that names it.
    for part in re.split(r"^={80}\nIDL: .*\n", definition.data, flags=re.MULTILINE):
        if part.strip():
            store.register(get_types_from_idl(part))
    return store


def installed_types() -> Any:
    """Return types for bags without any (SQLite before Iron): ROS's, and ours if sourced."""
    store = get_typestore(Stores.ROS2_HUMBLE)
    definitions: dict[str, str] = {}
    for prefix in filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)):
        for path in sorted((Path(prefix) / "share" / _OURS / "msg").glob("*.msg")):
            # Of a type that stands in several workspaces the overlay, which comes first, counts.
            definitions.setdefault(f"{_OURS}/msg/{path.stem}", path.read_text())
    for type_name, text in definitions.items():
        store.register(get_types_from_msg(text, type_name))
    return store
