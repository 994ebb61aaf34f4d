"""Missions of a recording are told apart: a report, a map and a set of findings for each."""

from __future__ import annotations

import json
import shutil
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import gpxpy
import numpy as np
import pytest

from semantic_detection_pkg.cli.report import main
from semantic_detection_pkg.common.core.serialised import byte_after_header_of
from semantic_detection_pkg.recorder.core.events import FindingMark
from semantic_detection_pkg.recorder.core.topics import Message
from semantic_detection_pkg.recorder.evidence.mission_folders import known
from semantic_detection_pkg.recorder.evidence.missions_apart import PAUSE_S, tell_apart
from semantic_detection_pkg.recorder.evidence.missions_of_recording import missions_of
from semantic_detection_pkg.recorder.storage.bag_reader import BagReader, Part, beginning_of
from semantic_detection_pkg.recorder.storage.disk import Disk
from semantic_detection_pkg.recorder.storage.session import RecordingSession
from simulation_pkg.harness.recorded_messages import NS_PER_S, START_NS, blank, message, time_of
from simulation_pkg.harness.scan_recording import SETTINGS

STATE, FINDING = "interfaces_pkg/msg/ScanState", "interfaces_pkg/msg/Finding"
COVERAGE, PICTURE = "interfaces_pkg/msg/Coverage", "sensor_msgs/msg/CompressedImage"
AREA = "interfaces_pkg/msg/ScanArea"
IDLE, SWEEP, SAFE = 0, 1, 3
MINUTE = 60.0


class Recording:
    """Writes what a robot says, second by second; `s` is the time since the start."""

    def __init__(self, folder: Path, settings: Any = SETTINGS) -> None:
        self.folder = folder
        self._settings = settings
        self._open()

    def _open(self) -> None:
        self._session = RecordingSession(self.folder, self._settings, Disk())
        self._session.open()

    def restart(self) -> None:
        """The recorder ends and begins again: another file."""
        self._session.close()
        self._open()

    def close(self) -> None:
        self._session.close()

    def say(self, at_s: float, topic: str, content: Any) -> Message:
        one = message(f"/{topic}", content.__msgtype__, ns(at_s), content=content)
        self._session.write(deque([one]), at_s)
        return one

    def state(
        self,
        at_s: float,
        level: int = SWEEP,
        yaw: float = 1.0,
        words: Any = ("tent",),
        goal: str = "",
        begun_s: float | None = None,
        **more: Any,
    ) -> None:
        """A state; without a goal's name as in recordings of before."""
        area = blank(AREA, yaw_min_rad=-yaw, yaw_max_rad=yaw, bearings=[])
        fields: dict[str, Any] = {
            "header": blank("std_msgs/msg/Header", stamp=time_of(ns(at_s))),
            "words": list(words) if level != IDLE else [],
            "goal_id": goal,
            "goal_begun": time_of(0 if begun_s is None else ns(begun_s)),
            "weights": [],
            "planner": "",
            "outcome": "",
            "forecast": "",
            **more,
        }
        self.say(at_s, "scan/state", blank(STATE, level=level, area=area, reason="so", **fields))

    def run(self, start_s: float, length_s: float, level: int = SWEEP, **goal: Any) -> None:
        for second in range(int(length_s)):
            self.state(start_s + second, level, **goal)

    def find(
        self, at_s: float, name: str = "tent", mission_s: float = 0.0, number: int = 1
    ) -> None:
        content = blank(
            FINDING,
            id=f"{ns(mission_s)}-{number}",
            state=1,
            class_name=name,
            best_frame=time_of(ns(at_s)),
            has_position=True,
            latitude_deg=47.0,
            longitude_deg=8.0,
        )
        sent = self.say(at_s, "findings", content)
        self._session.keep_finding(FindingMark(content.id, name, sent))

    def cover(self, at_s: float, columns: int) -> None:
        results = np.ones(columns, np.uint8)
        self.say(
            at_s,
            "scan/coverage",
            blank(COVERAGE, columns=columns, rows=1, cell_rad=0.1, results=results),
        )


