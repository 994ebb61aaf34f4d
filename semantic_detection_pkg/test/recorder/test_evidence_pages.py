"""Evidence: a page for each event, whatever its texts are; a report; GeoJSON."""

from __future__ import annotations

import json
import math
import shutil
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from semantic_detection_pkg.cli.report import main
from semantic_detection_pkg.common.core.geojson import ellipse_enu, features
from semantic_detection_pkg.common.core.position import Position
from semantic_detection_pkg.recorder.core.events import Event
from semantic_detection_pkg.recorder.core.topics import Message
from semantic_detection_pkg.recorder.evidence import event_page
from semantic_detection_pkg.recorder.evidence.drawings import coverage_map, spans
from semantic_detection_pkg.recorder.evidence.evidence_writer import EvidenceWriter
from semantic_detection_pkg.recorder.evidence.rendering import plain
from semantic_detection_pkg.recorder.storage.disk import Disk
from semantic_detection_pkg.recorder.storage.session import RecordingSession
from simulation_pkg.harness.recorded_messages import (
    NS_PER_S,
    START_NS,
    blank,
    header_of,
    message,
    time_of,
)
from simulation_pkg.harness.scan_recording import SETTINGS

CHROMIUM = shutil.which("chromium")
HOSTILE = "</style><script>document.title='owned'</script><img src=x onerror=alert(1)>\u202e{{7*7}}"
POSITION = Position(47.1, 8.2, 430.0, 120.0, 9.0, 3.0, 0.7)
FRAMES_NS = tuple(START_NS + i * NS_PER_S // 10 for i in range(3))


def finding(**values: Any) -> Any:
    """Confirmed, of a thing in the middle of the picture, with three tiers and an answer."""
    kind = "interfaces_pkg/msg/Finding"
    tiers = [
        blank(
            "interfaces_pkg/msg/TierResult",
            tier=number,
            verdict=1,
            score=0.9,
            reason=f"reason {number}",
            frames=[time_of(stamp) for stamp in FRAMES_NS[:number]],
        )
        for number in (1, 2, 3)
    ]
    answer = blank(
        "interfaces_pkg/msg/VlmAnswer",
        verdict=1,
        question="Is this a tent?",
        text="Yes.",
        cause="",
        frame=time_of(FRAMES_NS[2]),
    )
    bearing = blank(
        "interfaces_pkg/msg/Bearing",
        yaw_rad=0.1,
        pitch_rad=0.2,
        covariance=np.array([1e-6, 0.0, 4e-6]),
    )
    return blank(
        kind,
        **{
            "header": header_of(FRAMES_NS[2]),
            "id": "7-1",
            "state": 1,
            "class_name": "tent",
            "score": 0.93,
            "tiers": tiers,
            "answers": [answer],
            "bearing": bearing,
            "track_bearings": [bearing, bearing],
            "best_frame": time_of(FRAMES_NS[0]),
            "best_box_xyxy": np.array([280, 160, 360, 220], np.float32),
            "has_position": True,
            "latitude_deg": POSITION.latitude_deg,
            "longitude_deg": POSITION.longitude_deg,
            "path": [],
            **values,
        },
    )


def messages(*findings: Any) -> list[Message]:
    """Three frames with a detection each, gimbal states, coverage, scan states, findings."""
    made = []
    for stamp in FRAMES_NS:
        jpeg = cv2.imencode(".jpg", np.full((360, 640, 3), 120, np.uint8))[1]
        picture = blank("sensor_msgs/msg/CompressedImage", header=header_of(stamp), data=jpeg)
        found = blank(
            "interfaces_pkg/msg/Detections",
            header=header_of(stamp),
            image_width=640,
            image_height=360,
            vocabulary=["tent"],
            proposed_classes=0,
            class_ids=np.array([0], np.uint16),
            scores=np.array([0.8], np.float32),
            boxes_xyxy=np.array([285, 165, 355, 215], np.float32),
            ring_counts=np.array([1], np.uint32),
            ring_sizes=np.array([3], np.uint32),
            points_xy=np.array([290, 170, 350, 170, 320, 210], np.float32),
            looks_xyxy=np.zeros(0, np.uint32),
            look_gains=np.zeros(0, np.float32),
            pose=blank(
                "interfaces_pkg/msg/PoseAtCapture",
                is_known=stamp == FRAMES_NS[0],  # of the others the gimbal's states tell
                yaw_rad=0.1,
                pitch_rad=0.2,
                roll_rad=0.0,
                hfov_rad=0.5,
            ),
        )
        gimbal = blank(
            "interfaces_pkg/msg/GimbalState",
            header=header_of(stamp),
            yaw_rad=0.1,
            pitch_rad=0.2,
            roll_rad=0.0,
            hfov_rad=0.6,
            link=3,
        )
        made += [
            message("/camera/image_raw/compressed", picture.__msgtype__, stamp, content=picture),
            message("/detections", found.__msgtype__, stamp, content=found),
            message("/gimbal/state", gimbal.__msgtype__, stamp, content=gimbal),
        ]
    coverage = blank(
        "interfaces_pkg/msg/Coverage",
        yaw_min_rad=-0.2,
        pitch_min_rad=0.0,
        cell_rad=0.1,
        columns=4,
        rows=3,
        results=np.arange(12, dtype=np.uint8) % 5,
    )
    state = blank("interfaces_pkg/msg/ScanState", level=1, words=["tent"])
    later = FRAMES_NS[-1] + NS_PER_S
    made += [
        message("/scan/coverage", coverage.__msgtype__, later, content=coverage),
        message("/scan/state", state.__msgtype__, later, content=state),
    ]
    return made + [message("/findings", f.__msgtype__, later, content=f) for f in findings]


def recorded(folder: Path, *findings: Any) -> Path:
    """A recording with one complete event; returns the event's folder."""
    folder.mkdir(exist_ok=True)
    session = RecordingSession(folder, SETTINGS, Disk())
    session.open()
    event = Event(
        "20231114T221320.000Z_tent",
        str(findings[0].class_name) if findings else "by hand",
        FRAMES_NS[0],
        FRAMES_NS[0] - NS_PER_S,
        FRAMES_NS[2],
        tuple(one.id for one in findings),
    )
    session.write(deque(messages(*findings)), 0.0)
    session.keep(event)
    session.close()
    return folder / "events" / event.name


@pytest.fixture(scope="module")
def event(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(tmp_path_factory.mktemp("recording") / "out", finding())


def test_a_page_says_all_of_a_finding(event: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(event)]) == 0
    assert capsys.readouterr().out.strip() == str(event / "evidence.html")
    page = (event / "evidence.html").read_text()
    for words in (
        "confirmed",
        "score 0.93",
        "yaw 5.73°",
        "± 0.06° and 0.11°",
        "47.100000°, 8.200000°",
        "reason 1",
        "reason 2",
        "vision-language model",
        "Is this a tent?",
        "<blockquote>Yes.</blockquote>",
        "revision 7",
        "28.6° wide",  # as published with the detections
        "34.4° wide",  # from the gimbal's states
    ):
        assert words in page, words
    assert "http" not in page.replace("http-equiv", "")
    # The thing without and with mask, the frame; at most two of each tier; the frame asked about.
    assert page.count("data:image/jpeg;base64,") == 3 + 1 + 2 + 2 + 1


def test_the_newest_revision_counts(tmp_path: Path) -> None:
    other = finding(id="7-2", class_name="boat")
    path = recorded(tmp_path / "out", finding(score=0.5), finding(score=0.75, revision=8))
    assert "score 0.75" in event_page.write(path).read_text()
    assert "score 0.50" not in event_page.write(path).read_text()
    assert other.class_name not in event_page.write(path).read_text()


def test_texts_of_strangers_are_only_text(tmp_path: Path) -> None:
    tier = replace(finding().tiers[0], reason=HOSTILE, model=HOSTILE)
    answer = replace(finding().answers[0], text=HOSTILE, question=HOSTILE, reason=HOSTILE)
    hostile = finding(class_name=HOSTILE, id=HOSTILE, tiers=[tier], answers=[answer])
    folder = recorded(tmp_path / "out", hostile)
    pages = [event_page.write(folder).read_text()]
    assert main([str(tmp_path / "out")]) == 0
    pages.append((tmp_path / "out/report.html").read_text())
    for page in pages:
        assert "<script" not in page
        assert "<img src=x" not in page
        assert "\u202e" not in page
        assert "{{7*7}}" in page
        assert "default-src 'none'" in page


def test_positions_as_geojson(event: Path) -> None:
    event_page.write(event)
    document = json.loads((event / "findings.geojson").read_text())
    point, ellipse = document["features"]
    assert point["geometry"]["coordinates"][:2] == [8.2, 47.1]
    assert point["properties"]["class"] == "tent"
    assert ellipse["geometry"]["type"] == "Polygon"


def test_an_ellipse_is_a_closed_ring_counterclockwise_with_its_axes() -> None:
    (ring,) = features(POSITION, {})[1]["geometry"]["coordinates"]
    assert ring[0] == ring[-1]
    outline = np.array(ellipse_enu(POSITION))
    radii = np.linalg.norm(outline, axis=1)
    assert radii.max() == pytest.approx(POSITION.ellipse_major_m)
    assert radii.min() == pytest.approx(POSITION.ellipse_minor_m)
    east, north = outline[radii.argmax()]
    assert math.tan(math.atan2(east, north)) == pytest.approx(
        math.tan(POSITION.ellipse_heading_rad)
    )
    after = np.roll(outline, -1, axis=0)
    assert np.sum(outline[:, 0] * after[:, 1] - outline[:, 1] * after[:, 0]) > 0


@pytest.mark.parametrize(
    "values",
    [
        {"has_position": False},
        {"latitude_deg": math.nan},
        {"tiers": [], "answers": [], "track_bearings": []},
        {"best_frame": time_of(5)},
        {"best_box_xyxy": np.array([math.nan, 0, 0, 0], np.float32)},
        {"state": 77},
        {"path": [blank("interfaces_pkg/msg/PathGeometry")]},
    ],
)
def test_findings_that_lack_something(tmp_path: Path, values: dict[str, Any]) -> None:
    page = event_page.write(recorded(tmp_path / "out", finding(**values))).read_text()
    assert "score 0.93" in page


def test_an_event_marked_by_hand_shows_its_moment(tmp_path: Path) -> None:
    page = event_page.write(recorded(tmp_path / "out")).read_text()
    assert "Marked by hand" in page
    assert page.count("data:image/jpeg") == 1


def test_a_report_of_the_mission(event: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = event.parent.parent
    (event / "evidence.html").unlink(missing_ok=True)
    assert main([str(folder)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2  # the event's page first
    page = (folder / "report.html").read_text()
    for words in (
        "Looked for tent",
        "confirmed</span> 1",
        f'href="events/{event.name}/evidence.html"',
        "coverage map",
        "/camera/image_raw/compressed",
        "tier 3: reason 3",
    ):
        assert words in page, words


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path / "none", "is no folder of recordings or of an event"),
        (lambda path: (path / "event.json").write_text("[]") and path, "is no event"),
        (lambda path: shutil.rmtree(path / "bag") or path, "is no bag"),
    ],
)
def test_folders_that_are_none(
    tmp_path: Path, event: Path, spoil, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(event, copy)
    assert main([str(spoil(copy))]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert said in error


def test_spans_of_a_timeline() -> None:
    changes = [(10, "a", ""), (20, "a", ""), (30, "b", "why")]
    first, second = spans(changes, 0, 110)
    assert (first.kind, first.x) == ("a", pytest.approx(9.091))
    assert (second.kind, second.title) == ("b", "why")
    assert first.x + first.width == pytest.approx(second.x, abs=0.01)
    assert second.x + second.width == pytest.approx(100, abs=0.01)


@pytest.mark.parametrize("values", [{"columns": 0}, {"columns": 5}, {"cell_rad": math.nan}])
def test_coverage_that_is_none(values: dict[str, Any]) -> None:
    content = blank(
        "interfaces_pkg/msg/Coverage", columns=4, rows=3, results=np.zeros(12, np.uint8)
    )
    assert coverage_map(replace(content, **values)) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\x00b\u200b\u202ec", "abc"), ("a\nb", "a\nb"), ("x" * 5000, "x" * 4000 + " ...")],
)
def test_plain_text(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_pages_are_written_beside_a_recording(tmp_path: Path, event: Path) -> None:
    """Once for each complete event; one that cannot be written is not tried again."""
    folder = tmp_path / "out"
    shutil.copytree(event.parent.parent, folder)
    good = folder / "events" / event.name
    (good / "evidence.html").unlink(missing_ok=True)
    bad = folder / "events" / "bad"
    shutil.copytree(good, bad)
    shutil.rmtree(bad / "bag")
    writer = EvidenceWriter(folder)
    tried = writer._missing()
    assert tried == [good, bad] or tried == [bad, good]
    for path in tried:
        writer._write(path)
    assert (good / "evidence.html").exists()
    assert writer._missing() == []


@pytest.mark.skipif(
    CHROMIUM is None,
    reason="chromium is missing, see tools/setup/browser.sh: it needs apt-get and root",
)
def test_a_browser_shows_it_without_a_network(tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    folder = recorded(tmp_path / "out", finding(class_name=HOSTILE))
    page_path = event_page.write(folder)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_context(offline=True).new_page()
        said: list[str] = []
        requested: list[str] = []
        page.on("console", lambda line: said.append(line.text))
        page.on("request", lambda request: requested.append(request.url))
        page.goto(page_path.as_uri())
        widths = page.eval_on_selector_all("img", "all => all.map(one => one.naturalWidth)")
        title, text = page.title(), page.inner_text("body")
        browser.close()
    assert widths
    assert all(width > 0 for width in widths)
    assert [url for url in requested if not url.startswith(("file:", "data:"))] == []
    assert said == []
    assert title != "owned"
    assert "<script>" in text  # as words
    assert "Is this a tent?" in text
