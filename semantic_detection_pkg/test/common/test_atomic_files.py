"""A file is replaced as a whole or not at all; what could not be written takes no room."""

import errno
import os
from pathlib import Path

import pytest

from semantic_detection_pkg.common.file_system import FileSystem


class FullDisk:
    """Lets some bytes through, then the disk is full, or what holds a file has failed."""

    def __init__(self, room: int, number: int = errno.ENOSPC) -> None:
        self.room, self.number = room, number
        self._write = os.write

    def write(self, descriptor: int, data: bytes) -> int:
        """Write what there is room for."""
        if not self.room:
            raise OSError(self.number, os.strerror(self.number))
        written = self._write(descriptor, bytes(data[: self.room]))
        self.room -= written
        return written


@pytest.mark.parametrize("room", [0, 1, 999])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("before", [b"", b"before"])
def test_what_the_disk_refuses_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, number: int, before: bytes
) -> None:
    path, files = tmp_path / "examples.npz", FileSystem()
    if before:
        files.write_atomically(path, before)
    monkeypatch.setattr(os, "write", FullDisk(room, number).write)
    with pytest.raises(OSError, match=r"\S") as raised:
        files.write_atomically(path, bytes(1000))
    assert raised.value.errno == number
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ([path.name] if before else [])
    assert not before or path.read_bytes() == before


@pytest.mark.parametrize("what", ["sync", "rename", "remove"])
def test_the_first_error_is_told_whatever_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    path, files = tmp_path / "examples.npz", FileSystem()
    files.write_atomically(path, b"before")

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, what)

    if what == "sync":
        monkeypatch.setattr(os, "fdatasync", refuse)
    else:
        monkeypatch.setattr(os, "replace", refuse)
    if what == "remove":
        monkeypatch.setattr(Path, "unlink", refuse)
        monkeypatch.setattr(files, "remove", refuse)
    with pytest.raises(OSError, match=what if what != "remove" else "re"):
        files.write_atomically(path, b"after")
    monkeypatch.undo()
    assert path.read_bytes() == b"before"
    assert what == "remove" or os.listdir(tmp_path) == [path.name]


def test_what_a_power_cut_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "examples.npz"
    (tmp_path / ".examples.npz.new").write_bytes(b"half")
    FileSystem().write_atomically(path, b"whole")
    assert os.listdir(tmp_path) == [path.name]
    assert path.read_bytes() == b"whole"
