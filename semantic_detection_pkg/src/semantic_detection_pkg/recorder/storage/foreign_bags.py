"""What is wrong with a bag of somebody else's: the true reason, not "damaged"."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from mcap.exceptions import McapError
from mcap.reader import make_reader

METADATA = "metadata.yaml"
_ROS_1_MAGIC = b"#ROSBAG"
_ENCODING = "cdr"
_DEFINITIONS = {"", "ros2msg", "ros2idl", "omgidl"}


def foreign_reason(path: Path) -> str:
    """Return why a bag cannot be read although nothing of it is damaged; "": no such reason.

    Args:
        path: its folder, or one of its files.
    """
    for reason in (_reason_of_metadata(path), *map(_reason_of_file, _files(path))):
        if reason:
            return reason
    return ""


def _files(path: Path) -> Iterator[Path]:
    try:
        yield from sorted(path.iterdir()) if path.is_dir() else (path,)
    except OSError:
        return


def _reason_of_metadata(path: Path) -> str:
    try:
        document = yaml.safe_load((path / METADATA).read_text(encoding="utf-8"))
        bag: Any = document["rosbag2_bagfile_information"]
        identifier, files = bag.get("storage_identifier"), bag.get("relative_file_paths") or [""]
        suffix = Path(str(files[0])).suffix
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        return ""
    if identifier in ("mcap", "sqlite3"):
        return ""
    known = {".mcap": "mcap", ".db3": "sqlite3"}.get(suffix, "mcap or sqlite3")
    if not identifier:
        return (
            f"{METADATA} names no storage (storage_identifier is empty, as `ros2 bag reindex` of "
            f"Humble leaves it); write {known} there"
        )
    return f"its storage is {identifier!r}, mcap and sqlite3 are known"


def _reason_of_file(path: Path) -> str:
    if path.name.endswith(".mcap.part"):
        return f"{path.name} is not finished; the recorder finishes it at its next start"
    if path.suffix in (".zstd", ".zst", ".gz", ".lz4"):
        # Folders whose metadata says so are read as they are.
        is_known = path.suffix == ".zstd" and (path.parent / METADATA).exists()
        return "" if is_known else f"{path.name} is compressed as a whole: decompress it first"
    if path.suffix == ".bag" or _head(path) == _ROS_1_MAGIC:
        return (
            f"{path.name} is of ROS 1; `rosbags-convert --src {path.name} --dst FOLDER` makes a "
            "bag of ROS 2"
        )
    return _reason_of_mcap(path) if path.suffix == ".mcap" else ""


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(len(_ROS_1_MAGIC))
    except OSError:
        return b""


def _reason_of_mcap(path: Path) -> str:
    try:
        with path.open("rb") as file:
            reader = make_reader(file)
            header, summary = reader.get_header(), reader.get_summary()
    except (OSError, McapError, ValueError, EOFError, struct.error, LookupError):
        return ""
    if header.profile == "ros1":
        return f"{path.name} holds messages of ROS 1, those of ROS 2 are needed"
    if summary is None:
        return ""
    for channel in summary.channels.values():
        schema = summary.schemas.get(channel.schema_id)
        definition = schema.encoding if schema else ""
        if channel.message_encoding != _ENCODING or definition not in _DEFINITIONS:
            encoding = channel.message_encoding or "nothing"
            return (
                f"topic {channel.topic} of {path.name} is encoded as {encoding!r}"
                f"{f' with definitions as {definition!r}' if definition else ''}; messages of "
                f"ROS 2, {_ENCODING!r}, are needed"
            )
    if header.profile != "ros2":
        return f"{path.name} has the profile {header.profile!r}, 'ros2' is needed"
    return ""
