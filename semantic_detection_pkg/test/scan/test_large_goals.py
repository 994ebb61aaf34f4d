"""Goals that take long to plan: the control loop goes on, and more than can be done is refused."""

import asyncio
import dataclasses
import json
import math
import threading
import time
from types import SimpleNamespace

import pytest
from patience import patience, wait_until
from replayed_scan import replayed

from interfaces_pkg.action import Scan
from interfaces_pkg.msg import Bearing
from ros_support_pkg import edge
from ros_support_pkg.core.pose_history import hfov_at_zoom
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.area import MAX_BEARINGS, Area, GimbalLimits, check_area
from semantic_detection_pkg.scan.core.coverage import CoverageMap
from semantic_detection_pkg.scan.core.decisions import Decision
from semantic_detection_pkg.scan.core.inputs import Cancel, Pause, SweepPlanned
from semantic_detection_pkg.scan.core.journal import inputs_from_json, inputs_to_json
from semantic_detection_pkg.scan.core.planning import sweep, view_planning
from semantic_detection_pkg.scan.core.planning.swaths import (
    SpeedProfile,
    plan_swaths,
    planning_cost,
)
from semantic_detection_pkg.scan.core.planning.view_planning import ViewTarget, plan_views
from semantic_detection_pkg.scan.core.pointing import BearingState
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.ros import action as scan_action
from semantic_detection_pkg.scan.sweep_thread import SweepThread
from simulation_pkg.harness.exact_scan import ExactScan

HEMISPHERE = Area(-2.3, 2.3, 0.0, 1.5)
ENDLESS = GimbalLimits(is_endless=True)


def lens(zoom: float) -> CameraView:
    return CameraView(0.0, 0.0, 0.0, hfov_at_zoom(math.radians(62.0), zoom), 1280, 720)


