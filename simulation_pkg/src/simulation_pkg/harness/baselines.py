"""What a scan is compared with: a fixed grid at the close zoom, and a step-and-wait follower."""

from __future__ import annotations

import math
from dataclasses import dataclass

from semantic_detection_pkg.scan.core.tracking.track import Track
from simulation_pkg.harness.baseline_agent import Judge, Rules
from simulation_pkg.harness.robot import AREA, PICTURE_DELAY_S, Rig
from simulation_pkg.harness.scores import Score, Things


@dataclass(frozen=True)
class Grid:
    """A fixed grid.

    Attributes:
        zoom: of all its views; by default the smallest thing sought, a person 62 m away from the
            mast, is as large in it as the classifier needs.
        overlap: 0..1, share of a view that the next one shows again.
        looks: frames in each view.
    """

    zoom: float = 4.3
    overlap: float = 0.15
    looks: int = 2


def scan_by_grid(seed: int, grid: Grid | None = None) -> Score:
    """Go to each view by an angle command, take the frames once it stands, and go on at once.

    It does not wait for the frames' detections, nor longer than it needs to stand; what is unsure
    is asked about at the end.
    """
    grid = grid or Grid()
    rig, judge = Rig(seed), Judge(Rules(looks=grid.looks))
    rig.body.zoom_to(grid.zoom)
    for yaw, pitch in _views(rig, grid):
        rig.body.yaw.go_to(yaw)
        rig.body.pitch.go_to(pitch)
        rig.arrive()
        for _ in range(grid.looks):
            judge.look(rig.next_frame())
    ended_s = judge.ask_about_the_rest(rig.now_s)
    return Things(rig.world).score(judge.claims, ended_s, judge.questions)


def _views(rig: Rig, grid: Grid) -> list[tuple[float, float]]:
    """Row by row, to and fro; rows farther down need fewer views, as yaw narrows there."""
    lens = rig.view_at(rig.gimbal, grid.zoom)
    step = 1.0 - grid.overlap
    views: list[tuple[float, float]] = []
    for row, pitch in enumerate(
        _spread(AREA.pitch_min_rad, AREA.pitch_max_rad, lens.vfov_rad, step)
    ):
        # The upper edge of the row is where a view is narrowest.
        level = math.cos(max(abs(pitch) - lens.vfov_rad / 2.0, 0.0))
        columns = _spread(AREA.yaw_min_rad, AREA.yaw_max_rad, lens.hfov_rad / level, step)
        views += [(yaw, pitch) for yaw in (columns if row % 2 else columns[::-1])]
    return views


def _spread(low: float, high: float, width: float, step: float) -> list[float]:
    """Middles of as few windows as cover a range with the wanted overlap, evenly spread."""
    count = max(1, math.ceil((high - low - width) / (width * step)) + 1)
    if count == 1:
        return [(low + high) / 2.0]
    first, last = low + width / 2.0, high - width / 2.0
    return [first + (last - first) * index / (count - 1) for index in range(count)]


@dataclass(frozen=True)
class StepAndWait:
    """A follower that moves only when its target leaves a dead zone, and waits after each move.

    Attributes:
        dead_zone: half of it, as a share of the picture's width and height.
        wait_s: [s] after each move, until the picture is taken to be still.
        zoom_step: factor of one step of zoom.
        overlap: of the wide views between which it follows.
        tries: steps after which it gives up a target.
    """

    dead_zone: float = 0.15
    wait_s: float = 0.4
    zoom_step: float = 2.0
    overlap: float = 0.2
    tries: int = 12


def scan_step_and_wait(seed: int, ways: StepAndWait | None = None) -> Score:
    """Stop in each wide view, then take its candidates one after the other."""
    ways = ways or StepAndWait()
    rig, judge = Rig(seed), Judge()
    for yaw, pitch in _views(rig, Grid(1.0, ways.overlap)):
        _step(rig, ways, yaw, pitch, 1.0)
        for _ in range(3):
            seen = judge.look(rig.next_frame())
        for target in sorted(seen, key=lambda track: -track.score):
            if not judge.is_judged(target.id):
                _follow(rig, judge, ways, target)
        _step(rig, ways, yaw, pitch, 1.0)
    ended_s = judge.ask_about_the_rest(rig.now_s)
    return Things(rig.world).score(judge.claims, ended_s, judge.questions)


def _follow(rig: Rig, judge: Judge, ways: StepAndWait, target: Track) -> None:
    """Centre, wait, zoom, wait, until the classifier has had its looks or patience ends."""
    _step(rig, ways, target.yaw_rad, target.pitch_rad, rig.body.zoom)
    for _ in range(ways.tries):
        seen = judge.look(rig.next_frame())
        rig.advance(rig.now_s + PICTURE_DELAY_S)
        if judge.is_judged(target.id):
            return
        found = next((track for track in seen if track.id == target.id), None)
        if found is None:
            continue
        left, top, right, bottom = found.box_xyxy
        off_x = abs((left + right) / 2.0 / rig.lens.width - 0.5)
        off_y = abs((top + bottom) / 2.0 / rig.lens.height - 0.5)
        if max(off_x, off_y) > ways.dead_zone:
            _step(rig, ways, found.yaw_rad, found.pitch_rad, rig.body.zoom)
        elif max(right - left, bottom - top) < judge.rules.needs_px:
            at = rig.gimbal
            _step(rig, ways, at.yaw_rad, at.pitch_rad, rig.body.zoom * ways.zoom_step)


def _step(rig: Rig, ways: StepAndWait, yaw: float, pitch: float, zoom: float) -> None:
    rig.body.yaw.go_to(yaw)
    rig.body.pitch.go_to(pitch)
    rig.body.zoom_to(zoom)
    rig.arrive()
    rig.advance(rig.now_s + ways.wait_s)
