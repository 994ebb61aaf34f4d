"""A mission is a goal: joined by it over silences and lost files, ended with it, filed once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_missions_apart import IDLE, MINUTE, Recording, ns, told

from semantic_detection_pkg.cli.report import main
from semantic_detection_pkg.recorder.evidence.mission_folders import known
from semantic_detection_pkg.recorder.evidence.missions_of_recording import missions_of
from semantic_detection_pkg.recorder.storage.bag_reader import BagReader
from simulation_pkg.harness.recorded_messages import NS_PER_S, START_NS, blank

A, B = {"goal": "a" * 32, "begun_s": 0.0}, {"goal": "b" * 32, "begun_s": 65.0}
BEARING = "interfaces_pkg/msg/Bearing"


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    one = Recording(tmp_path)
    yield one
    one.close()


def drop_first_file(recording: Recording) -> None:
    """The ring lets go of its oldest segment."""
    recording.close()
    sorted((recording.folder / "ring").glob("*.mcap"))[0].unlink()
    (recording.folder / "ring" / "metadata.yaml").unlink()
    recording.restart()  # makes it anew


def report(recording: Recording, *options: str) -> None:
    recording.close()
    assert main([str(recording.folder), *options]) == 0
    recording.restart()


def files_of(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.is_file()}


def test_the_same_goal_goes_on_after_a_long_silence(recording: Recording) -> None:
    """The board was off; the scan controller resumed its goal."""
    recording.run(0, 30, **A)
    recording.find(10, "tent", 0.0, 1)
    recording.restart()
    recording.run(30 + 20 * MINUTE, 5, IDLE)
    recording.run(35 + 20 * MINUTE, 30, **A)
    recording.find(50 + 20 * MINUTE, "person", 0.0, 2)
    assert told(recording) == [(0, ("tent",), ["person", "tent"])]


@pytest.mark.parametrize("pause_s", [0, 5, 200])
def test_another_goal_is_another_mission_though_it_asks_for_the_same(
    pause_s: int, recording: Recording
) -> None:
    recording.run(0, 30, **A)
    recording.run(30, pause_s, IDLE)
    start = 30 + pause_s
    recording.run(start, 30, goal=A["goal"], begun_s=float(start))  # begun again by its name
    recording.find(start + 10, "tent", float(start))
    assert told(recording) == [(0, ("tent",), []), (start, ("tent",), ["tent"])]


def test_a_mission_ends_with_its_goal(recording: Recording) -> None:
    recording.run(0, 30, **A)
    recording.state(30, IDLE, outcome="succeeded: enough", **A)
    recording.find(31, "tent", 0.0)  # told a moment later
    recording.run(31, 3000, IDLE)
    recording.run(3031, 20, **{**B, "begun_s": 3031.0})
    recording.close()
    with BagReader(recording.folder) as reader:
        first, second = missions_of(recording.folder, reader, "/", lambda *_: None, 4000)
        start_ns, end_ns = first.times_ns()
        assert start_ns == START_NS
        assert 30 <= (end_ns - START_NS) / NS_PER_S <= 34
        assert first.course.search.outcome == "succeeded: enough"
        assert [one.class_name for one in first.findings(recording.folder)] == ["tent"]
        assert second.course.search.outcome == ""
        assert max(at for at, *_ in first.course.levels) <= end_ns


def test_findings_told_again_after_the_end_are_of_their_goal(recording: Recording) -> None:
    """A scan controller that starts again tells what its predecessor may not have told."""
    recording.run(0, 30, **A)
    recording.run(30, 60, IDLE)
    recording.find(80, "tent", 0.0)
    assert told(recording) == [(0, ("tent",), ["tent"])]


def test_the_ring_lost_its_first_files_and_it_is_one_mission_all_the_same(
    recording: Recording,
) -> None:
    recording.run(0, 30, **A)
    recording.find(10, "tent", 0.0)  # its event outlives the ring
    recording.restart()
    recording.run(30, 300, **A)  # without a finding
    recording.restart()
    report(recording, "--export", "csv")
    assert not (recording.folder / "missions").exists()
    drop_first_file(recording)
    assert told(recording) == [(0, ("tent",), ["tent"])]
    report(recording)
    assert not (recording.folder / "missions").exists()
    page = (recording.folder / "report.html").read_text()
    assert "The ring has let go of what was recorded of its first 30 s." in page
    assert "tent" in (recording.folder / "findings.csv").read_text()


def test_reports_that_do_not_overlap_are_of_one_mission(recording: Recording) -> None:
    """What was reported first is gone from the ring when it is reported again."""
    recording.run(-600, 30, goal="z" * 32, begun_s=-600.0)
    recording.restart()
    recording.run(0, 30, **A)
    recording.restart()
    report(recording)
    folders = {one.begun_ns: one.folder for one in known(recording.folder)}
    assert set(folders) == {ns(-600), ns(0)}
    recording.run(200, 30, **A)
    recording.restart()
    for _ in range(2):
        drop_first_file(recording)
    report(recording)
    listed = known(recording.folder)
    assert {one.begun_ns: one.folder for one in listed} == folders
    assert (recording.folder / "report.html").read_text().count('<a href="missions/') == 2


def test_files_of_the_first_report_move_with_it(recording: Recording) -> None:
    recording.run(0, 30, **A)
    recording.find(10, "tent", 0.0)
    recording.restart()
    report(recording, "--export", "csv,gpx")
    first = files_of(recording.folder)
    assert {"report.html", "findings.csv", "findings.gpx", "mission.json"} <= first
    recording.run(65, 30, **B)
    recording.find(70, "boat", 65.0)
    report(recording)
    assert files_of(recording.folder) & first - {".lock"} == {"report.html"}
    newest, oldest = known(recording.folder)
    assert "Missions" in (recording.folder / "report.html").read_text()
    assert {"findings.csv", "findings.gpx", "report.html"} <= files_of(oldest.folder)
    assert "tent" in (oldest.folder / "findings.csv").read_text()
    assert "boat" not in (oldest.folder / "findings.csv").read_text()
    assert "All missions" in (oldest.folder / "report.html").read_text()
    assert "findings.csv" not in files_of(newest.folder)


def test_a_report_whose_recording_is_gone_is_kept_beside_the_new_one(recording: Recording) -> None:
    recording.run(0, 30, **A)
    recording.restart()
    report(recording, "--export", "csv")
    before = (recording.folder / "report.html").read_text()
    recording.run(65, 30, **B)
    recording.restart()
    drop_first_file(recording)
    report(recording)
    newest, oldest = known(recording.folder)
    assert (newest.begun_ns, oldest.begun_ns) == (ns(65), ns(0))
    assert (oldest.folder / "report.html").read_text() == before
    assert (oldest.folder / "findings.csv").exists()
    assert (recording.folder / "report.html").read_text().count('<a href="missions/') == 2


def test_exports_beside_a_newer_report_are_made_anew(recording: Recording) -> None:
    recording.run(0, 30, **A)
    recording.find(10, "tent", 0.0, 1)
    recording.restart()
    report(recording, "--export", "csv")
    recording.run(30, 30, **A)
    recording.find(40, "person", 0.0, 2)
    report(recording)
    table = (recording.folder / "findings.csv").read_text()
    assert "tent" in table
    assert "person" in table
    assert 'href="findings.csv"' in (recording.folder / "report.html").read_text()


def test_files_without_a_note_are_put_aside(recording: Recording) -> None:
    """Of a report of before nobody knows which mission it was."""
    recording.folder.mkdir(exist_ok=True)
    (recording.folder / "findings.gpx").write_text("old")
    recording.run(0, 30, **A)
    recording.restart()
    recording.run(65, 30, **B)
    report(recording)
    assert (recording.folder / "missions" / "earlier" / "findings.gpx").read_text() == "old"
    assert not (recording.folder / "findings.gpx").exists()
    assert len(known(recording.folder)) == 2


def test_what_was_wanted_foretold_and_reached_is_in_the_report(recording: Recording) -> None:
    corners = [blank(BEARING, yaw_rad=x, pitch_rad=y) for x, y in ((-2, -2), (0.2, -2), (0.2, 2),
               (-2, 2))]  # fmt: skip
    weight = blank("interfaces_pkg/msg/WeightedArea", vertices=corners, weight=8.0)
    search: dict[str, Any] = {
        "planner": "probability",
        "wanted_pod": 0.9,
        "forecast_pod": 0.93,
        "repeat": False,
        "weights": [weight],
    }
    told = "POD 0.93 in about 80 s of 12 passes at zoom 2"
    recording.state(0, forecast="", pod=0.0, **search, **A)
    for second in range(1, 60):
        recording.state(
            second, forecast=told, forecast_s=80.0 - second, pod=second / 100, **search, **A
        )
    recording.cover(59, columns=4)
    recording.state(60, IDLE, outcome="succeeded: it is reached", **A)
    recording.run(61, 5, IDLE)
    report(recording)
    page = " ".join((recording.folder / "report.html").read_text().split())
    assert "Searched by probability of detection; a POD of 90 % was wanted." in page
    assert "Foretold before it began: 93 % in about 79 s <span" in page
    assert f"({told})" in page
    assert "It ended after 1 min: succeeded: it is reached." in page
    assert "<td>× 8</td>" in page
    assert "<polygon" in page


def test_recordings_of_before_have_no_such_part(recording: Recording) -> None:
    recording.run(0, 30)
    recording.cover(20, columns=4)
    report(recording)
    page = (recording.folder / "report.html").read_text()
    assert "Foretold" not in page
    assert "was wanted" not in page
