"""A whole search by probability: to its end, through interruptions, in a replay, in messages."""

import math
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
from builtin_interfaces.msg import Time
from replayed_scan import replayed
from scan_things import PERSON, SCARECROW, TENT, exact_scan, run_to_end, states_of
from std_msgs.msg import Header

from ros_support_pkg.core.message_rules import check_message
from ros_support_pkg.core.words import FindingState, Level
from semantic_detection_pkg.common.core.detection_curve import (
    ClassCurve,
    Dependence,
    DetectionCurve,
    DetectionCurves,
)
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.checkpoint_encoding import CheckpointEncoder, to_text
from semantic_detection_pkg.scan.core.controller import ScanController
from semantic_detection_pkg.scan.core.inputs import Pause, Resume, SweepPlanned
from semantic_detection_pkg.scan.core.search import SearchProgress
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.thing_sizes import PodSettings
from semantic_detection_pkg.scan.core.weights import WeightedArea
from semantic_detection_pkg.scan.ros import publishers
from semantic_detection_pkg.scan.ros.outputs import to_coverage, to_scan_state
from simulation_pkg.harness.exact_scan import ExactScan, Thing

SETTINGS = ScanSettings(
    planner="probability", wanted_pod=0.9, pod=PodSettings(camera_height_m=25.0)
)
NOTHING = SearchProgress(0.0, 0.9)
CURVES = DetectionCurves(
    "exact",
    0.25,
    Dependence(0.2, 0.2, 10.0),
    True,
    tuple(
        ClassCurve(name, DetectionCurve(0.97, size_px, 0.1, 0.99, 8.0), True, 100, 0.05)
        for name, size_px in (("person", 8.0), ("tent", 12.0))
    ),
)


def searched(*things, **goal) -> ExactScan:
    made = exact_scan(*things, settings=goal.pop("settings", SETTINGS))
    made.inbox.append(CURVES)
    made.start(**goal)
    return made


def run_to_forecast(made: ExactScan) -> None:
    def is_told(_) -> bool:
        return made.controller.progress is not None and bool(made.controller.progress.forecast)

    made.run(5.0, until=is_told)


def test_a_search_finds_what_is_there_and_says_what_it_reached():
    made = run_to_end(searched(PERSON, TENT, SCARECROW))
    assert made.result.outcome == "succeeded"
    assert "a probability of detection of 0.9" in made.result.message
    assert "is reached, 0.90 was wanted" in made.result.message
    assert states_of(made) == {
        "person": FindingState.CONFIRMED,
        "tent": FindingState.CONFIRMED,
        "scarecrow": FindingState.REJECTED,
    }


def test_the_forecast_is_told_before_the_start_and_comes_true():
    made = searched()
    run_to_forecast(made)
    progress = made.controller.progress
    assert (progress.pod, progress.wanted_pod) == (pytest.approx(0.0, abs=0.1), 0.9)
    assert f"POD {progress.forecast_pod:.2f} in about" in progress.forecast
    assert progress.forecast in made.decisions[-1].status.reason
    state = to_scan_state(
        made.decisions[-1].status,
        made.controller.goal,
        Header(),
        is_paused=False,
        progress=progress,
    )
    assert state.forecast == progress.forecast
    assert (state.forecast_s, state.wanted_pod) == pytest.approx((progress.forecast_s, 0.9))
    began_ns, left_s = made.now_ns, progress.forecast_s
    run_to_end(made)
    assert made.result.outcome == "succeeded"
    assert (made.now_ns - began_ns) * 1e-9 == pytest.approx(left_s, rel=0.15)


@pytest.mark.parametrize("frame_ms", [50, 200, 350])
def test_the_forecast_goes_by_the_rate_at_which_frames_come_not_by_the_setting(frame_ms):
    made = searched(wanted_pod=0.8)
    made.frame_ns = frame_ms * 1_000_000
    assert made.settings.sweep.frame_rate_hz == 10.0
    run_to_forecast(made)
    began_ns, left_s = made.now_ns, made.controller.progress.forecast_s
    run_to_end(made)
    assert "is reached, 0.80 was wanted" in made.result.message
    assert (made.now_ns - began_ns) * 1e-9 == pytest.approx(left_s, rel=0.15)


def test_what_cannot_be_reached_is_told_and_the_search_comes_to_an_end():
    made = searched(PERSON, wanted_pod=0.99, zoom=1.0, words=("person", "tent"))
    run_to_forecast(made)
    assert "POD 0.99 cannot be reached from here" in made.controller.progress.forecast
    run_to_end(made)
    assert "is the best from here, not 0.99" in made.result.message