def ns(at_s: float) -> int:
    return START_NS + round(at_s * NS_PER_S)


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    one = Recording(tmp_path)
    yield one
    one.close()


def told(recording: Recording) -> list[tuple[float, tuple[str, ...], list[str]]]:
    """(begin [s], words, class names of the findings) of each mission."""
    recording.close()
    with BagReader(recording.folder) as reader:
        found = missions_of(recording.folder, reader, "/", lambda *_: None, 4000)
        return [
            (
                round((one.times_ns()[0] - START_NS) / NS_PER_S),
                one.course.words,
                sorted(finding.class_name for finding in one.findings(recording.folder)),
            )
            for one in found
        ]


def test_two_runs_25_minutes_apart_are_two_reports(
    recording: Recording, capsys: pytest.CaptureFixture[str]
) -> None:
    recording.run(0, 60)
    recording.cover(50, columns=7)
    recording.find(30)
    recording.restart()
    later = 60 + 25 * MINUTE
    recording.run(later, 60, words=["person"])
    recording.cover(later + 50, columns=11)
    recording.find(later + 30, "person", later)
    recording.close()
    assert main([str(recording.folder), "--export", "gpx"]) == 0
    folders = [
        recording.folder / "missions" / name for name in ("20231114T221320Z", "20231114T223920Z")
    ]
    assert capsys.readouterr().out.splitlines()[:5] == [
        str(recording.folder / "report.html"),
        *(str(folder / name) for folder in folders for name in ("report.html", "findings.gpx")),
    ]
    index = (recording.folder / "report.html").read_text()
    assert index.index("20231114T223920Z/report.html") < index.index("20231114T221320Z/report.html")
    for folder, words, columns in zip(folders, ("tent", "person"), (7, 11), strict=True):
        page = (folder / "report.html").read_text()
        assert f"Looked for {words}." in page
        assert 'href="../../report.html"' in page
        assert f'viewBox="0 0 {columns} 1"' in page
        assert "1 min" in page or "59 s" in page
        assert page.count('class="chip confirmed"') == 2  # in the sum, and one row
        (link,) = {
            part.split('"')[0] for part in page.split('href="')[1:] if "evidence.html" in part
        }
        assert (folder / link).resolve().exists()
        (point,) = gpxpy.parse((folder / "findings.gpx").read_text()).waypoints
        assert point.name == f"1 {words}"
        assert "<td>60</td>" in page  # states, of this mission alone


def test_one_run_is_one_report_in_the_folder_itself(recording: Recording) -> None:
    recording.run(0, 60)
    recording.find(20)
    recording.close()
    assert main([str(recording.folder)]) == 0
    assert "Mission report" in (recording.folder / "report.html").read_text()
    assert not (recording.folder / "missions").exists()


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize(("pause_s", "missions"), [(PAUSE_S - 20, 1), (PAUSE_S + 20, 2)])
def test_silence_divides_when_it_is_long(
    pause_s: float, missions: int, is_restarted: bool, recording: Recording
) -> None:
    """A board that boots anew in the middle of a mission is quicker."""
    recording.run(0, 30)
    if is_restarted:
        recording.restart()
    recording.run(30 + pause_s, 30)
    assert len(told(recording)) == missions


@pytest.mark.parametrize(("pause_s", "missions"), [(PAUSE_S - 20, 1), (PAUSE_S + 20, 2)])
def test_a_scan_without_a_goal_divides_when_it_is_long(
    pause_s: float, missions: int, recording: Recording
) -> None:
    recording.run(0, 30)
    recording.run(30, pause_s, IDLE)
    recording.run(30 + pause_s, 30)
    found = told(recording)
    assert len(found) == missions
    if missions == 2:
        assert found[1][0] == 30 + pause_s


@pytest.mark.parametrize("goal", [{"yaw": 2.0}, {"words": ["person"]}])
def test_another_goal_after_a_short_pause_is_another_mission(
    goal: dict[str, Any], recording: Recording
) -> None:
    recording.run(0, 30)
    recording.find(20)
    recording.run(30, 5, IDLE)
    recording.run(35, 30, **goal)
    recording.find(36, "person", 35.0)
    assert told(recording) == [
        (0, ("tent",), ["tent"]),
        (35, tuple(goal.get("words", ["tent"])), ["person"]),
    ]


