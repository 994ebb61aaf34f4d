"""Searches of wide worlds, scored by time: by a controller, and by a fixed grid of close views.

Things stand at 30 to 400 m, as many in each doubling of the distance. The controller knows the
demo detector's curve and its height above the ground; so do the maps by which all are measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cache

from semantic_detection_pkg.common.core.detection_curve import DetectionCurves
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.detector.backends.curve_file import read_curves
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.coverage import CoverageMap
from semantic_detection_pkg.scan.core.decisions import Decision
from semantic_detection_pkg.scan.core.inputs import Goal
from semantic_detection_pkg.scan.core.pod_map import PodMap
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.thing_sizes import Ground
from semantic_detection_pkg.scan.core.weights import WeightedArea
from simulation_pkg.core.world.layout import World, WorldLayout
from simulation_pkg.harness.baseline_agent import BaselineAgent, DecisionRules
from simulation_pkg.harness.baselines import Grid, views_of
from simulation_pkg.harness.rendered_scan import RenderedScan
from simulation_pkg.harness.robot import MODEL_FOLDER, SimulatedRobot
from simulation_pkg.harness.scan_harness import START_NS
from simulation_pkg.harness.scores import Score, Things

WORDS = ("person", "tent", "vehicle", "boat", "smoke")
FAR_M = 400.0
SHARE = 0.8  # of things, and of the POD, that times are taken for
_HEIGHT_M = 40.0
_HALF_YAW_RAD = math.radians(75.0)
_CONFIDENCE = 0.25
_LONGEST_S = 240.0


@cache
def demo_curves() -> DetectionCurves:
    """Return the curve of the demo's detector."""
    curves = read_curves(MODEL_FOLDER / "demo_detector.onnx", _CONFIDENCE)
    assert curves is not None
    return curves


def wide_layout(seed: int) -> WorldLayout:
    """Return the layout of a world whose things stand up to 400 m away."""
    return WorldLayout(
        seed, _HEIGHT_M, sector_rad=2.0 * _HALF_YAW_RAD, per_class=3, plants=200, far_m=FAR_M
    )


def wide_area() -> Area:
    """Return the area that holds the things of such a world."""
    top, bottom = (math.atan2(_HEIGHT_M, distance) for distance in (FAR_M, 30.0))
    edge = math.radians(1.0)
    return Area(-_HALF_YAW_RAD - edge, _HALF_YAW_RAD + edge, top - edge / 2.0, bottom + edge)


@dataclass(frozen=True)
class LikelyPart:
    """The fifth of the area, by yaw, with most things, and a weight that gives it 80 %.

    Attributes:
        things: ids of those that stand there.
    """

    weights: tuple[WeightedArea, ...]
    things: frozenset[int]


def likely_part(seed: int) -> LikelyPart:
    """Return the likeliest fifth of a world."""
    area = wide_area()
    yaws = BoardThings(SimulatedRobot(wide_layout(seed)).world).yaws()
    width = (area.yaw_max_rad - area.yaw_min_rad) / 5.0
    parts = []
    for index in range(5):
        low = area.yaw_min_rad + index * width
        inside = frozenset(key for key, yaw in yaws.items() if low <= yaw < low + width)
        parts.append((len(inside), low, inside))
    _, low, inside = max(parts)
    top, bottom = area.pitch_min_rad, area.pitch_max_rad
    corners = ((low, top), (low + width, top), (low + width, bottom), (low, bottom))
    return LikelyPart((WeightedArea(corners, 16.0),), inside)


@dataclass(frozen=True)
class SearchScore:
    """What came of a search.

    Attributes:
        score: by what was claimed.
        pod_s: [s] until the map's own POD reached `SHARE`; inf: never.
        forecast_s: [s] from the start until the wanted POD, as the first plan said; NaN: none.
        wanted_s: [s] until the search by probability had what was wanted; inf: never.
    """

    score: Score
    pod_s: float = math.inf
    forecast_s: float = math.nan
    wanted_s: float = math.inf
    log: tuple[str, ...] = ()

    def found_share_s(self, share: float = SHARE) -> float:
        """Return the time until so much of what is there was found and confirmed; inf: never."""
        total = len(self.score.found_s) + len(self.score.missed)
        wanted = math.ceil(share * total - 1e-9)
        times = sorted(self.score.found_s.values())
        return times[wanted - 1] if len(times) >= wanted else math.inf


