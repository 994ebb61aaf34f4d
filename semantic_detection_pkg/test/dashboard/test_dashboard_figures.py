"""Health, metrics, events, the OpenAPI document; and the pure parts behind the picture."""

import json
import re
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
import schemathesis
from dashboard_client import Served, serve
from hypothesis import HealthCheck, given, settings
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_open_metrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text
from test_dashboard_control import wait_for

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.dashboard.api.evidence import EvidenceFolder
from semantic_detection_pkg.dashboard.api.operators import Party
from semantic_detection_pkg.dashboard.core.figures import FIGURES, Figure
from semantic_detection_pkg.dashboard.core.labels import TrackMark, labels_of
from semantic_detection_pkg.dashboard.core.latencies import Latencies, latency_of
from semantic_detection_pkg.dashboard.core.pairing import Pairing

_ALL = list(HealthCheck)
OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("figures")) as running:
        for figure in FIGURES:  # every figure is there
            section, key = figure.path.split(".")
            if section != "server":
                value = {**(running.dashboard.board.get(section) or {}), key: 2.0}
                running.dashboard.board.put(section, value)
        yield running


def test_health_is_that_of_the_robots_side(tmp_path):
    with serve(tmp_path) as fresh:
        assert fresh.get("/healthz").status == 503
        fresh.dashboard.board.put("beat", {})
        assert fresh.get("/healthz").json["is_well"]


@pytest.mark.parametrize("accept", ["text/plain", OPEN_METRICS])
def test_metrics_parse_and_each_has_unit_and_help(served, accept):
    wait_for(lambda: served.dashboard.board.get("server"), "the first second's figures")
    reply = served.get("/metrics", Accept=accept)
    parse = parse_open_metrics if accept == OPEN_METRICS else parse_text
    families = list(parse(reply.body.decode()))
    names = {family.name for family in families}
    wanted = {
        f"semantic_detection_{figure.name}_{figure.unit}"
        for figure in FIGURES
        if not figure.path.startswith("server.")
    }
    assert wanted <= names | {name.removesuffix("_total") for name in names}
    for family in families:
        unit = re.match(r"\[(\w+)\] \S", family.documentation)
        assert unit, f"{family.name}: {family.documentation}"
        assert family.name.removesuffix("_total").removesuffix("_created").endswith(f"_{unit[1]}")
        if accept == OPEN_METRICS:
            assert family.unit == unit[1]


def test_absent_figures_are_left_out():
    figure = Figure("zoom", "ratio", "Zoom.", "gimbal.zoom")
    assert figure.read({"gimbal": {"zoom": 2}}) == 2
    for sections in ({}, {"gimbal": {}}, {"gimbal": {"zoom": None}}, {"gimbal": []}):
        assert figure.read(sections) is None
    assert len({figure.name for figure in FIGURES}) == len(FIGURES)


def test_openapi_document_tells_what_is_refused(served):
    document = served.get("/openapi.json").json
    posts = [entry["post"] for path, entry in document["paths"].items() if "post" in entry]
    assert len(posts) >= 12
    for entry in posts:
        assert {"401", "403", "413", "422"} <= set(entry["responses"])


def test_fuzzing_finds_no_server_error(served):
    """Requests made from the document, right and wrong ones: none breaks the server."""
    schema = schemathesis.openapi.from_url(f"http://{served.host}/openapi.json")
    statuses = Counter()
    operator = Party("fuzz", "fuzz")

    def attack(operation) -> None:
        @settings(max_examples=4, derandomize=True, deadline=None, suppress_health_check=_ALL)
        @given(case=operation.as_strategy())
        def send(case):
            case.headers["X-Viewer"] = operator.id
            statuses[case.call(base_url=f"http://{served.host}").status_code] += 1

        send()

    served.dashboard.operators.enter(operator)
    served.dashboard.operators.take_control(operator.id)
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path not in ("/api/picture", "/api/operator"):  # waits; gives control away
            attack(operation)
    served.dashboard.operators.leave(operator)
    assert statuses[500] == 0
    assert statuses[200] > 3, statuses
    assert {404, 422} <= set(statuses)


def test_events_are_listed_with_their_page(tmp_path):
    with serve(tmp_path) as served:
        good = tmp_path / "events" / "20260101T000000.000Z_tent"
        good.mkdir(parents=True)
        (good / "evidence.html").write_text("<p>tent</p>")
        fields = {"label": "tent", "marked_ns": 5, "findings": ["f1"]}
        (good / "event.json").write_text(json.dumps(fields))
        for name, text in (("a", "{"), ("b", "[]"), ("c", '{"label": 1}')):
            bad = tmp_path / "events" / name
            bad.mkdir()
            (bad / "event.json").write_text(text)
        wait_for(lambda: served.dashboard.board.get("events"), "the event")
        (event,) = served.dashboard.board.get("events")
        assert (event["label"], event["findings"], event["marked_ns"]) == ("tent", ["f1"], "5")
        assert served.get(event["page"]).body == b"<p>tent</p>"


def test_newest_events_are_those_marked_last_whatever_the_clock_said(tmp_path):
    names = [f"2026{number:04d}" for number in range(70)] + ["1970_a", "1970_b"]
    for number, name in enumerate(names):
        fields = {"label": name, "marked_ns": 5, "findings": [], "after_number": number}
        (tmp_path / name).mkdir()
        (tmp_path / name / "event.json").write_text(json.dumps(fields))
    listed = [event["label"] for event in EvidenceFolder(tmp_path).events()]
    assert listed == names[:-61:-1]