def test_a_goal_that_is_narrowed_while_it_runs_is_the_same_mission(recording: Recording) -> None:
    recording.run(0, 20, yaw=2.0)
    recording.run(20, 20, yaw=1.0)  # what the gimbal can reach
    recording.run(40, 5, IDLE)
    recording.run(45, 20, yaw=2.0)
    assert len(told(recording)) == 1


def test_idle_hours_before_and_after_make_no_missions(recording: Recording) -> None:
    recording.run(0, 200, IDLE)
    recording.run(200, 30)
    recording.run(230, 200, IDLE)
    recording.restart()
    recording.run(3000, 200, IDLE)
    with BagReader(recording.folder) as reader:
        (one,) = missions_of(recording.folder, reader, "/", lambda *_: None, 4000)
        assert [round((at - START_NS) / NS_PER_S) for at in one.times_ns()] == [200, 233]
    assert told(recording) == [(200, ("tent",), [])]


def test_what_is_only_idle_is_one_report_all_the_same(recording: Recording) -> None:
    recording.run(0, 20, IDLE)
    recording.restart()
    recording.run(3000, 20, IDLE)
    assert len(told(recording)) == 1


def test_a_scan_that_stands_safe_without_a_goal_searches_nothing(recording: Recording) -> None:
    recording.run(0, 30)
    recording.run(30, 10, IDLE)
    recording.run(40, PAUSE_S, SAFE, words=[])
    recording.run(40 + PAUSE_S, 30)
    assert len(told(recording)) == 2


def test_pictures_go_on_so_it_is_no_silence(recording: Recording) -> None:
    """The state alone stopped: the scan controller had died, the recorder had not."""
    jpeg = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].reshape(-1)
    recording.run(0, 30)
    for second in range(30, 300, 20):
        recording.say(
            second, "camera/image_raw/compressed", blank(PICTURE, format="jpeg", data=jpeg)
        )
    recording.run(300, 30)
    assert len(told(recording)) == 1


def test_a_clock_that_was_set_back_between_runs_mixes_nothing(recording: Recording) -> None:
    recording.run(1000, 60)
    recording.find(1030, "tent", 1000.0)
    recording.restart()
    recording.run(0, 60, words=["person"])  # booted without a clock
    recording.find(30, "person", 0.0)
    recording.restart()
    recording.run(1010, 60, words=["boat"])  # at the times of the first one, as if it were it
    recording.find(1040, "boat", 1010.0)
    assert sorted(told(recording)) == [
        (0, ("person",), ["person"]),
        (1000, ("tent",), ["tent"]),
        (1010, ("boat",), ["boat"]),
    ]


def test_a_clock_that_is_set_back_in_a_run_divides_nothing(recording: Recording) -> None:
    recording.run(3600, 30)
    recording.run(0, 30)
    recording.restart()
    recording.run(31, 30)
    assert len(told(recording)) == 1


def test_three_runs_and_many_files(tmp_path: Path) -> None:
    ring = replace(SETTINGS.ring, segment_duration_s=10.0)
    recording = Recording(tmp_path, replace(SETTINGS, ring=ring))
    for number in range(3):
        start = number * 1000.0
        recording.run(start, 45, words=[f"w{number}"])
        recording.find(start + 31, f"f{number}", start)
        recording.restart()
    assert told(recording) == [
        (number * 1000, (f"w{number}",), [f"f{number}"]) for number in range(3)
    ]
    with BagReader(tmp_path) as reader:
        assert len(reader.file_spans()) > 9


