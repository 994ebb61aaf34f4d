"""Recordings whose clock jumped, files alone, bags of others: read, or refused for what it is."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from mcap.writer import CompressionType
from mcap.writer import Writer as McapWriter
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from semantic_detection_pkg.cli.replay import main
from semantic_detection_pkg.recorder.core.replay.pacing import GAP_S, Pace, in_words
from semantic_detection_pkg.recorder.core.topics import Message
from simulation_pkg.harness.recorded_messages import NS_PER_S, typestore
from simulation_pkg.harness.scan_recording import JOURNAL_TYPE, write_bag


def shifted(messages: list[Message], first: int, by_ns: int) -> list[Message]:
    """As received by a clock that jumps before a message; stamps are as they were."""
    return messages[:first] + [
        one._replace(received_ns=one.received_ns + by_ns, published_ns=one.published_ns + by_ns)
        for one in messages[first:]
    ]


def sqlite_bag(path: Path, messages: list[Message], **options: CompressionMode) -> Path:
    store = typestore()
    writer = Writer(path, version=8, storage_plugin=StoragePlugin.SQLITE3)
    if options:
        writer.set_compression(options["mode"], CompressionFormat.ZSTD)
    with writer:
        connections = {
            name: writer.add_connection(name, type_name, typestore=store)
            for name, type_name in {(m.topic.name, m.topic.type_name): 0 for m in messages}
        }
        for one in messages:
            writer.write(connections[one.topic.name], one.received_ns, one.data)
    return path


# ------------------------------------------------------------------------- jumps of the clock


def set_back(messages: list[Message]) -> list[Message]:
    return shifted(messages, len(messages) // 2, -5 * NS_PER_S)


def begun_in_1970(messages: list[Message]) -> list[Message]:
    early = shifted(messages, 0, NS_PER_S - messages[0].received_ns)
    return early[:100] + messages[100:]


def set_on(messages: list[Message]) -> list[Message]:
    return shifted(messages, len(messages) // 3, 365 * 86400 * NS_PER_S)


@pytest.mark.parametrize("jump", [set_back, begun_in_1970, set_on])
@pytest.mark.parametrize("write", [write_bag, sqlite_bag])
def test_steps_are_replayed_in_the_order_of_recording(
    tmp_path: Path,
    messages: list[Message],
    jump: Callable[[list[Message]], list[Message]],
    write: Callable[[Path, list[Message]], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """21 of 240 steps were replayed, and that was a success."""
    assert main([str(write(tmp_path / "bag", jump(messages)))]) == 0
    assert "all 240 decisions are the same" in capsys.readouterr().out


def test_a_replay_of_a_part_is_no_plain_success(
    tmp_path: Path, messages: list[Message], capsys: pytest.CaptureFixture[str]
) -> None:
    steps = [one for one in messages if one.topic.type_name == JOURNAL_TYPE]
    path = write_bag(tmp_path, [one for one in messages if one is not steps[100]])
    assert main([str(path)]) == 3
    out = capsys.readouterr().out
    assert "the 100 decisions are the same" in out
    assert out.endswith("only a part: 139 of 239 steps could not be replayed\n")
    assert main([str(path), "--set", "classifier_accept_threshold=0.99"]) in (1, 3)


@given(st.lists(st.integers(0, 2**62), min_size=1, max_size=50))
def test_what_is_due_never_goes_back_and_never_waits_long(times_ns: list[int]) -> None:
    pace = Pace()
    dues = [pace.take(one) for one in times_ns]
    assert dues[0].at_s == 0.0
    for before, after in pairwise(dues):
        assert 0.0 <= after.at_s - before.at_s <= GAP_S
        assert not after.skipped_s or after.at_s == before.at_s


def test_pace_of_a_recording() -> None:
    pace = Pace()
    times_s = [0.0, 1.0, 0.9, 1.5, 1000.0, 1001.0, 996.0, 997.0]
    dues = [pace.take(round(one * 1e9)) for one in times_s]
    assert [one.at_s for one in dues] == [0.0, 1.0, 1.0, 1.5, 1.5, 2.5, 2.5, 3.5]
    assert [one.skipped_s for one in dues] == [0.0] * 4 + [998.5, 0.0, -5.0, 0.0]
    assert [one.time_ns / 1e9 for one in dues] == [0.0, 1.0, 1.0, 1.5, 1000, 1001, 996, 997]
    assert in_words(998.5) == "998.5 s without a message are skipped"
    assert "set back by 5.0 s" in in_words(-5.0)


# ------------------------------------------------------------------------- files alone


def test_a_file_alone(
    tmp_path: Path, bag: Path, messages: list[Message], capsys: pytest.CaptureFixture[str]
) -> None:
    (file,) = bag.glob("*.mcap")
    shutil.copy(file, tmp_path / "alone.mcap")
    sqlite = next(sqlite_bag(tmp_path / "sqlite", messages).glob("*.db3"))
    shutil.copy(sqlite, tmp_path / "alone.db3")
    for path in (tmp_path / "alone.mcap", tmp_path / "alone.db3"):
        assert main([str(path)]) == 0
        assert "all 240 decisions are the same" in capsys.readouterr().out
    assert main([str(tmp_path)]) == 2
    assert "alone.db3 can be read alone" in capsys.readouterr().err


@pytest.mark.parametrize("mode", [CompressionMode.FILE, CompressionMode.MESSAGE])
def test_a_compressed_bag(tmp_path: Path, messages: list[Message], mode: CompressionMode) -> None:
    assert main([str(sqlite_bag(tmp_path / "bag", messages, mode=mode))]) == 0


# ------------------------------------------------------------------------- true reasons


def mcap_file(path: Path, profile: str, encoding: str, schema: str) -> Path:
    """An MCAP file with a channel of some encoding."""
    with path.open("wb") as file:
        writer = McapWriter(file, compression=CompressionType.NONE)
        writer.start(profile, "somebody")
        kind = writer.register_schema("a/msg/B", schema, b"int32 a") if schema else 0
        channel = writer.register_channel("/scan/journal", encoding, kind)
        writer.add_message(channel, 1, json.dumps({"a": 1}).encode(), 1)
        writer.finish()
    return path


def with_storage(name: str) -> Callable[[Path, Path], Path]:
    def spoil(path: Path, bag: Path) -> Path:
        shutil.copytree(bag, path / "bag")
        text = (bag / "metadata.yaml").read_text()
        text = text.replace("storage_identifier: mcap", f"storage_identifier: {name}")
        (path / "bag/metadata.yaml").write_text(text)
        return path / "bag"

    return spoil


def encoded(profile: str, encoding: str, schema: str) -> Callable[[Path, Path], Path]:
    return lambda path, _: mcap_file(path / "a.mcap", profile, encoding, schema)


def in_folder(path: Path, bag: Path) -> Path:
    """A topic of JSON in a bag of rosbag2."""
    shutil.copytree(bag, path / "bag")
    (file,) = (path / "bag").glob("*.mcap")
    mcap_file(file, "ros2", "json", "jsonschema")
    return path / "bag"


def ros_1(path: Path, _: Path) -> Path:
    (path / "a.bag").write_bytes(b"#ROSBAG V2.0\n" + bytes(100))
    return path / "a.bag"


def ros_1_folder(path: Path, bag: Path) -> Path:
    return ros_1(path, bag).parent


def compressed_file(path: Path, bag: Path) -> Path:
    (file,) = bag.glob("*.mcap")
    with (path / "a.mcap.zstd").open("wb") as out:
        zstandard.ZstdCompressor().copy_stream(io.BytesIO(file.read_bytes()), out)
    return path / "a.mcap.zstd"


def unfinished(path: Path, bag: Path) -> Path:
    (file,) = bag.glob("*.mcap")
    shutil.copy(file, path / "ring_0000001.mcap.part")
    return path / "ring_0000001.mcap.part"


def newer_version(path: Path, bag: Path) -> Path:
    shutil.copytree(bag, path / "bag")
    text = (bag / "metadata.yaml").read_text()
    (path / "bag/metadata.yaml").write_text(text.replace("version: 9", "version: 99"))
    return path / "bag"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (with_storage("''"), "storage_identifier is empty, as `ros2 bag reindex` of Humble"),
        (with_storage("''"), "write mcap there"),
        (with_storage("rosbag_v3"), "its storage is 'rosbag_v3', mcap and sqlite3 are known"),
        (encoded("ros1", "ros1", "ros1msg"), "a.mcap holds messages of ROS 1"),
        (encoded("", "json", "jsonschema"), "/scan/journal of a.mcap is encoded as 'json'"),
        (encoded("", "protobuf", ""), "is encoded as 'protobuf'"),
        (encoded("ros2", "json", "jsonschema"), "is encoded as 'json' with definitions as"),
        (encoded("", "cdr", "ros2msg"), "a.mcap has the profile '', 'ros2' is needed"),
        (in_folder, "is encoded as 'json'"),
        (ros_1, "a.bag is of ROS 1; `rosbags-convert"),
        (ros_1_folder, "a.bag is of ROS 1"),
        (compressed_file, "a.mcap.zstd is compressed as a whole: decompress it first"),
        (unfinished, "is not finished; the recorder finishes it at its next start"),
        (newer_version, "version 99 not supported"),
    ],
)
def test_bags_of_others_are_refused_for_what_they_are(
    tmp_path: Path,
    bag: Path,
    spoil: Callable[[Path, Path], Path],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([str(spoil(tmp_path, bag))]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error
    assert "damaged" not in error


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89MCAP0\r\n", bytes(64)])
@pytest.mark.parametrize("suffix", [".mcap", ".db3"])
def test_a_file_that_is_no_bag_is_refused_in_one_line(
    tmp_path: Path, content: bytes, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)
    assert main([str(path)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert str(path) in error


def test_a_type_that_nobody_knows(
    tmp_path: Path,
    messages: list[Message],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A file of SQLite as Humble writes it, without the workspace that has the types."""
    import sqlite3

    path = sqlite_bag(tmp_path / "bag", messages)
    database = sqlite3.connect(next(path.glob("*.db3")))
    database.execute("DROP TABLE message_definitions")
    database.execute("UPDATE schema SET schema_version = 3")
    database.commit()
    database.close()
    monkeypatch.setenv("AMENT_PREFIX_PATH", "")
    assert main([str(path)]) == 2
    error = capsys.readouterr().err
    assert "has no definition of interfaces_pkg/msg/" in error
    assert "source the workspace that has it" in error
