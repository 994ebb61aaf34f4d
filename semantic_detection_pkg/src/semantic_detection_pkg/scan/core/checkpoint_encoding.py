"""Checkpoints as bytes and back: a head that says what it is, and a body that is compressed.

    semantic-detection scan checkpoint 1 SHA256
    {"attempts": 0, ...}
    BODY

The first line is ASCII: the format's version, and the digest of all that follows, by which a torn
or damaged file is told from a whole one. The second is JSON: when and how it was made. The body is
the length [bytes, 8 of them, little-endian] of the mission's JSON, zlib-compressed, that, and the
coverage's arrays and those of the probabilities of detection, row-major and little-endian,
zlib-compressed as well: all that was searched, then the round in hand where it is not the first.
Checkpoints of before have none of the latter, or not that of the round.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.serialization import canonical, from_plain, to_plain
from semantic_detection_pkg.scan.core.checkpoint import Checkpoint, MissionRecord, resume_mission
from semantic_detection_pkg.scan.core.coverage import CoverageRecord
from semantic_detection_pkg.scan.core.evidence import Finding
from semantic_detection_pkg.scan.core.pod_record import PodRecord
from semantic_detection_pkg.scan.core.scan_clock import ScanClock
from semantic_detection_pkg.scan.core.settings import ScanSettings

MAGIC = b"semantic-detection scan checkpoint "
VERSION = 1
#: Of a file, head and all: some thousand findings with their tracks, or two million cells.
BYTES_MAX = 32_000_000
_UNPACKED_MAX = 256_000_000
_LEVEL = 1  # of zlib: it is done each second
_LENGTH_BYTES = 8
_CELL_TYPES = ("<f8", "<f4", "u1", "<u2")  # of `CoverageRecord.arrays`
_POD_TYPES = ("<f4", "<f8", "<f8", "<f4", "<u2")  # of `PodRecord.arrays`
_DAMAGED = "it is torn or damaged"

_Form = tuple[tuple[int, ...], str]  # of an array: its shape and its type


class CheckpointError(ValueError):
    """Say in one line why bytes are no checkpoint that can be gone on with."""


@dataclass(frozen=True)
class Moment:
    """A moment by all clocks of a machine.

    Attributes:
        wall_ns: [ns] since the epoch; the clock may step.
        boot_id: of this run of the machine; empty: not known.
        boot_ns: [ns] since the machine was started, standby included; it never steps.
    """

    wall_ns: int
    boot_id: str = ""
    boot_ns: int = 0

    def is_same_boot(self, before: Moment) -> bool:
        """Return whether the machine runs since an earlier moment."""
        return bool(self.boot_id) and self.boot_id == before.boot_id

    def elapsed_ns(self, before: Moment) -> int | None:
        """Return the time since an earlier moment; None where no clock tells it. [ns]"""
        is_same = self.is_same_boot(before)
        gap_ns = self.boot_ns - before.boot_ns if is_same else self.wall_ns - before.wall_ns
        return gap_ns if gap_ns >= 0 else None


@dataclass(frozen=True)
class Head:
    """When and how a checkpoint was made.

    Attributes:
        saved: when.
        settings: that the mission went by.
        is_orderly: the controller was ended in an orderly way, as by Ctrl-C.
        attempts: how often the mission was resumed without having gone on for a while since.
        untold: findings that the outside may not have heard of, also of a goal that has ended.
    """

    saved: Moment
    settings: ScanSettings
    is_orderly: bool = False
    attempts: int = 0
    untold: tuple[Finding, ...] = ()


class CheckpointEncoder:
    """Encodes one checkpoint after the other; the text of findings is kept from one to the next."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, int], str] = {}

    def body(self, checkpoint: Checkpoint) -> bytes:
        """Return the body.

        Raises:
            CheckpointError: it would be larger than `BYTES_MAX`.
        """
        texts = {
            (one.finding_id, one.revision): self._texts.get((one.finding_id, one.revision))
            or canonical(to_plain(one))
            for one in checkpoint.findings
        }
        self._texts = texts
        coverage = checkpoint.coverage
        shape = None if coverage is None else list(coverage.results.shape)
        pods = checkpoint.pod, checkpoint.round_pod
        known, round_known = map(_described, pods)
        text = (
            f'{{"findings":[{",".join(texts.values())}],'
            f'"mission":{canonical(to_plain(checkpoint.mission))},"pod":{canonical(known)},'
            f'"round":{canonical(round_known)},"shape":{canonical(shape)}}}'
        )
        packed = zlib.compress(text.encode(), _LEVEL)
        cells = b"" if coverage is None else _cell_bytes(coverage.arrays, _CELL_TYPES)
        cells += b"".join(_cell_bytes(pod.arrays, _POD_TYPES) for pod in pods if pod is not None)
        cells = zlib.compress(cells, _LEVEL) if cells else b""
        body = len(packed).to_bytes(_LENGTH_BYTES, "little") + packed + cells
        if len(body) > BYTES_MAX:
            raise CheckpointError(
                f"the mission takes {len(body) / 1e6:.0f} MB, at most {BYTES_MAX / 1e6:.0f} MB are"
                " kept"
            )
        return body


