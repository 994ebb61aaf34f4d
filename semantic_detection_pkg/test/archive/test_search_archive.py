"""`search_archive` as people call it: the same findings whoever looks, and nothing done twice."""

from __future__ import annotations

import re
from pathlib import Path

import archive_things as things
import pytest
from rosbags.rosbag2 import StoragePlugin

from semantic_detection_pkg.cli.search_archive import main
from semantic_detection_pkg.common.file_system import FolderLock
from semantic_detection_pkg.recorder.core.reviews import Review, review_of_line
from semantic_detection_pkg.recorder.evidence.content import latest_findings
from semantic_detection_pkg.recorder.storage.bag_reader import BagReader
from semantic_detection_pkg.recorder.storage.review_log import ReviewLog

pytestmark = pytest.mark.usefixtures("no_progress")

WORDS = "red,green,blue"


def run(*words: object) -> int:
    return main([str(word) for word in words])


def digest_of(text: str) -> str:
    found = re.search(r"findings sha256 ([0-9a-f]{64})", text)
    assert found is not None, text
    return found[1]


# ------------------------------------------------------------------------- what is found


@pytest.mark.long
def test_any_number_of_workers_finds_the_same(
    tmp_path: Path, bag: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    photos = things.write_pictures(tmp_path / "photos", 20)
    digests, answers, reports = set(), set(), set()
    for count in (1, 2, 4):
        out = tmp_path / f"out{count}"
        status = run(
            bag, photos, "--words", WORDS, "--model", model, "--output", out, "--workers", count
        )
        said = capfd.readouterr()
        assert (status, said.err) == (0, "")
        assert "100 pictures looked through: " in said.out
        digests.add(digest_of(said.out))
        kept = sorted((out / "answers").iterdir())
        answers.add(tuple((path.name, path.read_bytes()) for path in kept))
        reports.add((out / "findings/report.html").read_text().replace(str(out), "out"))
    assert len(digests) == len(answers) == len(reports) == 1


@pytest.mark.long
def test_what_people_said_of_findings_outlives_the_next_search(
    tmp_path: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where the findings are others, a number names another thing: then it is put aside."""
    photos = things.write_pictures(tmp_path / "photos", 8)
    found = tmp_path / "out/findings"
    asked = ("--words", WORDS, "--model", model, "--output", tmp_path / "out", "--workers", 1)
    assert run(photos, *asked) == 0
    with BagReader(found) as reader:
        one = latest_findings(reader, "/")[0]
    said = Review(one.id, 7, "Ann", "rejected", "a rock")
    ReviewLog(found).append(said)
    assert run(photos, *asked) == 0
    assert "reviews_before" not in capfd.readouterr().err
    assert ReviewLog(found).read() == [said]
    assert "a rock" in (found / "report.html").read_text()
    more = things.write_pictures(tmp_path / "more", 16)
    for _ in range(2):
        assert run(photos, more, *asked) == 0
        assert ReviewLog(found).read() == []
        (line,) = (found / "reviews_before.jsonl").read_bytes().splitlines()
        assert review_of_line(line) == said
    assert capfd.readouterr().err.count("kept in reviews_before.jsonl") == 1


@pytest.mark.parametrize("plugin", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_findings_are_those_of_a_mission(
    tmp_path: Path, model: Path, plugin: StoragePlugin, capfd: pytest.CaptureFixture[str]
) -> None:
    """In the same form: a bag, events, pages, files for maps, made by `report` itself."""
    path = things.write_bag(
        tmp_path / "flight", topics=[("/front/image_raw", things.RAW)], plugin=plugin
    )
    out = tmp_path / "out"
    asked = ("--words", WORDS, "--model", model, "--output", out, "--workers", 1)
    assert run(path, *asked, "--export", "csv") == 0
    said = capfd.readouterr()
    assert "80 pictures looked through: 3 confirmed" in said.out
    with BagReader(out / "findings") as reader:
        found = {one.class_name: one for one in latest_findings(reader, "/")}
    assert found.keys() == {"red", "green", "blue"}
    for spot in things.SPOTS:
        finding = found[spot.colour]
        x, y = (things.CELL_PX * (at + 0.5) for at in (spot.column, spot.row))
        x0, y0, x1, y1 = finding.best_box_xyxy
        assert x0 < x < x1
        assert y0 < y < y1
        number = (finding.best_frame.sec - things.START_NS // 10**9) * 4
        assert spot.first <= number + 3
        assert number < spot.stop
    page = (out / "findings/report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 3
    assert "Looked for red, green, blue" in page
    assert len(list((out / "findings/events").glob("*/evidence.html"))) == 3
    assert (out / "findings/findings.csv").read_text(encoding="utf-8-sig").count("confirmed") == 3
    # Asked again, nothing is looked at again, and the findings are replaced.
    kept = {path.name: path.stat().st_mtime_ns for path in (out / "answers").iterdir()}
    assert run(path, *asked) == 0
    assert digest_of(capfd.readouterr().out) == digest_of(said.out)
    assert kept == {path.name: path.stat().st_mtime_ns for path in (out / "answers").iterdir()}
    assert not (out / "findings/findings.csv").exists()
    # Another question is another search, in the same folder.
    assert run(path, *asked, "--words", "blue") == 0
    assert "80 pictures looked through: 1 confirmed" in capfd.readouterr().out
    assert len(list((out / "answers").iterdir())) == 2 * len(kept)


@pytest.mark.long
def test_a_rate_and_tiles(
    tmp_path: Path, bag: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = ("--words", WORDS, "--model", model, "--workers", 1, "--output", tmp_path / "out")
    assert run(bag, *asked, "--rate", 1) == 0
    assert "20 pictures looked through" in capfd.readouterr().out
    assert run(bag, *asked, "--rate", 1, "--tiles", "tiles", "--tile-px", 64) == 0
    assert "20 pictures looked through" in capfd.readouterr().out


@pytest.mark.long
def test_a_broken_recording_beside_a_good_one(
    tmp_path: Path, bag: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each thing that is wrong is one line; what is good is looked through."""
    cut = things.write_bag(tmp_path / "cut")
    (file,) = cut.glob("*.mcap")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] + bytes(2000) + whole[len(whole) // 2 + 2000 :])
    video = tmp_path / "a.mp4"
    video.write_bytes(b"no video")
    asked = ("--words", WORDS, "--model", model, "--workers", 2, "--output", tmp_path / "out")
    assert run(bag, cut, video, *asked) == 1
    said = capfd.readouterr()
    assert re.search(r"\d+ pictures looked through: \d confirmed", said.out)
    lines = said.err.splitlines()
    assert f"search_archive: video {video} is not a video that can be read" in lines
    assert sum(line.startswith(f"search_archive: bag {cut}") for line in lines) == len(lines) - 2
    assert re.fullmatch(r"search_archive: \d could not be read or looked at", lines[-1])
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--words", "yellow raincoat"], "vocabulary: 'yellow raincoat' is unknown; known: red,"),
        (["--words", ""], "words: none is given"),
        (["--model", "nothing.onnx"], "model nothing.onnx: does not exist"),
        (["--model", __file__], "test_search_archive.py"),
        (["--engine", "abacus"], "inference engine 'abacus' is unknown"),
        (["--topic", "/rear"], "has no pictures on topic /rear; topics with pictures: /front"),
        (["--classifier", "nothing.onnx"], "model nothing.onnx: does not exist"),
        (["--scheduler", "tcp://127.0.0.1:1"], "scheduler tcp://127.0.0.1:1 cannot be reached"),
        (["--scheduler", "nonsense://x"], "scheduler nonsense://x cannot be reached"),
        (["--output", "/proc/archive"], "/proc/archive"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, bag: Path, model: Path, words: list[str], said: str,
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("semantic_detection_pkg.archive.workers.cluster._CONNECT_S", 1.0)
    asked = ["--words", WORDS, "--model", model, "--output", tmp_path / "out", "--workers", "1"]
    if "--scheduler" in words:
        asked = asked[:-2]
    assert run(bag, *asked, *words) == 2
    error = capfd.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert error.startswith("search_archive: ")


def test_a_bag_without_pictures_alone_is_refused(
    tmp_path: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = things.write_bag(tmp_path / "bag", 0)
    asked = ("--words", WORDS, "--model", model, "--output", tmp_path / "out")
    assert run(path, tmp_path / "none", *asked) == 2
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("search_archive: ") for line in lines)


def test_two_searches_in_one_folder(
    tmp_path: Path, bag: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    lock = FolderLock(tmp_path / "out", "search")
    assert run(bag, "--words", WORDS, "--model", model, "--output", tmp_path / "out") == 2
    lock.release()
    said = f"search_archive: output {tmp_path / 'out'}: another search uses it\n"
    assert capfd.readouterr().err == said