class SearchScan(RenderedScan):
    """A controller that searches a wide world."""

    def __init__(
        self,
        seed: int,
        settings: ScanSettings | None = None,
        zoom: float = 0.0,
        wanted_pod: float = 0.0,
        weights: tuple[WeightedArea, ...] = (),
    ) -> None:
        """Build the world of a seed, with the robot at rest in it."""
        settings = settings or ScanSettings()
        settings = replace(settings, pod=replace(settings.pod, camera_height_m=_HEIGHT_M))
        super().__init__(wide_layout(seed), settings)
        self._goal = Goal("search", wide_area(), WORDS, zoom, False, weights, wanted_pod)
        self._things = BoardThings(self.world)
        self._pod_s, self._wanted_s, self._forecast_s = math.inf, math.inf, math.nan
        self._log: list[str] = []
        self._said = ""

    def search(self, *, is_whole: bool = False, is_to_wanted: bool = False) -> SearchScore:
        """Search, to the end, or until the wanted POD, or until both times are known."""
        self.deliver(demo_curves(), START_NS)
        self.deliver(self._goal, START_NS)
        while self.result is None and self.robot.now_s < _LONGEST_S:
            claimed = len(self.claims)
            self._watch(self.step())
            if is_to_wanted and self._wanted_s < math.inf:
                break
            if is_whole or len(self.claims) == claimed or self._pod_s == math.inf:
                continue
            if self._score().found_share_s() < math.inf:
                break
        return self._score()

    def _watch(self, decision: Decision) -> None:
        now_s, status = self.robot.now_s, decision.status
        if status.reason != self._said:
            self._said = status.reason
            self._log.append(f"{now_s:6.2f} {status.leaf}: {status.reason}")
        progress = self.controller.progress
        if progress is None:
            if self.result is not None and "is reached" in self.result.message:
                self._wanted_s = min(self._wanted_s, now_s)
            return
        if math.isnan(self._forecast_s) and progress.forecast_pod > 0.0:
            self._forecast_s = now_s + progress.forecast_s
        if self._pod_s == math.inf and progress.pod >= SHARE:
            self._pod_s = now_s
        is_reached = progress.is_swept and progress.pod >= (progress.wanted_pod or 1.0) - 0.003
        if self._wanted_s == math.inf and is_reached:
            self._wanted_s = now_s

    def _score(self) -> SearchScore:
        score = self._things.score(self.claims, self.robot.now_s, self.questions)
        return SearchScore(score, self._pod_s, self._forecast_s, self._wanted_s, tuple(self._log))


class BoardThings(Things):
    """Things of a world that stand: footpaths are not sought."""

    def __init__(self, world: World) -> None:
        """Forget the footpaths."""
        super().__init__(world)
        self.names = {key: name for key, name in self.names.items() if name != "footpath"}

    def yaws(self) -> dict[int, float]:
        """Return the yaw of each thing. [rad]"""
        return {key: math.atan2(one.y_m, one.x_m) for key, one in self._boards.items()}


@dataclass
class _Measure:
    """The map's POD of a search without a controller."""

    pod_s: float = math.inf
    grid: CoverageMap = field(init=False)
    pod: PodMap = field(init=False)

    def __post_init__(self) -> None:
        settings = ScanSettings()
        self.grid = CoverageMap(wide_area(), settings.cell_size_rad, settings.coverage)
        self.pod = PodMap(self.grid, WORDS, settings.pod, settings.tracker.confirm_hits)
        self.pod.use(demo_curves(), Ground(_HEIGHT_M))

    def add(self, view: CameraView, stamp_s: float) -> None:
        """Count a picture."""
        self.pod.update(view, stamp_s)
        if self.pod_s == math.inf and self.pod.area_pod() >= SHARE:
            self.pod_s = stamp_s


def search_by_grid(seed: int, zoom: float, needs_px: float) -> SearchScore:
    """Go to each view of a fixed grid over the wide area, see `baselines.scan_by_grid`."""
    robot = SimulatedRobot(wide_layout(seed))
    grid = Grid(zoom, min_views=3)
    agent = BaselineAgent(DecisionRules(needs_px=needs_px, min_views=2))
    things, measure = BoardThings(robot.world), _Measure()
    robot.body.zoom_to(grid.zoom)
    for yaw, pitch in views_of(robot, grid, wide_area()):
        robot.body.yaw.go_to(yaw)
        robot.body.pitch.go_to(pitch)
        robot.arrive()
        for _ in range(grid.min_views):
            picture = robot.next_frame()
            agent.process_frame(picture)
            measure.add(picture.view, picture.stamp_s)
    ended_s = agent.ask_about_the_rest(robot.now_s)
    claims = [claim for claim in agent.claims if claim.class_name in WORDS]
    score = things.score(claims, ended_s, agent.questions)
    return SearchScore(score, measure.pod_s)
