"""What a unit gave, kept: whole or not there, and never taken for another answer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semantic_detection_pkg.archive.answer_files import AnswerStore, from_bytes, to_bytes
from semantic_detection_pkg.archive.core.question import Question, SeenFrame, Unit, UnitAnswer
from semantic_detection_pkg.common.core.detections import Detections, MaskRings
from semantic_detection_pkg.common.core.looks import Look
from semantic_detection_pkg.common.core.serialization import canonical, to_plain
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from semantic_detection_pkg.detector.core.tiles import TileSettings
from semantic_detection_pkg.errors import ConfigurationError, StorageError

ASKED = Question("models/a.onnx", "0" * 64, ("person", "tent"))
UNIT = Unit("bag", "/recordings/ring", "/camera", 0, 10, 20, "ring_0000001.mcap:5:7")


@st.composite
def frames(draw: st.DrawFn) -> SeenFrame:
    count = draw(st.integers(0, 4))
    corners = draw(st.lists(st.integers(0, 99), min_size=4 * count, max_size=4 * count))
    boxes = np.sort(np.array(corners, np.float32).reshape(count, 2, 2), axis=1).reshape(count, 4)
    rings = [
        [np.full((size, 2), 0.1 * size) for size in draw(st.lists(st.integers(3, 5), max_size=2))]
        for _ in range(count)
    ]
    found = Detections(
        100,
        100,
        np.arange(count, dtype=np.uint16),
        np.linspace(0.3, 0.9, count, dtype=np.float32),
        boxes,
        MaskRings.from_rings(rings),
    )
    looks = draw(st.lists(st.just(Look(0, 0, 50, 60, 0.1)), max_size=2))
    return SeenFrame(draw(st.integers(-(2**62), 2**62)), draw(st.integers(0, 2**62)), found,
                     tuple(looks))  # fmt: skip


@given(st.lists(frames(), max_size=4), st.integers(0, 9), st.booleans())
def test_an_answer_comes_back_as_it_was(given: list[SeenFrame], unread: int, whole: bool) -> None:
    answer = UnitAnswer(
        tuple(given), ("person", "tent"), "a.onnx", 3, unread, ("why ä", "b"), whole
    )
    data = to_bytes(answer)
    assert to_bytes(from_bytes(data)) == data == to_bytes(answer)
    again = from_bytes(data)
    for before, after in zip(answer.frames, again.frames, strict=True):
        assert canonical(to_plain(before)) == canonical(to_plain(after))
    assert replace(again, frames=()) .problems == ("why ä", "b")  # fmt: skip
    assert (again.vocabulary, again.model, again.skipped, again.unread, again.is_whole) == (
        ("person", "tent"), "a.onnx", 3, unread, whole
    )  # fmt: skip


def test_a_damaged_answer_is_none(tmp_path: Path) -> None:
    store = AnswerStore(tmp_path / "answers")
    data = to_bytes(UnitAnswer((), ("person",), "a.onnx"))
    assert store.get("a") is None
    store.put("a", data)
    assert store.get("a") == data
    (file,) = (tmp_path / "answers").iterdir()
    for cut in (0, 1, len(data) // 2, len(data) - 1):
        file.write_bytes(data[:cut])
        assert store.get("a") is None
    file.write_bytes(data[: len(data) // 2] + b"\xff" * 40 + data[len(data) // 2 + 40 :])
    assert store.get("a") is None


@pytest.mark.parametrize(
    ("place", "value"), [(10, 99), (8, 1), (6, 250)], ids=["method", "encrypted", "version"]
)
def test_a_damaged_answer_of_another_kind_of_archive_is_none(
    tmp_path: Path, place: int, value: int
) -> None:
    """By its directory (PKWARE's APPNOTE, 4.3.12), of which the library says so in its own way."""
    store = AnswerStore(tmp_path / "answers")
    store.put("a", to_bytes(UnitAnswer((), ("person",), "a.onnx")))
    (file,) = (tmp_path / "answers").iterdir()
    data = bytearray(file.read_bytes())
    data[data.index(b"PK\x01\x02") + place] = value
    file.write_bytes(data)
    assert store.get("a") is None
    assert store.answer("a") is None


def test_a_disk_that_refuses(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be made: not a directory"):
        AnswerStore(tmp_path / "file" / "answers")
    store = AnswerStore(tmp_path / "answers")
    (tmp_path / "answers").rmdir()
    with pytest.raises(StorageError, match="cannot be written: no such file"):
        store.put("a", b"")


@pytest.mark.parametrize(
    "changed",
    [
        {"model_sha256": "1" * 64},
        {"words": ("person",)},
        {"words": ("tent", "person")},
        {"threads": 2},
        {"rate_hz": 2.0},
        {"settings": DetectorSettings(confidence_threshold=0.3)},
        {"tiling": TileSettings("tiles")},
    ],
)
def test_another_question_has_another_name(changed: dict[str, object]) -> None:
    assert UNIT.key(replace(ASKED, **changed)) != UNIT.key(ASKED)


@pytest.mark.parametrize("name", ["kind", "scene", "identity"])
def test_another_unit_has_another_name(name: str) -> None:
    assert replace(UNIT, **{name: "other"}).key(ASKED) != UNIT.key(ASKED)
    for number in ("start", "stop", "origin_ns"):
        assert replace(UNIT, **{number: 99}).key(ASKED) != UNIT.key(ASKED)


def test_where_files_lie_does_not_matter() -> None:
    moved = replace(UNIT, path="/mnt/ring", file=3, weight=9)
    assert moved.key(replace(ASKED, model="/mnt/b.onnx")) == UNIT.key(ASKED)


@pytest.mark.parametrize(
    "tiling", [TileSettings("rotating"), TileSettings("tiles", frame_budget_s=0.1)]
)
def test_what_depends_on_pictures_before_is_refused(tiling: TileSettings) -> None:
    with pytest.raises(ConfigurationError, match="full and tiles are allowed"):
        replace(ASKED, tiling=tiling)


def test_a_rate_takes_the_first_picture_of_each_period() -> None:
    asked = replace(ASKED, rate_hz=2.0)
    before, taken = None, []
    for stamp_ns in range(0, 3_000_000_000, 200_000_000):
        if asked.is_wanted(stamp_ns, before):
            before = stamp_ns
            taken.append(stamp_ns // 1_000_000)
    assert taken == [0, 600, 1000, 1600, 2000, 2600]
    assert all(ASKED.is_wanted(1, before) for before in (None, 0, 1))