def encode(head: Head, body: bytes) -> bytes:
    """Return the content of a file; without a body there is no mission, only what is untold."""
    rest = canonical(to_plain(head)).encode() + b"\n" + body
    digest = hashlib.sha256(rest).hexdigest().encode()
    return MAGIC + str(VERSION).encode() + b" " + digest + b"\n" + rest


def decode(data: bytes) -> tuple[Head, bytes]:
    """Return head and body of the content of a file.

    Raises:
        CheckpointError: it is none, of another version, torn or damaged.
    """
    if not data:
        raise CheckpointError("it is empty")
    if not data.startswith(MAGIC):
        raise CheckpointError("it is no checkpoint of a scan")
    if len(data) > BYTES_MAX + 1_000_000:
        raise CheckpointError(f"it is larger than {BYTES_MAX / 1e6:.0f} MB")
    first, newline, rest = data[len(MAGIC) :].partition(b"\n")
    version, _, digest = first.partition(b" ")
    if not newline:
        raise CheckpointError(_DAMAGED)
    if version != str(VERSION).encode():
        shown = version[:20].decode("ascii", "replace")
        raise CheckpointError(f"it is of version '{shown}', this one reads {VERSION}")
    if hashlib.sha256(rest).hexdigest().encode() != digest:
        raise CheckpointError(_DAMAGED)
    text, _, body = rest.partition(b"\n")
    try:
        return from_plain(Head, json.loads(text)), body
    except (ValueError, TypeError, RecursionError) as error:
        raise CheckpointError(f"it is of another version of this program: {error}") from error


def with_attempt(data: bytes) -> bytes:
    """Return the same checkpoint, as one that was resumed once more.

    Raises:
        CheckpointError: see `decode`.
    """
    head, body = decode(data)
    return encode(replace(head, attempts=head.attempts + 1), body)


def to_text(body: bytes) -> str:
    """Return a body as text, for journals."""
    return base64.b64encode(body).decode("ascii")


def from_text(text: str) -> Checkpoint:
    """Return the checkpoint of which `to_text` made the body's text.

    Raises:
        CheckpointError: it is none of this version.
    """
    try:
        return unpack(base64.b64decode(text, validate=True))
    except binascii.Error as error:
        raise CheckpointError(f"it is no checkpoint: {error}") from error


