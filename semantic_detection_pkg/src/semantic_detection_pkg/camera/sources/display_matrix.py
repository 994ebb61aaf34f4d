"""How a recording is to be turned, out of the file itself: phones, drones and body cameras say so.

ISO base media files (MP4, MOV; ISO/IEC 14496-12): the matrices of the movie (8.2.2, `mvhd`) and of
the video track (8.3.2, `tkhd`). Builds of OpenCV read them differently or not at all.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

_FIRST_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"})
_BOXES_MAX = 100_000  # a file of noise has no end of them
#: EXIF's orientation (EXIF 2.32, 4.6.4) of a matrix's signs: where x and where y go, y down.
_ORIENTATIONS = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}
_Matrix = tuple[float, float, float, float]  # a b c d: (x, y) goes to (a x + c y, b x + d y)
_IDENTITY: _Matrix = (1.0, 0.0, 0.0, 1.0)


class _Box(NamedTuple):
    kind: bytes
    start: int
    end: int


def orientation_of(path: Path) -> int | None:
    """Return how a video is to be turned, as EXIF's orientation; None where the file is no MP4.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        size = path.stat().st_size
        first = next(_boxes(file, 0, size), None)
        if first is None or first.kind not in (
            b"ftyp",
            b"moov",
            b"mdat",
            b"wide",
            b"free",
            b"skip",
        ):
            return None
        movie = _find(file, _Box(b"", 0, size), b"moov")
        if movie is None:
            return None
        header = _find(file, movie, b"mvhd")
        whole = _matrix(file, header, (36, 48)) if header else _IDENTITY
        for track in (one for one in _boxes(file, movie.start, movie.end) if one.kind == b"trak"):
            handler = _find(file, track, b"mdia", b"hdlr")
            track_header = _find(file, track, b"tkhd")
            if handler and track_header and _read(file, handler.start + 8, 4) == b"vide":
                return _orientation(_product(_matrix(file, track_header, (40, 52)), whole))
    return None


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[_Box]:
    for _ in range(_BOXES_MAX):
        head = _read(file, start, 16)
        if start + 8 > end or len(head) < 8:
            return
        size, kind = struct.unpack(">I4s", head[:8])
        begin = start + 8
        if size == 1 and len(head) == 16:
            (size,) = struct.unpack(">Q", head[8:])
            begin = start + 16
        stop = end if size == 0 else start + size
        if not begin <= stop:
            return
        yield _Box(kind, begin, min(stop, end))
        start = stop


def _find(file: BinaryIO, box: _Box, *kinds: bytes) -> _Box | None:
    found: _Box | None = box
    for kind in kinds:
        assert found is not None
        inside = _boxes(file, found.start, found.end)
        found = next((one for one in inside if one.kind == kind), None)
        if found is None:
            return None
    return found


def _read(file: BinaryIO, start: int, count: int) -> bytes:
    file.seek(start)
    return file.read(count)


def _matrix(file: BinaryIO, box: _Box, offsets: tuple[int, int]) -> _Matrix:
    """Return a b c d of a full box's matrix, at its offset in versions 0 and 1 (16.16)."""
    version = _read(file, box.start, 1)
    raw = _read(file, box.start + offsets[version == b"\x01"], 36)
    if len(raw) < 36:
        return _IDENTITY
    a, b, _, c, d, *_ = struct.unpack(">9i", raw)
    return (a, b, c, d)


def _product(first: _Matrix, second: _Matrix) -> _Matrix:
    a, b, c, d = first
    e, f, g, h = second
    return (a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h)


def _orientation(matrix: _Matrix) -> int:
    a, b, c, d = matrix
    if abs(a) + abs(d) >= abs(b) + abs(c):  # the nearest quarter of a turn
        b = c = 0.0
    else:
        a = d = 0.0
    x_to_x, x_to_y, y_to_x, y_to_y = ((value > 0) - (value < 0) for value in (a, b, c, d))
    return _ORIENTATIONS.get((x_to_x, x_to_y, y_to_x, y_to_y), 1)