def test_findings_whose_recording_is_gone_are_of_their_own_mission(recording: Recording) -> None:
    recording.run(0, 30)
    recording.find(10, "old", 0.0, 1)
    recording.find(400, "old too", 0.0, 2)  # of the same mission, long after
    recording.restart()
    recording.run(5000, 30)
    recording.find(5010, "new", 5000.0)
    recording.close()
    first = sorted((recording.folder / "ring").glob("*.mcap"))[0]
    first.unlink()
    (recording.folder / "ring" / "metadata.yaml").unlink()
    recording.restart()  # makes it anew
    assert told(recording) == [(10, (), ["old", "old too"]), (5000, ("tent",), ["new"])]
    assert main([str(recording.folder), "--export", "csv"]) == 0
    pages = sorted((recording.folder / "missions").glob("*/report.html"))
    assert ["old too" in page.read_text() for page in pages] == [True, False]
    assert all((page.parent / "findings.csv").stat().st_size > 100 for page in pages)


def test_a_mission_keeps_its_folder_and_older_ones_stay(recording: Recording) -> None:
    recording.run(0, 30)
    recording.restart()
    recording.run(1000, 30)
    recording.close()
    assert main([str(recording.folder)]) == 0
    before = known(recording.folder)
    assert len(before) == 2
    recording.restart()
    recording.run(1030, 30)  # goes on
    recording.close()
    assert main([str(recording.folder)]) == 0
    after = known(recording.folder)
    assert [one.folder for one in after] == [one.folder for one in before]
    assert after[0].end_ns > before[0].end_ns
    # The ring lets go of the first one.
    sorted((recording.folder / "ring").glob("*.mcap"))[0].unlink()
    (recording.folder / "ring" / "metadata.yaml").unlink()
    recording.restart()
    recording.close()
    assert main([str(recording.folder)]) == 0
    assert [one.folder for one in known(recording.folder)] == [one.folder for one in before]
    assert (recording.folder / "report.html").read_text().count('<a href="missions/') == 2


def test_a_damaged_note_is_passed_over(recording: Recording) -> None:
    recording.run(0, 30)
    recording.restart()
    recording.run(1000, 30)
    recording.close()
    for number, text in enumerate(("", "[]", '{"start_ns": "x"}', "{" * 100_000)):
        folder = recording.folder / "missions" / f"bad{number}"
        folder.mkdir(parents=True)
        (folder / "mission.json").write_text(text)
    assert main([str(recording.folder)]) == 0
    assert len(known(recording.folder)) == 2
    json.loads((known(recording.folder)[0].folder / "mission.json").read_text())


def test_a_folder_that_cannot_be_made_is_one_line(
    recording: Recording, capsys: pytest.CaptureFixture[str]
) -> None:
    recording.run(0, 30)
    recording.restart()
    recording.run(1000, 30)
    recording.close()
    (recording.folder / "missions").write_text("in the way")
    assert main([str(recording.folder)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "cannot be made: " in said
    shutil.rmtree(recording.folder / "ring")


def test_a_part_of_a_bag_is_read_and_counted_alone(recording: Recording) -> None:
    recording.run(0, 30)
    recording.restart()
    recording.run(100, 20)
    recording.close()
    with BagReader(recording.folder) as reader:
        topic = ("/scan/state", STATE)
        for part, seconds in (
            (Part(beginning_of(0), beginning_of(1)), range(30)),
            (Part(beginning_of(1), beginning_of(2)), range(100, 120)),
            (Part((0, ns(10)), (1, ns(110))), [*range(10, 30), *range(100, 110)]),
            (Part((0, ns(5)), (0, ns(8))), range(5, 8)),
        ):
            view = reader.part(part)
            times = [one.received_ns for one in view.messages_of({topic[0]})]
            assert times == [ns(second) for second in seconds]
            assert view.counts()[topic] == len(times)
            assert view.start_ns == times[0]
            assert view.end_ns >= times[-1]
        assert reader.counts()[topic] == 50
        assert len(tell_apart(reader, "/", lambda *_: None, 4000)) == 1


@pytest.mark.parametrize("frame_id", ["", "a", "ab", "abc", "camera_optical"])
@pytest.mark.parametrize("level", [0, 1, 3, 255])
def test_the_level_is_read_of_the_bytes(frame_id: str, level: int) -> None:
    content = blank(STATE, level=level)
    content.header.frame_id = frame_id
    data = message("/scan/state", STATE, START_NS, content=content).data
    assert byte_after_header_of(data) == level
    for length in range(24):
        assert byte_after_header_of(data[:length]) in (None, level)