class ThreadedScan(ExactScan):
    """A scan whose plans are made by the thread of the node, in real time."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.thread = SweepThread()

    def sense(self):
        inputs = super().sense()
        planned = self.thread.poll()
        if planned is not None and planned is self.controller.sweep_task:
            inputs.append(SweepPlanned(planned.number))
        return inputs

    def _have_sweep_planned(self) -> None:
        self.thread.request(self.controller.sweep_task)

    def run_until(self, wanted) -> Decision:
        """Step in real time until a decision is wanted."""
        wait_until(lambda: wanted(self.step()), "the decision", 60.0)
        return self.decisions[-1]


class Planning:
    """Stands in for `plan_swaths`: notes who calls it, and can hold it up."""

    def __init__(self) -> None:
        self.threads: list[str] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def __call__(self, *inputs):
        self.threads.append(threading.current_thread().name)
        assert self.may_go_on.wait(patience(60.0))
        return plan_swaths(*inputs)


@pytest.fixture
def planning(monkeypatch: pytest.MonkeyPatch) -> Planning:
    made = Planning()
    monkeypatch.setattr(sweep, "plan_swaths", made)
    return made


@pytest.fixture
def scan():
    made = ThreadedScan([], zoom_max=30.0)
    yield made
    made.thread.close()


def leaf_of(decision: Decision) -> str:
    return decision.status.reason


def is_sweeping(decision: Decision) -> bool:
    return decision.status.reason == "sweeping the area"


# ------------------------------------------------------------------------------ off the loop


@pytest.mark.parametrize(
    ("area", "zoom"),
    [
        (HEMISPHERE, 30.0),
        (HEMISPHERE, 6.0),
        (Area(bearings=tuple((0.0004 * i, 0.0002 * i) for i in range(MAX_BEARINGS))), 30.0),
    ],
)
def test_a_large_goal_is_planned_beside_the_steps(area, zoom, scan, planning):
    planning.may_go_on.clear()
    scan.start(area=area, zoom=zoom)
    scan.run(5.0)
    assert {leaf_of(one) for one in scan.decisions[-40:]} == {"planning the sweep"}
    assert scan.decisions[-1].rate == dataclasses.replace(
        scan.decisions[-1].rate, yaw_rad_s=0.0, pitch_rad_s=0.0
    )
    planning.may_go_on.set()
    scan.run_until(is_sweeping)
    assert set(planning.threads) == {"sweep planning"}


def test_a_small_goal_is_planned_within_its_step(planning):
    made = ExactScan([])
    made.start()
    made.run(20.0, until=lambda decision: decision.result is not None)
    assert "planning the sweep" not in {leaf_of(one) for one in made.decisions}
    assert set(planning.threads) == {"MainThread"}


def test_a_scan_with_plans_from_a_thread_is_decided_the_same_from_its_journal(scan):
    scan.start(area=HEMISPHERE, zoom=6.0)
    scan.run_until(is_sweeping)
    scan.run(20.0)
    scan.inbox.append(Pause(True))
    scan.run(0.5)
    scan.inbox.append(Pause(False))
    scan.run_until(is_sweeping)
    scan.run(5.0)
    planned = [one for _, items in scan.journal for one in items if isinstance(one, SweepPlanned)]
    assert len(planned) >= 2
    assert replayed(scan)[1] == [decision.to_json() for decision in scan.decisions]


def test_a_pause_or_a_cancel_does_not_wait_for_a_plan(scan, planning):
    planning.may_go_on.clear()
    scan.start(area=HEMISPHERE, zoom=6.0)
    scan.run(1.0)
    scan.inbox.append(Pause(True))
    assert leaf_of(scan.step()) == "paused"
    scan.inbox.append(Pause(False))
    scan.run(1.0)
    assert leaf_of(scan.decisions[-1]) == "planning the sweep"
    scan.inbox.append(Cancel("g"))
    assert scan.step().result.outcome == "cancelled"
    planning.may_go_on.set()
    scan.run(1.0)
    scan.start(area=HEMISPHERE, zoom=6.0, goal_id="next")
    scan.run_until(is_sweeping)


def test_a_plan_that_nobody_waits_for_does_not_matter():
    made = ExactScan([], zoom_max=30.0)
    made.inbox.append(SweepPlanned(1))
    made.step()
    made.start(area=HEMISPHERE, zoom=6.0)
    made.run(5.0, until=lambda _: made.controller.sweep_task is not None)
    made.inbox.append(SweepPlanned(made.controller.sweep_task.number + 5))
    made._later.clear()
    assert leaf_of(made.step()) == "planning the sweep"


def test_of_the_plans_that_wait_only_the_newest_is_made():
    started, go_on, made = threading.Event(), threading.Event(), []

    def task(name: str) -> SimpleNamespace:
        class Task(SimpleNamespace):
            def make(self) -> None:
                started.set()
                assert go_on.wait(patience(60.0))
                made.append(name)

        return Task()

    thread = SweepThread()
    tasks = [task(name) for name in "abc"]
    for one in tasks:
        thread.request(one)
        thread.request(one)
        assert started.wait(patience(60.0))
    go_on.set()
    found = []
    wait_until(lambda: found.append(thread.poll()) or found[-1] is not None, "a plan")
    assert found[-1] is tasks[2]
    assert made == ["a", "c"]
    thread.close()
    assert not thread._thread.is_alive()


def test_a_recording_from_before_is_planned_within_its_steps():
    written = json.loads(inputs_to_json(ScanSettings(), []))
    del written[0]["sweep"]["max_inline_cost"], written[0]["view_planning"]["max_targets"]
    settings = inputs_from_json(json.dumps(written)).settings
    made = ExactScan([], settings, zoom_max=30.0)
    made.start(area=HEMISPHERE, zoom=6.0)
    made.run(5.0, until=is_sweeping)
    assert "planning the sweep" not in {leaf_of(one) for one in made.decisions}
    assert settings.view_planning.max_targets == 500


# ------------------------------------------------------------------------------ bounded


def test_a_plan_of_thousands_of_swaths_takes_little_memory():
    sphere = Area(-math.pi, math.pi, -math.pi / 2, math.pi / 2)
    coverage = CoverageMap(sphere, math.radians(1.0))
    swaths = plan_swaths(coverage.unseen(), coverage, lens(30.0), ENDLESS, SpeedProfile(10.0))
    assert len(swaths) > 1000
    assert sum(one.cells.nbytes for one in swaths) <= 2 * coverage.is_wanted.nbytes
    covered = sum(int(one.cells.sum()) for one in swaths)
    assert covered == coverage.is_wanted.sum()


def test_what_is_planned_within_a_step_takes_a_part_of_a_step():
    """The costliest goals below the limit, by areas of all heights and cells of all sizes."""
    limit = sweep.SweepSettings().max_inline_cost
    slowest_s = 0.0
    for cell_deg in (0.2, 1.0, 3.0):
        for height_deg in (5.0, 30.0, 80.0):
            for zoom in (1.0, 2.0, 5.0, 15.0):
                area = Area(-1.0, 1.0, 0.0, math.radians(height_deg))
                coverage = CoverageMap(area, math.radians(cell_deg))
                unseen = coverage.unseen()
                if planning_cost(unseen, coverage, lens(zoom)) > limit:
                    continue
                times_s = []
                for _ in range(3):
                    started_s = time.thread_time()
                    plan_swaths(unseen, coverage, lens(zoom), ENDLESS, SpeedProfile(10.0))
                    times_s.append(time.thread_time() - started_s)
                slowest_s = max(slowest_s, min(times_s))
    assert 0.0 < slowest_s < patience(0.1)


def test_views_of_hundreds_of_candidates_are_planned_for_the_nearest(monkeypatch):
    calls = 0
    grow = view_planning._grow_view

    def counted(*inputs):
        nonlocal calls
        calls += 1
        return grow(*inputs)

    monkeypatch.setattr(view_planning, "_grow_view", counted)
    far = [ViewTarget(i, 2.0 + 0.001 * i, 0.3, 0.02, 0.02, 110.0) for i in range(1, 451)]
    near = [ViewTarget(1000 + i, 0.01 * i, 0.3, 0.02, 0.02, 110.0) for i in range(20)]
    views = plan_views([*far, *near], BearingState(0.0, 0.0, 0.3), 1.0, lens(1.0), ENDLESS)
    assert views[0].track_ids[0] >= 1000
    shown = {one for view in views for one in view.track_ids}
    assert len(shown) == 30
    assert shown >= {one.track_id for one in near}
    assert calls <= 30 * 30


# ------------------------------------------------------------------------------ refused


@pytest.mark.parametrize("count", [MAX_BEARINGS + 1, 100_000])
def test_too_many_bearings_are_refused_by_one_line(count):
    made = ExactScan([])
    made.start(area=Area(bearings=((0.1, 0.1),) * count))
    result = made.run(1.0, until=lambda decision: decision.result is not None).result
    assert result.outcome == "aborted"
    assert result.message.startswith(f"area: {count} bearings are too many, at most 5000")
    assert "\n" not in result.message
    check_area(Area(bearings=((0.1, 0.1),) * MAX_BEARINGS))


def test_a_goal_with_too_many_bearings_never_reaches_the_scan(monkeypatch):
    """Reading and journalling it alone would hold up the scan in hand for seconds."""
    offered, told, ended, refused = [], [], [], []
    monkeypatch.setattr(scan_action, "GoalServer", lambda *parts, **_: offered.append(parts[-1]))
    monkeypatch.setattr(edge, "refuse", lambda *said: refused.append(said[1]))
    served = scan_action.ScanAction(SimpleNamespace(), told.append)
    (execute,) = offered
    handle = SimpleNamespace(
        goal_id=SimpleNamespace(uuid=[1] * 16),
        request=Scan.Goal(words=["person"]),
        abort=lambda: ended.append("aborted"),
    )
    handle.request.area.bearings = [Bearing()] * (MAX_BEARINGS + 1)
    result = asyncio.run(execute(handle))
    assert told == []
    assert (ended, refused) == (["aborted"], ["scan"])
    assert result.success is False
    assert "5001 bearings are too many" in result.message
    served.feed_back(SimpleNamespace())  # nothing is left open


def test_a_map_of_too_many_cells_is_refused_by_one_line():
    with pytest.raises(ConfigurationError, match="cells of 0.1 deg are too many"):
        CoverageMap(Area(-math.pi, math.pi, -math.pi / 2, math.pi / 2), math.radians(0.1))
