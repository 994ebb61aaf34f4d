"""Folders as people have them: a card's, with links to nowhere, odd names and damaged pictures."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import archive_things as things
import av
import pytest

from semantic_detection_pkg.archive.answer_files import from_bytes
from semantic_detection_pkg.archive.sources.opening import (
    SourceOptions,
    open_path,
    recordings_in,
)
from semantic_detection_pkg.archive.workers.looking import look
from semantic_detection_pkg.cli.search_archive import main
from semantic_detection_pkg.recorder.storage.disk import Disk
from semantic_detection_pkg.recorder.storage.searched import Searched, read_searched

NOTHING_TOLD = SourceOptions()


@pytest.fixture
def search(
    tmp_path: Path,
    model: Path,
    capfd: pytest.CaptureFixture[str],
    no_progress: None,
) -> Callable[..., tuple[int, str, list[str]]]:
    """Search, return status, what was said, and the lines of complaint."""
    asked = ["--words", "red,green,blue", "--model", model, "--workers", 1]

    def run(*words: object) -> tuple[int, str, list[str]]:
        status = main([str(one) for one in (*words, *asked, "--output", tmp_path / "out")])
        said = capfd.readouterr()
        return status, said.out, said.err.splitlines()

    return run


# ------------------------------------------------------------------------- what is in a folder


def card(path: Path) -> Path:
    """A camera's card: pictures and a video in folders, and what nobody should look at."""
    path.mkdir()
    for name in ("101MEDIA", "2MEDIA"):
        things.write_pictures(path / name, 2)
    things.write_bag(path / "flight", 2)
    shutil.copy(next((path / "flight").glob("*.mcap")), path / "2MEDIA" / "crashed.mcap")
    (path / "2MEDIA" / "DJI_1.MP4").write_bytes(b"video")
    (path / "2MEDIA" / "DJI_1.SRT").write_text("text")
    (path / ".Trashes").mkdir()
    things.write_pictures(path / ".Trashes" / "501", 1)
    (path / "2MEDIA" / "._0.png").write_bytes(b"\0\5\x16\7")
    (path / "2MEDIA" / "round").symlink_to(path, target_is_directory=True)
    return path


def test_a_folder_is_all_that_lies_in_it(tmp_path: Path) -> None:
    path = card(tmp_path / "card")
    assert recordings_in(path, tmp_path / "out") == [
        path / "2MEDIA",
        path / "2MEDIA" / "crashed.mcap",
        path / "2MEDIA" / "DJI_1.MP4",
        path / "101MEDIA",
        path / "flight",
    ]
    assert recordings_in(path, path / "101MEDIA")[-2:] == [
        path / "2MEDIA/DJI_1.MP4",
        path / "flight",
    ]
    for one in (path / "flight", path / "101MEDIA" / "0.png", tmp_path / "none"):
        assert recordings_in(one, tmp_path / "out") == [one]
    (tmp_path / "empty").mkdir()
    assert recordings_in(tmp_path / "empty", tmp_path / "out") == [tmp_path / "empty"]


def test_what_a_search_found_is_not_looked_through_again(
    tmp_path: Path, search: Callable[..., Any]
) -> None:
    things.write_pictures(tmp_path / "photos", 2)
    first = search(tmp_path)
    assert first[0] == 0
    assert first[1].startswith("2 pictures looked through")
    assert search(tmp_path) == first


def test_one_picture_is_looked_through(tmp_path: Path, search: Callable[..., Any]) -> None:
    photos = things.write_pictures(tmp_path / "photos", 2)
    status, said, complaints = search(photos / "1.png", photos / "1.png")
    assert (status, complaints) == (0, [])
    assert said.startswith("1 pictures looked through: 1 confirmed")


# ------------------------------------------------------------------------- what is wrong with them


def test_what_cannot_be_looked_at_is_said_each_by_its_name(
    tmp_path: Path, search: Callable[..., Any]
) -> None:
    photos = things.write_pictures(tmp_path / "photos", 2)
    (photos / "nowhere.jpg").symlink_to(tmp_path / "nothing")
    (photos / "new\nline \x1b[31m.jpg").write_bytes(b"no picture")
    (photos / "empty.jpg").touch()
    (photos / "folder.jpg").mkdir()
    os.mkfifo(photos / "pipe.jpg")
    with open(os.fsencode(photos) + b"/stra\xdfe.jpg", "wb") as file:
        file.write(b"no picture, of a name that is no UTF-8")
    for _ in range(2):  # the same from what is kept
        status, said, complaints = search(photos)
        assert status == 1
        assert said.startswith("2 pictures looked through: ")
        assert complaints == [
            f"search_archive: picture {photos}/empty.jpg: the file is empty",
            f"search_archive: picture {photos}/new\\nline \\x1b[31m.jpg: cannot be decoded",
            f"search_archive: picture {photos}/nowhere.jpg: no such file or directory",
            f"search_archive: picture {photos}/stra\\udcdfe.jpg: cannot be decoded",
            "search_archive: 4 could not be read or looked at",
        ]
    report = (tmp_path / "out/findings/report.html").read_text()
    assert "4 could not be looked at:" in report
    assert f"<li>picture {photos}/nowhere.jpg: no such file or directory</li>" in report