def unpack(body: bytes) -> Checkpoint:
    """Return the checkpoint of a body.

    Raises:
        CheckpointError: it is none of this version.
    """
    split = _LENGTH_BYTES + int.from_bytes(body[:_LENGTH_BYTES], "little")
    try:
        plain = json.loads(_unpacked(body[_LENGTH_BYTES:split]))
        mission = from_plain(MissionRecord, plain["mission"])
        findings = tuple(from_plain(Finding, one) for one in plain["findings"])
        shape = plain["shape"]
        coverage: CoverageRecord | None = None
        pods: list[PodRecord | None] = []
        if shape is not None:
            known = [plain.get("pod"), plain.get("round")]
            coverage, pods = _maps(shape, known, _unpacked(body[split:]))
    except zlib.error as error:
        raise CheckpointError(_DAMAGED) from error
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
        raise CheckpointError(f"it is of another version of this program: {error}") from error
    return Checkpoint(mission, findings, coverage, *pods)


def resumable(body: bytes, settings: ScanSettings) -> MissionRecord:
    """Return the mission of a body that a controller with these settings can go on with.

    Raises:
        CheckpointError: it cannot, see `unpack`; or parts of it contradict each other.
    """
    checkpoint = unpack(body)
    try:
        resume_mission(checkpoint, settings, stamp_ns=0)
        ScanClock.resume(checkpoint.mission.clock, outside_ns=0, elapsed_ns=0)
    except ValueError as error:
        raise CheckpointError(str(error)) from error
    return checkpoint.mission


def changed_settings(before: Any, now: Any, path: str = "") -> list[str]:
    """Return the names of settings that differ, of two dataclasses of one type."""
    ours, theirs = to_plain(before), to_plain(now)
    return _changed(ours, theirs, path)


def _changed(before: dict[str, Any], now: dict[str, Any], path: str) -> list[str]:
    names = []
    for name, value in before.items():
        if isinstance(value, dict):
            names += _changed(value, now[name], f"{path}{name}.")
        elif value != now[name]:
            names.append(f"{path}{name}")
    return names


def _unpacked(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    unpacked = unpacker.decompress(data, _UNPACKED_MAX)
    if not unpacker.eof:
        raise CheckpointError(_DAMAGED)
    return unpacked


def _cell_bytes(arrays: Sequence[NDArray[np.generic]], kinds: Sequence[str]) -> bytes:
    return b"".join(
        np.ascontiguousarray(array, kind).tobytes()
        for array, kind in zip(arrays, kinds, strict=True)
    )


def _described(pod: PodRecord | None) -> dict[str, Any] | None:
    """Return what is told of a map of the POD beside its arrays; None: there is none."""
    if pod is None:
        return None
    return {"classes": pod.class_names, "parts": pod.exposures.shape[1]}


def _size(form: _Form) -> int:
    """Return the bytes of an array."""
    return math.prod(form[0]) * np.dtype(form[1]).itemsize


def _maps(
    shape: list[int], known: Sequence[dict[str, Any] | None], data: bytes
) -> tuple[CoverageRecord, list[PodRecord | None]]:
    """Return the coverage and the maps of the POD; None: there was none."""
    rows, columns = (int(side) for side in shape)
    if min(rows, columns) < 1:
        raise CheckpointError(_DAMAGED)
    cells = (rows, columns)
    forms: list[list[_Form]] = [[(cells, kind) for kind in _CELL_TYPES]]
    for one in known:
        if one is None:
            continue
        first, *others = _POD_TYPES
        exposures = (len(one["classes"]), int(one["parts"]), *cells)
        forms.append([(exposures, first), *((cells, kind) for kind in others)])
    sizes = [_size(form) for each in forms for form in each]
    if min(sizes) < 0 or sum(sizes) != len(data):
        raise CheckpointError(_DAMAGED)
    start, maps = 0, list[list[Any]]()
    for each in forms:
        arrays: list[Any] = []
        for shape_of, kind in each:
            count = math.prod(shape_of)
            arrays.append(np.frombuffer(data, kind, count, start).reshape(shape_of))
            start += _size((shape_of, kind))
        maps.append(arrays)
    pods = iter(maps[1:])
    return CoverageRecord(*maps[0]), [
        None if one is None else PodRecord(tuple(map(str, one["classes"])), *next(pods))
        for one in known
    ]
