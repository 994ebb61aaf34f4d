"""The probability of detection in the mission's report: words, drawings, recordings of before."""

import base64
from dataclasses import replace

import cv2
import numpy as np
import pytest

from semantic_detection_pkg.common.core.palette import POD_COLOURS, pod_steps, rgb
from semantic_detection_pkg.recorder.evidence.drawings import pod_maps
from semantic_detection_pkg.recorder.evidence.rendering import render
from simulation_pkg.harness.recorded_messages import blank

COVERAGE, CLASS = "interfaces_pkg/msg/Coverage", "interfaces_pkg/msg/ClassCoverage"
BEARING = "interfaces_pkg/msg/Bearing"


def coverage(**changes):
    percent = np.array([0, 19, 20, 100], np.uint8)
    person = blank(
        CLASS,
        class_name="person",
        is_measured=True,
        pod=0.87,
        least_pod=0.41,
        least_bearing=blank(BEARING, yaw_rad=0.5, pitch_rad=0.25),
        pod_percent=percent,
    )
    values = {
        "columns": 4,
        "rows": 1,
        "cell_rad": 0.1,
        "yaw_min_rad": -0.2,
        "pitch_min_rad": 0.0,
        "results": np.ones(4, np.uint8),
        "is_range_assumed": False,
        "classes": [person],
    }
    return blank(COVERAGE, **{**values, **changes})


def test_each_class_is_drawn_by_its_scale_left_to_the_left():
    (pod,) = pod_maps(coverage())
    assert (pod.class_name, pod.assumed) == ("person", "")
    assert pod.share == pytest.approx(0.87)
    png = base64.b64decode(pod.map.picture.split(",")[1])
    pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)[0, :, ::-1]
    wanted = [rgb(POD_COLOURS[step]) for step in (4, 1, 0, 0)]  # yaw grows to the left
    assert pixels.tolist() == [list(one) for one in wanted]


def test_the_scale_has_its_ends():
    assert pod_steps(np.array([0.0, 0.19, 0.2, 0.99, 1.0])).tolist() == [0, 0, 1, 4, 4]


def test_an_assumed_range_or_curve_is_said():
    assert pod_maps(coverage(is_range_assumed=True))[0].assumed == "distance"
    content = coverage()
    unmeasured = replace(content.classes[0], is_measured=False)
    content = replace(content, classes=[unmeasured])
    assert pod_maps(content)[0].assumed == "detection curve or size"
    content = replace(content, is_range_assumed=True)
    assert pod_maps(content)[0].assumed == "distance and detection curve or size"
    assert "(assumed: distance and detection curve or size)" in report(content)


def test_what_does_not_fit_and_recordings_of_before_have_none():
    content = coverage()
    short = replace(content.classes[0], pod_percent=np.zeros(3, np.uint8))
    assert pod_maps(replace(content, classes=[short])) == []
    assert pod_maps(replace(content, columns=0)) == []
    assert (
        pod_maps(
            object.__new__(
                type(
                    "Old",
                    (),
                    {
                        "columns": 1,
                        "rows": 1,
                        "cell_rad": 1.0,
                        "results": [0],
                        "yaw_min_rad": 0.0,
                        "pitch_min_rad": 0.0,
                    },
                )
            )
        )
        == []
    )


def test_the_report_says_it_in_words():
    text = report(coverage())
    assert "person: 87 % in the area, least 41 % around yaw 29°, pitch 14°" in text
    assert "assumed" not in text


def report(content) -> str:
    page = render(
        "mission.html",
        mission={"start_ns": 0, "end_ns": 0, "span": "1 s", "words": (), "counts": {}, "bag": "b"},
        findings=[],
        searched=None,
        map=None,
        legend=[],
        marks=[],
        pods=pod_maps(content),
        pod_map="coverage.geojson",
        pod_legend=[("#fff", "0-20 %")],
        timeline=[],
        events=[],
        topics=[],
    )
    return " ".join(page.split())