def test_frame_waits_for_its_detections():
    pairing = Pairing[str, str](silence_s=0.5)
    assert pairing.add_frame(1, "frame 1", 0.0) == ("frame 1", None)  # no detector so far
    assert pairing.add_found(1, "found 1", 0.1) is None  # shown already
    assert pairing.add_frame(2, "frame 2", 0.2) is None
    assert pairing.add_frame(3, "frame 3", 0.3) is None
    assert pairing.add_found(3, "found 3", 0.4) == ("frame 3", "found 3")
    assert pairing.add_found(2, "found 2", 0.45) is None  # older than what is shown
    assert pairing.add_found(4, "found 4", 0.5) is None
    assert pairing.add_frame(4, "frame 4", 0.55) == ("frame 4", "found 4")
    assert pairing.add_frame(5, "frame 5", 0.6) is None
    assert pairing.add_frame(6, "frame 6", 1.1) == ("frame 6", None)  # the detector has stopped


@pytest.mark.parametrize("step_s", [-5, -3600, 365 * 24 * 3600])
def test_frames_are_shown_after_a_step_of_the_clock(step_s):
    pairing, second = Pairing[str, str](silence_s=0.5), 1_000_000_000
    start_ns, step_ns = 1_700_000_000 * second, step_s * second
    assert pairing.add_frame(start_ns, "bare", 0.0) == ("bare", None)
    assert pairing.add_found(start_ns, "found", 0.1) is None
    assert pairing.add_frame(start_ns + second, "left over", 0.15) is None
    for number in range(1, 30):
        stamp_ns = start_ns + step_ns + number
        assert pairing.add_frame(stamp_ns, "frame", 0.2) is None
        assert pairing.add_found(stamp_ns, "found", 0.2) == ("frame", "found")
        assert pairing.add_found(stamp_ns, "found", 0.2) is None  # shown already


def test_track_ids_stand_at_the_detections_that_hold_them():
    view = CameraView(0.0, 0.0, 0.0, 1.0, 640, 360)
    found = Detections(
        640, 360, [0, 0, 1], [0.9, 0.8, 0.7],
        [[300, 160, 340, 200], [310, 170, 330, 190], [0, 0, 60, 60]],
    )  # fmt: skip
    far_yaw, far_pitch = view.bearings_of([[30, 30]])[0]
    tracks = [
        TrackMark(4, "tent", 0.0, 0.0),
        TrackMark(5, "tent", 0.0, 0.0),
        TrackMark(6, "boat", 0.0, 0.0),
        TrackMark(7, "boat", float(far_yaw), float(far_pitch)),
        TrackMark(8, "tent", np.pi, 0.0),
    ]
    labels = labels_of(found, ["tent", "boat"], tracks, view)
    assert labels == ("#4 tent 0.90", "#5 tent 0.80", "#7 boat 0.70")
    assert labels_of(found, ["tent", "boat"], tracks, None)[0] == "tent 0.90"


def test_late_pictures_are_said():
    latencies = Latencies(1.0)
    assert not any(latencies.complaint(age_s) for age_s in (0.2, 1.4, 0.2, 0.9, 1.4))
    said = latencies.complaint(1.4)
    assert said == (
        "pictures are late at their viewers, 1.4 s after the capture, at most 1 s is wanted"
    )
    assert latencies.complaint(None) == ""
    assert latencies.complaint(1.4) == "", "nobody looked: it begins anew"


@pytest.mark.long
def test_late_pictures_are_a_complaint_of_the_page(tmp_path):
    with serve(tmp_path) as served:

        def complaint() -> str:
            served.dashboard.confirm(1.4)
            return (served.dashboard.board.get("server") or {}).get("complaint", "")

        wait_for(complaint, "the complaint")
        assert complaint().startswith("pictures are late at their viewers, 1.4 s")


def test_stages_of_a_frame_are_a_summary_with_quantiles(served):
    values = {
        "latency_inferred_p50_ms": "20.00",
        "latency_inferred_p95_ms": "31.50",
        "latency_inferred_p99_ms": "40.00",
        "latency_inferred_count": "7",
        "latency_inferred_sum_s": "0.180",
        "latency_moved_count": "2",
        "latency_moved_sum_s": "0.100",
        "frames": "7",
    }
    latency = latency_of({"detector": {"values": values}, "camera": {"values": {}}})
    served.dashboard.board.put("latency", latency)
    for accept, parse in (("text/plain", parse_text), (OPEN_METRICS, parse_open_metrics)):
        body = served.get("/metrics", Accept=accept).body.decode()
        name = "semantic_detection_frame_stage_seconds"
        (family,) = (one for one in parse(body) if one.name == name)
        assert family.type == "summary"
        found = {(s.name, *sorted(s.labels.items())): s.value for s in family.samples}
        assert found == {
            (name, ("quantile", "0.5"), ("stage", "inferred")): 0.02,
            (name, ("quantile", "0.95"), ("stage", "inferred")): 0.0315,
            (name, ("quantile", "0.99"), ("stage", "inferred")): 0.04,
            (f"{name}_count", ("stage", "inferred")): 7.0,
            (f"{name}_sum", ("stage", "inferred")): 0.18,
            (f"{name}_count", ("stage", "moved")): 2.0,  # none in the last minute
            (f"{name}_sum", ("stage", "moved")): 0.1,
        }
    served.dashboard.board.put("latency", {})
    assert b"frame_stage" not in served.get("/metrics").body