def test_a_replay_makes_the_same_decisions_bit_for_bit():
    weights = (WeightedArea(((0.1, 0.1), (0.6, 0.1), (0.6, 0.5), (0.1, 0.5)), 9.0),)
    made = searched(PERSON, TENT, weights=weights)
    made.run(2.0)
    made.inbox.append(Pause(True))
    made.run(1.0)
    made.inbox.append(Pause(False))
    run_to_end(made)
    assert replayed(made)[1] == [decision.to_json() for decision in made.decisions]
    planned = sum(isinstance(item, SweepPlanned) for _, items in made.journal for item in items)
    assert planned >= 2, "the plan is made again after the pause"


def test_after_a_pause_it_goes_on_with_what_is_left():
    made = searched(PERSON)
    made.run(2.5)
    before = made.controller.progress.pod
    assert 0.0 < before < 0.9
    made.inbox.append(Pause(True))
    made.run(5.0)
    assert made.controller.progress.pod >= before - 1e-6
    made.inbox.append(Pause(False))
    run_to_end(made)
    assert states_of(made) == {"person": FindingState.CONFIRMED}
    assert "is reached" in made.result.message


def test_a_slow_camera_gets_slower_passes():
    quick = run_to_end(searched())
    made = searched(settings=replace(SETTINGS, sweep=replace(SETTINGS.sweep, frame_rate_hz=2.5)))
    made.frame_ns = 400_000_000
    run_to_end(made)
    assert "is reached" in made.result.message
    assert made.result.elapsed_s > 1.3 * quick.result.elapsed_s


def test_the_likelier_part_is_confirmed_before_the_rest_is_looked_at():
    things = Thing(1.6, 0.3, "person"), Thing(-1.6, 0.3, "tent")
    for sign, first in ((1.0, "person"), (-1.0, "tent")):
        corners = ((1.3, 0.1), (1.9, 0.1), (1.9, 0.5), (1.3, 0.5))
        part = WeightedArea(tuple((sign * yaw, pitch) for yaw, pitch in corners), 30.0)
        made = searched(*things, weights=(part,), area=Area(-2.0, 2.0, 0.05, 0.6))
        run_to_end(made)
        confirmed = [
            one.class_name
            for decision in made.decisions
            for one in decision.findings
            if one.state is FindingState.CONFIRMED
        ]
        assert list(dict.fromkeys(confirmed)) == [first, *({"person", "tent"} - {first})]


@pytest.mark.parametrize("weight", [30.0, 1000.0])
def test_what_stands_where_it_is_less_likely_is_found_after_the_likelier_part(weight):
    """However sure the weights are, they say what comes first, not what is left out."""
    part = WeightedArea(((1.3, 0.05), (1.9, 0.05), (1.9, 0.6), (1.3, 0.6)), weight)
    far = [Thing(yaw, 0.12, "tent") for yaw in (-1.7, -1.0, -0.3, 0.5)]
    made = searched(
        Thing(1.6, 0.3, "person"), *far, weights=(part,), area=Area(-2.0, 2.0, 0.05, 0.6)
    )
    run_to_forecast(made)
    told = re.search(r"by the weights in about (\d+) s", made.controller.progress.forecast)
    began_ns, left_s = made.now_ns, made.controller.progress.forecast_s
    assert int(told[1]) < 0.6 * left_s
    confirmed = []

    def is_over(decision) -> bool:
        confirmed.extend(
            one.class_name for one in decision.findings if one.state is FindingState.CONFIRMED
        )
        return made.result is not None

    made.run(300.0, until=is_over)
    assert confirmed[0] == "person"
    assert confirmed.count("tent") == len(far)
    without = re.search(r"([\d.]+) without the weights, is reached", made.result.message)
    assert float(without[1]) >= 0.9
    assert (made.now_ns - began_ns) * 1e-9 == pytest.approx(left_s, rel=0.3)


def test_a_repeating_search_looks_at_all_of_it_again():
    made = searched(is_repeating=True)
    made.run(60.0, until=lambda d: "starting again" in d.status.reason)
    first_s = len(made.decisions) * 0.05
    made.run(1.0)
    made.run(60.0, until=lambda d: "starting again" in d.status.reason)
    second_s = len(made.decisions) * 0.05 - first_s
    assert second_s > 0.5 * first_s
    assert made.decisions[-1].result is None


def test_a_mission_that_is_resumed_goes_on():
    made = searched(PERSON, TENT)
    made.run(2.5)
    checkpoint = made.controller.checkpoint()
    pod = made.controller.progress.pod
    made.controller = ScanController(made.settings)
    made.inbox += [Resume(to_text(CheckpointEncoder().body(checkpoint))), CURVES]
    made.step()
    assert pod - 1e-3 <= made.controller.progress.pod <= pod + 0.1  # a frame more
    run_to_end(made)
    assert len(states_of(made)) == 2


