"""What people say of findings: a log that only grows, in reports and files for maps."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import gpxpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_missions_apart import Recording, ns

from semantic_detection_pkg.cli.report import main
from semantic_detection_pkg.recorder.core.reviews import (
    VERDICTS,
    FindingReview,
    Review,
    by_finding,
    review_of_line,
)
from semantic_detection_pkg.recorder.storage.review_log import FILE, ReviewLog

ANNA = Review("5-1", 1_764_176_400_000_000_000, "Anna", "accepted", "a blue jacket")
BEN = Review("5-1", 1_764_176_460_000_000_000, "Ben", "rejected", "")


def test_the_newest_verdict_counts_and_comments_stay() -> None:
    said = (ANNA, Review("5-1", ANNA.time_ns + 1, "Ben", "", "looked from the other side"))
    assert FindingReview(said).verdict == "accepted"
    assert FindingReview((*said, BEN)).decided == BEN
    taken_back = (*said, BEN, Review("5-1", BEN.time_ns + 1, "Ben", "open", ""))
    assert FindingReview(taken_back).decided is None
    assert [one.who for one in FindingReview(taken_back).comments] == ["Anna", "Ben"]
    assert FindingReview().verdict == ""


@given(
    st.builds(
        Review,
        st.text(min_size=1),
        st.integers(0, 10**19),
        st.text(),
        st.sampled_from(VERDICTS),
        st.text(),
    )
)
def test_a_line_is_read_as_it_was_written(review: Review) -> None:
    line = review.to_line()
    assert "\n" not in line
    assert review_of_line(line.encode()) == review


@given(st.binary(max_size=80))
def test_bytes_that_are_no_review_are_passed_over(data: bytes) -> None:
    assert review_of_line(data) is None


@pytest.mark.parametrize(
    "change",
    [{"verdict": "maybe"}, {"time_ns": "soon"}, {"time_ns": 5}, {"finding": ""}, {"who": None}],
)
def test_a_line_with_a_wrong_field_is_passed_over(change: dict[str, object]) -> None:
    fields = {**json.loads(ANNA.to_line()), **change}
    assert review_of_line(json.dumps(fields).encode()) is None


def test_the_log_is_appended_to_and_a_torn_line_costs_only_itself(tmp_path: Path) -> None:
    log = ReviewLog(tmp_path)
    assert log.read() == []
    log.append(ANNA)
    before = (tmp_path / FILE).read_bytes()
    with (tmp_path / FILE).open("ab") as file:
        file.write(BEN.to_line().encode()[:30])  # the power went
    ReviewLog(tmp_path).append(BEN)
    assert (tmp_path / FILE).read_bytes().startswith(before)
    assert ReviewLog(tmp_path).read() == [ANNA, BEN]
    assert by_finding(log.read())["5-1"].decided == BEN


def test_a_folder_that_is_away_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        ReviewLog(tmp_path / "away").append(ANNA)
    assert not (tmp_path / "away").exists()


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    one = Recording(tmp_path)
    yield one
    one.close()


def test_reviews_are_in_the_report_and_in_the_files_for_maps(recording: Recording) -> None:
    recording.run(0, 30)
    recording.find(10, "tent", 0.0, 1)
    recording.find(20, "boat", 0.0, 2)
    recording.close()
    log = ReviewLog(recording.folder)
    for review in (
        Review(f"{ns(0)}-1", ANNA.time_ns, "Anna <b>", "accepted", "=1+1\na blue jacket"),
        Review(f"{ns(0)}-1", BEN.time_ns, "Ben", "", "seen, too"),
        Review(f"{ns(0)}-2", BEN.time_ns, "Ben", "rejected", ""),
        Review("9-9", BEN.time_ns, "Ben", "rejected", "of another mission"),
    ):
        log.append(review)
    assert main([str(recording.folder), "--export", "csv,geojson,gpx,kmz"]) == 0
    page = (recording.folder / "report.html").read_text()
    assert '<span class="chip accepted">accepted</span> <span class="note">Anna &lt;b&gt;' in page
    assert "seen, too" in page
    assert "of another mission" not in page
    table = (recording.folder / "findings.csv").read_bytes().decode("utf-8-sig")
    tent, boat = csv.DictReader(io.StringIO(table))
    assert tent["review"] == "accepted by Anna <b>, 2025-11-26T17:00:00.000Z"
    assert tent["comments"] == (
        "Anna <b>, 2025-11-26T17:00:00.000Z: =1+1 a blue jacket; "
        "Ben, 2025-11-26T17:01:00.000Z: seen, too"
    )
    assert boat["review"] == "rejected by Ben, 2025-11-26T17:01:00.000Z"
    points = [
        one["properties"]
        for one in json.loads((recording.folder / "findings.geojson").read_text())["features"]
        if one["geometry"]["type"] == "Point"
    ]
    assert [one["review"] for one in points] == ["accepted", "rejected"]
    assert "Review: accepted by Anna" in points[0]["description"]
    waypoints = gpxpy.parse((recording.folder / "findings.gpx").read_text()).waypoints
    assert "Comments: Anna" in waypoints[0].description
    with zipfile.ZipFile(recording.folder / "findings.kmz") as packed:
        assert "accepted by Anna" in packed.read("doc.kml").decode()
