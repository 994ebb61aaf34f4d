"""The bytes of a checkpoint: they come back, and what is none is told in one line."""

import hashlib
import json

import pytest
from resumed_scan import S, body_of
from scan_things import PERSON, SCARECROW, TENT, VAGUE

from ros_support_pkg.core.words import Verdict
from semantic_detection_pkg.scan.core.checkpoint import Checkpoint, resume_mission
from semantic_detection_pkg.scan.core.checkpoint_encoding import (
    BYTES_MAX,
    MAGIC,
    CheckpointEncoder,
    CheckpointError,
    Head,
    Moment,
    decode,
    encode,
    from_text,
    to_text,
    unpack,
    with_attempt,
)
from semantic_detection_pkg.scan.core.settings import ScanSettings
from simulation_pkg.harness.exact_scan import ExactScan

HEAD = Head(Moment(1_700_000_000 * S, "boot", 5 * S), ScanSettings())


@pytest.fixture(scope="module")
def body() -> bytes:
    made = ExactScan([PERSON, TENT, SCARECROW, VAGUE], answer=Verdict.NO)
    made.start()
    made.run(60.0, until=lambda _: len(made.findings) >= 2)
    return body_of(made)


def test_bytes_come_back(body: bytes) -> None:
    head, again = decode(encode(HEAD, body))
    assert (head, again) == (HEAD, body)
    checkpoint = unpack(body)
    assert CheckpointEncoder().body(checkpoint) == body
    assert len(checkpoint.findings) >= 2
    assert from_text(to_text(body)).mission == checkpoint.mission


def test_findings_are_encoded_once(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    checkpoint = unpack(body)
    encoder = CheckpointEncoder()
    first = encoder.body(checkpoint)
    name = "semantic_detection_pkg.scan.core.checkpoint_encoding.to_plain"
    encoded = []
    monkeypatch.setattr(name, lambda value: encoded.append(value) or {})
    encoder.body(checkpoint)
    assert [type(one).__name__ for one in encoded] == ["MissionRecord"]
    assert first == body


def test_each_attempt_is_counted(body: bytes) -> None:
    data = encode(HEAD, body)
    for count in (1, 2):
        data = with_attempt(data)
        assert decode(data)[0].attempts == count
    assert decode(data)[1] == body


def test_a_cut_at_any_place_is_told(body: bytes) -> None:
    data = encode(HEAD, body)
    for length in [0, 1, 34, 35, 36, 40, 101, 102, 200, *range(300, len(data), 997), len(data) - 1]:
        with pytest.raises(CheckpointError) as error:
            decode(data[:length])
        assert "\n" not in str(error.value)


def test_a_flipped_bit_is_told(body: bytes) -> None:
    data = bytearray(encode(HEAD, body))
    for place in [0, 36, 60, 150, *range(300, len(data), 1009)]:
        data[place] ^= 4
        with pytest.raises(CheckpointError):
            decode(bytes(data))
        data[place] ^= 4
    decode(bytes(data))


def signed(rest: bytes, version: bytes = b"1") -> bytes:
    """Return a file whose digest fits, as a program of another version would write it."""
    return MAGIC + version + b" " + hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is empty"),
        (b"\0" * 4096, "it is no checkpoint of a scan"),
        (b"mcap" * 99, "it is no checkpoint of a scan"),
        (signed(b"{}\n", b"2"), "it is of version '2', this one reads 1"),
        (signed(b"{}\n", b"\xff" * 99), "it is of version"),
        (signed(b""), "it is of another version of this program"),
        (signed(b"{}\n"), "it is of another version of this program: Head"),
        (signed(b"[" * 100_000 + b"\n"), "it is of another version of this program"),
        (MAGIC + bytes(BYTES_MAX + 2_000_000), "it is larger than 32 MB"),
    ],
    ids=range(9),
)
def test_what_is_no_checkpoint_is_told_in_one_line(data: bytes, words: str) -> None:
    with pytest.raises(CheckpointError, match=words) as error:
        decode(data)
    assert "\n" not in str(error.value)


def test_a_body_of_another_version_is_told(body: bytes) -> None:
    import zlib

    length = int.from_bytes(body[:8], "little")
    plain = json.loads(zlib.decompress(body[8 : 8 + length]))
    cells = body[8 + length :]

    def changed(**parts: object) -> bytes:
        packed = zlib.compress(json.dumps({**plain, **parts}).encode())
        return len(packed).to_bytes(8, "little") + packed + cells

    assert unpack(changed()).mission == unpack(body).mission
    for parts in (
        {"mission": {}},
        {"mission": 1},
        {"mission": None},
        {"mission": {**plain["mission"], "is_new": True}},
        {"findings": [{}]},
        {"findings": 3},
        {"shape": [1, 1]},
        {"shape": [1]},
        {"shape": [-1, -1]},
        {"shape": "ab"},
        {"shape": [10**40, 10**40]},
    ):
        with pytest.raises(CheckpointError) as error:
            unpack(changed(**parts))
        assert "\n" not in str(error.value)
    for cut in (b"", body[:4], body[:8], body[:100], body[: 8 + length], body[:-1]):
        with pytest.raises(CheckpointError):
            unpack(cut)


def test_parts_that_do_not_fit_together_are_refused(body: bytes) -> None:
    checkpoint = unpack(body)
    search = checkpoint.mission.search
    assert search is not None
    for mission, findings, coverage in (
        (checkpoint.mission, checkpoint.findings[1:], checkpoint.coverage),
        (checkpoint.mission, checkpoint.findings, None),
    ):
        with pytest.raises(ValueError):
            resume_mission(Checkpoint(mission, findings, coverage), ScanSettings(), 1)