def test_a_class_that_is_new_is_searched_for_as_the_others_are():
    """By the mean of all, what was searched for the others before would do for it."""
    made = searched(PERSON, words=("person",))
    made.run(40.0, until=lambda _: (made.controller.progress or NOTHING).pod > 0.5)
    made.look_for(("person", "tent"), "shown", "tent")
    made.run(0.3)
    assert made.controller.progress.pod < 0.3
    made.run(1.5)
    checkpoint = made.controller.checkpoint()
    pods = [made.controller.progress.pod, made.controller.pod.area_pod()]
    assert pods[1] > pods[0]
    made.controller = ScanController(made.settings)
    made.inbox += [Resume(to_text(CheckpointEncoder().body(checkpoint))), CURVES]
    made.step()
    known = [made.controller.progress.pod, made.controller.pod.area_pod()]
    assert known == pytest.approx(pods, abs=0.05), "the round goes on where it was"
    run_to_end(made)
    told = re.search(r"person (0\.\d+), tent (0\.\d+)", made.result.message)
    assert told is not None, made.result.message
    assert min(map(float, told.groups())) > 0.85


def test_the_sweep_stays_what_it_was_and_has_a_pod_all_the_same():
    made = searched(PERSON, settings=replace(SETTINGS, planner="sweep"))
    made.run(1.5)
    progress = made.controller.progress
    assert progress.pod > 0.05
    assert (progress.wanted_pod, progress.forecast) == (0.0, "")
    assert any(d.status.level is Level.SWEEP for d in made.decisions)
    run_to_end(made)
    assert made.result.message == "the area is covered"


def test_a_goal_names_its_planner():
    made = searched(PERSON, planner="sweep")
    made.run(1.5)
    progress = made.controller.progress
    assert (progress.planner, progress.wanted_pod, progress.forecast) == ("sweep", 0.0, "")
    made = searched(PERSON, settings=replace(SETTINGS, planner="sweep"), planner="probability")
    run_to_forecast(made)
    assert made.controller.progress.planner == "probability"


@pytest.mark.parametrize(
    ("curves", "height_m", "words", "planner"),
    [
        (CURVES, 25.0, ("person", "tent"), "probability"),
        (CURVES, 25.0, ("person", "footpath"), "sweep"),  # nobody has measured it
        (CURVES, math.nan, ("person", "tent"), "sweep"),  # what it would go by is assumed
        (None, 25.0, ("person", "tent"), "sweep"),
    ],
)
def test_by_itself_it_searches_by_what_was_measured_and_sweeps_else(
    curves, height_m, words, planner
):
    settings = ScanSettings(pod=PodSettings(camera_height_m=height_m))
    assert settings.planner == "auto"
    made = exact_scan(PERSON, settings=settings)
    if curves is not None:
        made.inbox.append(curves)
    made.start(words=words)
    made.run(2.0)
    assert made.controller.progress.planner == planner
    named = exact_scan(PERSON, settings=settings)
    named.inbox += [] if curves is None else [curves]
    named.start(words=words, planner="sweep")
    named.run(1.0)
    assert named.controller.progress.planner == "sweep"


@pytest.mark.parametrize(("sizes", "planner"), [((), "sweep"), ((("tent", "6x3"),), "probability")])
def test_a_class_whose_size_nobody_told_is_assumed_however_well_its_curve_was_measured(
    sizes, planner
):
    """The size of what is not in `thing_sizes` is a guess, and so is how large it appears."""
    made = exact_scan(settings=ScanSettings(pod=PodSettings(sizes, camera_height_m=25.0)))
    made.inbox.append(CURVES)
    made.start(words=("tent",))
    made.run(1.0)
    assert made.controller.progress.planner == planner
    told = to_coverage(
        made.controller.coverage, made.controller.now_s, Header(), made.controller.pod
    )
    assert told.classes[0].is_measured == (planner == "probability")


def test_what_was_chosen_stays_once_it_has_begun_and_after_a_restart():
    settings = ScanSettings(pod=PodSettings(camera_height_m=25.0))
    made = searched(PERSON, TENT, settings=settings)
    made.run(2.5)
    made.inbox.append(replace(CURVES, classes=CURVES.classes[:1]))  # another threshold
    made.run(0.5)
    assert made.controller.progress.planner == "probability"
    checkpoint = made.controller.checkpoint()
    made.controller = ScanController(made.settings)
    made.inbox += [Resume(to_text(CheckpointEncoder().body(checkpoint))), CURVES]
    made.run(1.0)
    assert made.controller.progress.planner == "probability"
    run_to_end(made)
    assert "a probability of detection" in made.result.message


def test_a_planner_that_is_unknown_is_refused():
    with pytest.raises(ValueError, match="planner"):
        ScanSettings(planner="spiral")


