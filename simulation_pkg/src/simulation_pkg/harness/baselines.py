"""What a scan is compared with: a fixed grid at the close zoom, and a step-and-wait follower."""

from __future__ import annotations

import math
from dataclasses import dataclass

from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.tracking.track import Track
from simulation_pkg.harness.baseline_agent import BaselineAgent, DecisionRules
from simulation_pkg.harness.robot import AREA, PICTURE_DELAY_S, SimulatedRobot
from simulation_pkg.harness.scores import Score, Things


@dataclass(frozen=True)
class Grid:
    """A fixed grid.

    Attributes:
        zoom: of all its views; by default the smallest thing sought, a person 62 m away from the
            mast, is as large in it as the classifier needs.
        overlap: 0..1, share of a view that the next one shows again.
        min_views: frames taken in each view.
    """

    zoom: float = 4.3
    overlap: float = 0.15
    min_views: int = 2


def scan_by_grid(seed: int, grid: Grid | None = None) -> Score:
    """Go to each view by an angle command, take the frames once it stands, and go on at once.

    It does not wait for the frames' detections, nor longer than it needs to stand; what is unsure
    is asked about at the end.
    """
    grid = grid or Grid()
    robot, agent = SimulatedRobot(seed), BaselineAgent(DecisionRules(min_views=grid.min_views))
    robot.body.zoom_to(grid.zoom)
    for yaw, pitch in views_of(robot, grid):
        robot.body.yaw.go_to(yaw)
        robot.body.pitch.go_to(pitch)
        robot.arrive()
        for _ in range(grid.min_views):
            agent.process_frame(robot.next_frame())
    ended_s = agent.ask_about_the_rest(robot.now_s)
    return Things(robot.world).score(agent.claims, ended_s, agent.questions)


def views_of(robot: SimulatedRobot, grid: Grid, area: Area = AREA) -> list[tuple[float, float]]:
    """Return the views row by row, to and fro; lower rows need fewer, as yaw narrows there."""
    lens = robot.view_at(robot.gimbal, grid.zoom)
    step = 1.0 - grid.overlap
    views: list[tuple[float, float]] = []
    for row, pitch in enumerate(
        _spread(area.pitch_min_rad, area.pitch_max_rad, lens.vfov_rad, step)
    ):
        # The upper edge of the row is where a view is narrowest.
        level = math.cos(max(abs(pitch) - lens.vfov_rad / 2.0, 0.0))
        columns = _spread(area.yaw_min_rad, area.yaw_max_rad, lens.hfov_rad / level, step)
        views += [(yaw, pitch) for yaw in (columns if row % 2 else columns[::-1])]
    return views


def _spread(low: float, high: float, width: float, step: float) -> list[float]:
    """Return middles of as few windows as cover a range with the wanted overlap, evenly spread."""
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
    robot, agent = SimulatedRobot(seed), BaselineAgent()
    for yaw, pitch in views_of(robot, Grid(1.0, ways.overlap)):
        _step(robot, ways, yaw, pitch, 1.0)
        for _ in range(3):
            seen = agent.process_frame(robot.next_frame())
        for target in sorted(seen, key=lambda track: -track.score):
            if not agent.is_judged(target.id):
                _follow(robot, agent, ways, target)
        _step(robot, ways, yaw, pitch, 1.0)
    ended_s = agent.ask_about_the_rest(robot.now_s)
    return Things(robot.world).score(agent.claims, ended_s, agent.questions)


def _follow(robot: SimulatedRobot, agent: BaselineAgent, ways: StepAndWait, target: Track) -> None:
    """Centre, wait, zoom, wait, until the classifier has had enough views or patience ends."""
    _step(robot, ways, target.yaw_rad, target.pitch_rad, robot.body.zoom)
    for _ in range(ways.tries):
        seen = agent.process_frame(robot.next_frame())
        robot.advance(robot.now_s + PICTURE_DELAY_S)
        if agent.is_judged(target.id):
            return
        found = next((track for track in seen if track.id == target.id), None)
        if found is None:
            continue
        left, top, right, bottom = found.box_xyxy
        off_x = abs((left + right) / 2.0 / robot.lens.width - 0.5)
        off_y = abs((top + bottom) / 2.0 / robot.lens.height - 0.5)
        if max(off_x, off_y) > ways.dead_zone:
            _step(robot, ways, found.yaw_rad, found.pitch_rad, robot.body.zoom)
        elif max(right - left, bottom - top) < agent.rules.needs_px:
            at = robot.gimbal
            _step(robot, ways, at.yaw_rad, at.pitch_rad, robot.body.zoom * ways.zoom_step)


def _step(robot: SimulatedRobot, ways: StepAndWait, yaw: float, pitch: float, zoom: float) -> None:
    robot.body.yaw.go_to(yaw)
    robot.body.pitch.go_to(pitch)
    robot.body.zoom_to(zoom)
    robot.arrive()
    robot.advance(robot.now_s + ways.wait_s)
