"""Messages of a bag's files in the order of recording.

By their times they would be in another order where the system's clock was set back meanwhile, and
what belongs together would be apart. A file's own order is that in which they came.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import zstandard
from mcap.reader import make_reader
from rosbags.interfaces import Connection
from rosbags.rosbag2 import Reader
from rosbags.rosbag2.storage_sqlite3 import Sqlite3Reader

_FOREVER_NS = 2**63 - 1  # the greatest number that SQLite has


def in_recording_order(
    reader: Reader,
    chosen: Collection[Connection],
    start_ns: int | None = None,
    stop_ns: int | None = None,
    files: range | None = None,
) -> Iterator[tuple[int, Connection, int, bytes]]:
    """Return file, connection, time of receiving [ns] and bytes of some connections' messages.

    Args:
        start_ns, stop_ns: [ns] receive time, from the one and before the other; None: no limit.
        files: numbers of the bag's files, from 0 on, that are read; None: all.

    Raises whatever the libraries do for a damaged bag.
    """
    first_ns = 0 if start_ns is None else start_ns
    last_ns = _FOREVER_NS if stop_ns is None else stop_ns - 1
    decompressor = zstandard.ZstdDecompressor()
    is_compressed = reader.compression_mode == "message"
    for file, storage in enumerate(storages_of(reader)):
        if files is not None and file not in files:
            continue
        connections = {
            one.id: match
            for one in storage.connections
            if (match := next((c for c in chosen if _is_same(one, c)), None)) is not None
        }
        times = storage.metadata
        if not connections or not (first_ns < times.end_time and times.start_time <= last_ns):
            continue
        rows = _rows_of_sqlite if isinstance(storage, Sqlite3Reader) else _rows_of_mcap
        for number, received_ns, data in rows(storage, connections, first_ns, last_ns):
            if is_compressed:
                data = decompressor.decompressobj().decompress(data)
            yield file, connections[number], received_ns, data


def storages_of(reader: Reader) -> list[Any]:
    """Return the library's readers of the bag's files, in the order of recording."""
    return list(getattr(reader.storage, "storages", [reader.storage]))


def _is_same(one: Connection, other: Connection) -> bool:
    is_version = not one.digest or not other.digest or one.digest == other.digest
    return (one.topic, one.msgtype) == (other.topic, other.msgtype) and is_version


def _rows_of_sqlite(
    storage: Any, connections: dict[int, Connection], first_ns: int, last_ns: int
) -> Iterator[tuple[int, int, bytes]]:
    places = ",".join("?" * len(connections))
    query = (
        f"SELECT topic_id, timestamp, data FROM messages WHERE topic_id IN ({places}) "
        "AND timestamp BETWEEN ? AND ? ORDER BY id"
    )
    yield from storage.dbconn.execute(query, (*connections, first_ns, last_ns))


def _rows_of_mcap(
    storage: Any, connections: dict[int, Connection], first_ns: int, last_ns: int
) -> Iterator[tuple[int, int, bytes]]:
    topics = {connection.topic for connection in connections.values()}
    with storage.path.open("rb") as file:
        messages = make_reader(file, validate_crcs=True).iter_messages(
            sorted(topics), starting_at=first_ns, ending_at=last_ns, log_time_order=False
        )
        for _, channel, message in messages:
            if channel.id in connections:
                yield channel.id, message.log_time, message.data