def test_where_no_ground_is_known_it_is_swept_with_a_word():
    """Above the horizon there is none below a camera on level ground, but there may be a hill."""
    made = searched(Thing(0.3, -0.25, "person"), area=Area(-1.0, 1.0, -0.5, -0.1))
    run_to_end(made)
    notices = [one for decision in made.decisions for one in decision.notices]
    assert sum("nothing of the area can be seen from here" in one for one in notices) == 1
    assert made.result.message == "the area is covered"
    assert states_of(made) == {"person": FindingState.CONFIRMED}


@pytest.mark.parametrize("wanted", [1.0, 0.999, 0.01])
def test_any_wanted_pod_comes_to_an_end_that_says_what_was_reached(wanted):
    made = run_to_end(searched(PERSON, wanted_pod=wanted))
    word = "is reached" if wanted < 0.1 else "is the best from here"
    assert made.result.outcome == "succeeded"
    assert word in made.result.message


@pytest.mark.parametrize("wanted", [math.nan, -0.1, 1.5, math.inf])
def test_a_wanted_pod_that_is_none_is_refused_in_one_line(wanted):
    made = run_to_end(searched(wanted_pod=wanted))
    assert made.result.outcome == "aborted"
    assert made.result.message.startswith(f"wanted_pod {wanted:g}: allowed is 0..1")


@pytest.mark.parametrize("step_s", [3600, -3600])
def test_a_step_of_the_clock_changes_neither_the_forecast_nor_the_search(step_s):
    made, steady = searched(PERSON), searched(PERSON)
    for one in (made, steady):
        one.run(2.5)
    made.now_ns += step_s * 1_000_000_000
    for one in (made, steady):
        one.run(0.5)
    ours, theirs = made.controller.progress, steady.controller.progress
    assert ours.forecast_s == pytest.approx(theirs.forecast_s, abs=0.5)
    assert "is reached" in run_to_end(made).result.message


def test_without_a_known_height_a_distance_is_assumed_and_it_ends():
    made = run_to_end(searched(PERSON, settings=replace(SETTINGS, pod=PodSettings())))
    assert "is reached" in made.result.message
    assert states_of(made) == {"person": FindingState.CONFIRMED}


def test_too_many_cells_for_a_probability_are_swept_with_a_word():
    settings = replace(SETTINGS, cell_size_rad=math.radians(0.1))
    made = exact_scan(settings=settings, zoom_max=2.0)
    made.start(area=Area(-1.1, 1.1, -0.3, 1.3), words=("person", "tent"))
    made.run(3.0, until=lambda d: bool(d.notices))
    assert "too many cells" in made.decisions[-1].notices[0]


def test_page_report_and_result_tell_one_number():
    weights = (WeightedArea(((0.1, 0.1), (0.6, 0.1), (0.6, 0.5), (0.1, 0.5)), 9.0),)
    made = searched(PERSON, TENT, weights=weights)
    last = None
    for _ in range(2000):
        controller = made.controller
        if made.result is not None:
            break
        if controller.coverage is not None:
            shown = to_coverage(controller.coverage, controller.now_s, Header(), controller.pod)
            last = sum(one.pod for one in shown.classes) / len(shown.classes)
            assert controller.progress.pod == pytest.approx(last, abs=1e-6)
        made.step()
    told = re.search(
        r"detection of ([\d.]+) \(person ([\d.]+), tent ([\d.]+)\)", made.result.message
    )
    of_all, *of_classes = map(float, told.groups())
    assert of_all == pytest.approx(sum(of_classes) / 2.0, abs=0.011)
    assert of_all == pytest.approx(last, abs=0.02)  # that was a step before


class Heard:
    """Stands in for a publisher and its node: keeps what is published."""

    def __init__(self) -> None:
        self.by_topic: dict[str, list] = {}

    def create_publisher(self, _kind, topic, _qos, **_options) -> SimpleNamespace:
        heard = self.by_topic.setdefault(topic, [])
        return SimpleNamespace(publish=heard.append, get_subscription_count=lambda: 0)

    def get_clock(self) -> SimpleNamespace:
        return SimpleNamespace(now=lambda: SimpleNamespace(to_msg=Time))


def test_the_last_coverage_that_is_published_is_the_one_that_the_end_speaks_of(monkeypatch):
    monkeypatch.setattr(publishers, "every", lambda *_: None)  # in between nothing is shown
    heard = Heard()
    shown = publishers.ScanPublishers(heard, "base", lambda _: None)
    made = searched(PERSON, TENT)
    while made.result is None:
        made.run(0.05)
        shown.after_step(made.controller, made.decisions[-1])
    (last,) = heard.by_topic["scan/coverage"]
    check_message(last)
    for one in last.classes:
        assert f"{one.class_name} {one.pod:.2f}" in made.result.message