def test_many_are_told_in_a_few_lines(tmp_path: Path, search: Callable[..., Any]) -> None:
    photos = things.write_pictures(tmp_path / "photos", 1)
    for number in range(30):
        (photos / f"bad{number}.png").write_bytes(b"no picture")
    status, _, complaints = search(photos)
    assert (status, len(complaints)) == (1, 21)
    assert complaints[-1] == (
        "search_archive: 30 could not be read or looked at: the first are above, more in the report"
    )
    report = (tmp_path / "out/findings/report.html").read_text()
    assert report.count("cannot be decoded</li>") == 30


def test_a_picture_that_can_be_read_another_time_is_not_forgotten(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that nobody may read now, say: its answer is not kept, that of one that is gone is."""
    photos = things.write_pictures(tmp_path / "photos", 2)
    (unit,) = open_path(photos, NOTHING_TOLD).units()
    read_bytes = Path.read_bytes

    def refused(path: Path) -> bytes:
        if path.name == "1.png":
            raise PermissionError(13, "Permission denied")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", refused)
    answer = from_bytes(look(things.question(model), unit))
    assert (len(answer.frames), answer.unread, answer.is_whole) == (1, 1, False)
    monkeypatch.undo()
    (photos / "1.png").unlink()
    (photos / "1.png").symlink_to("nothing")
    (unit,) = open_path(photos, NOTHING_TOLD).units()
    answer = from_bytes(look(things.question(model), unit))
    assert (len(answer.frames), answer.unread, answer.is_whole) == (1, 1, True)
    assert answer.problems == (f"picture {photos}/1.png: no such file or directory",)


@pytest.mark.timeout(180)
def test_a_recording_that_goes_after_it_was_looked_through(
    tmp_path: Path, search: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stick that is pulled out: what the others show is told all the same."""
    photos = things.write_pictures(tmp_path / "photos", 2)
    stick = things.write_bag(tmp_path / "stick")

    class Pulled(main.__globals__["Search"]):  # type: ignore[misc]
        def __init__(self, *parts: Any) -> None:
            shutil.rmtree(stick, ignore_errors=True)
            super().__init__(*parts)

    monkeypatch.setattr("semantic_detection_pkg.cli.search_archive.Search", Pulled)
    status, said, complaints = search(photos, stick)
    assert status == 1
    assert "82 pictures looked through: " in said
    assert any(f"{stick}" in line for line in complaints)


def test_little_room_is_room_enough(
    tmp_path: Path, search: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a search found takes what it takes, no recorder's segment, and is not let go of."""
    photos = things.write_pictures(tmp_path / "photos", 2)
    free = Disk.free_bytes
    monkeypatch.setattr(Disk, "free_bytes", lambda disk, path: min(free(disk, path), 1_000_000))
    status, said, complaints = search(photos)
    assert (status, complaints) == (0, [])
    assert list((tmp_path / "out/findings/ring").glob("*.mcap"))
    assert "data:image/jpeg" in (tmp_path / "out/findings/report.html").read_text()


# ------------------------------------------------------------------------- where the picture is


def write_video(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width = stream.height = things.SIDE_PX
        stream.pix_fmt = "bgr0"
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(things.picture(number), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_pages_and_tables_say_which_picture_it_is(
    tmp_path: Path, search: Callable[..., Any]
) -> None:
    photos = things.write_pictures(tmp_path / "photos", 1)
    clip = write_video(tmp_path / "clip.mkv")
    bag = things.write_bag(tmp_path / "flight", 60)
    status, _, complaints = search(photos, clip, bag, "--export", "csv,kmz")
    assert status == 0
    assert all(line.startswith("report: ") for line in complaints)
    found = tmp_path / "out/findings"
    searched = read_searched(found)
    assert searched is not None
    told = set(searched.places.values())
    assert f"{photos}/0.png" in told
    assert any(one.startswith(f"{clip} at 0:0") for one in told)
    assert any(one.startswith(f"{bag}, /front/image_raw/compressed, received at ") for one in told)
    rows = list(csv.DictReader(io.StringIO((found / "findings.csv").read_text("utf-8-sig"))))
    assert {row["id"]: row["picture"] for row in rows} == dict(searched.places)
    report = (found / "report.html").read_text()
    pages = [page.read_text() for page in found.glob("events/*/evidence.html")]
    assert pages
    for page in pages:
        assert sum(f"<dt>Picture</dt><dd>{place}</dd>" in page for place in told) == 1
    assert all(place in report for place in told)
    assert "<h1>Search of recordings</h1>" in report
    assert "Timeline" not in report


@pytest.mark.parametrize("text", ["", "[]", "{", '{"pictures": 1}', json.dumps({"pictures": "x"})])
def test_a_damaged_note_of_a_search_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "searched.json").write_text(text)
    assert read_searched(tmp_path) is None
    assert read_searched(tmp_path / "none") is None
    assert Searched().places == {}
