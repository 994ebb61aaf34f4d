"""Decisions and state of the scan controller as messages."""

from __future__ import annotations

import array
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import Header

from interfaces_pkg import msg
from interfaces_pkg.action import Scan
from interfaces_pkg.msg import (
    Bearing,
    ClassCoverage,
    Coverage,
    Finding,
    PathGeometry,
    ScanArea,
    ScanState,
    SearchNeed,
    TierResult,
    Track,
    Tracks,
    VlmAnswer,
)
from ros_support_pkg.stamps import to_time
from semantic_detection_pkg.scan.core import evidence
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.coverage import CoverageMap
from semantic_detection_pkg.scan.core.decisions import GoalResult, ScanStatus
from semantic_detection_pkg.scan.core.inputs import BaseAttitude, Fix, Goal
from semantic_detection_pkg.scan.core.pod_map import PodMap
from semantic_detection_pkg.scan.core.search import SearchProgress
from semantic_detection_pkg.scan.core.tracking import track as tracking
from semantic_detection_pkg.scan.core.weights import WeightedArea


@dataclass(frozen=True)
class GoalRun:
    """The goal in hand, or the last one.

    Attributes:
        begun_ns: as the ids of its findings have it.
        outcome: how it ended and why, in words; empty: it has not, or nobody knows.
    """

    goal_id: str = ""
    begun_ns: int = 0
    outcome: str = ""


@lru_cache(maxsize=2)
def to_area(area: Area) -> ScanArea:
    """Return an area: one message for all states of a goal, as thousands of bearings take long."""
    return ScanArea(
        yaw_min_rad=area.yaw_min_rad,
        yaw_max_rad=area.yaw_max_rad,
        pitch_min_rad=area.pitch_min_rad,
        pitch_max_rad=area.pitch_max_rad,
        bearings=[Bearing(yaw_rad=yaw, pitch_rad=pitch) for yaw, pitch in area.bearings],
    )


@lru_cache(maxsize=2)
def to_weighted_areas(weights: tuple[WeightedArea, ...]) -> list[msg.WeightedArea]:
    """Return the parts of an area that have weights."""
    return [
        msg.WeightedArea(
            vertices=[Bearing(yaw_rad=yaw, pitch_rad=pitch) for yaw, pitch in one.vertices],
            weight=one.weight,
        )
        for one in weights
    ]


def to_scan_state(
    status: ScanStatus,
    goal: Goal | None,
    header: Header,
    *,
    is_paused: bool,
    progress: SearchProgress | None = None,
    run: GoalRun | None = None,
) -> ScanState:
    """Return what the controller is doing and why, the goal as it is carried out, and how far."""
    message = ScanState(
        header=header,
        level=status.level.value,
        tier=status.tier,
        is_paused=is_paused,
        leaf=status.leaf,
        reason=status.reason,
        coverage=status.coverage,
        candidates=status.candidates,
        findings=status.findings,
        track_id=status.track_id,
    )
    if goal is not None:
        message.area = to_area(goal.area)
        message.words = list(goal.words)
        message.zoom = goal.zoom
        message.weights = to_weighted_areas(goal.weights)
        message.repeat = goal.is_repeating
    if run is not None:
        message.goal_id, message.goal_begun = run.goal_id, to_time(run.begun_ns)
        message.outcome = run.outcome
    if progress is not None:
        message.pod, message.wanted_pod = progress.pod, progress.wanted_pod
        message.forecast_pod, message.forecast_s = progress.forecast_pod, progress.forecast_s
        message.forecast, message.planner = progress.forecast, progress.planner
    return message


def to_scan_goal(goal: Goal) -> Scan.Goal:
    """Return a goal as it was asked for."""
    return Scan.Goal(
        area=to_area(goal.area),
        words=list(goal.words),
        zoom=goal.zoom,
        repeat=goal.is_repeating,
        weights=to_weighted_areas(goal.weights),
        wanted_pod=goal.wanted_pod,
        planner=goal.planner,
    )


def to_scan_result(result: GoalResult) -> Scan.Result:
    """Return how a goal ended."""
    return Scan.Result(
        success=result.outcome == "succeeded",
        message=result.message,
        coverage=result.coverage,
        findings=result.findings,
        elapsed_s=result.elapsed_s,
    )


def to_coverage(
    coverage: CoverageMap,
    now_s: float,
    header: Header,
    pod: PodMap | None = None,
    base: tuple[Fix, BaseAttitude] | None = None,
) -> Coverage:
    """Return the coverage map as it is now, with POD and the base's place where they are known."""
    rows, columns = coverage.is_wanted.shape
    message = Coverage(
        header=header,
        yaw_min_rad=coverage.yaw_min_rad,
        pitch_min_rad=coverage.pitch_min_rad,
        cell_rad=coverage.cell_rad,
        columns=columns,
        rows=rows,
        age_s=array.array("f", coverage.ages_s(now_s).astype(np.float32).tobytes()),
        pixels_per_rad=array.array("f", coverage.pixels_per_rad.astype(np.float32).tobytes()),
        results=array.array("B", coverage.results.tobytes()),
    )
    if pod is not None and pod.class_names:
        ranges = np.where(pod.ranges.weights > 0.0, pod.ranges.range_m, 0.0).astype(np.float32)
        message.range_m = array.array("f", ranges.tobytes())
        message.is_range_assumed = pod.ranges.is_assumed
        message.is_range_by_terrain = pod.ranges.is_by_terrain
        message.pod_half_life_s = pod.ageing.half_life_s
        message.look_counts = array.array("H", pod.look_counts.tobytes())
        message.finest_px_per_rad = array.array("f", pod.finest.tobytes())
        message.classes = [_class_coverage(pod, name) for name in pod.class_names]
    if base is not None:
        fix, attitude = base
        message.has_position = True
        message.latitude_deg, message.longitude_deg = fix.latitude_deg, fix.longitude_deg
        message.altitude_m = fix.altitude_m
        message.orientation_xyzw = list(attitude.quaternion_xyzw)
    return message


def _class_coverage(pod: PodMap, name: str) -> ClassCoverage:
    summary, (width_m, height_m) = pod.summary(name), pod.size_m(name)
    percent = np.round(100.0 * pod.pod(name)).astype(np.uint8)
    return ClassCoverage(
        class_name=name,
        is_measured=pod.is_measured(name),
        width_m=width_m,
        height_m=height_m,
        pod=summary.mean,
        least_pod=summary.least,
        least_bearing=_bearing(*summary.least_bearing),
        pod_percent=array.array("B", percent.tobytes()),
    )


def to_search_need(
    coverage: CoverageMap | None,
    worth: NDArray[np.float64] | None,
    header: Header,
    looking: str = "",
) -> SearchNeed:
    """Return where a fine look is worth how much, 0..1; without coverage: nobody searches.

    Args:
        looking: how pictures are to be looked at.
    """
    if coverage is None or worth is None:
        return SearchNeed(header=header)
    needs = np.round(255.0 * worth).astype(np.uint8)
    return SearchNeed(
        header=header,
        yaw_min_rad=coverage.yaw_min_rad,
        pitch_min_rad=coverage.pitch_min_rad,
        cell_rad=coverage.cell_rad,
        columns=needs.shape[1],
        rows=needs.shape[0],
        looking=looking,
        needs=array.array("B", needs.tobytes()),
    )


def to_track(track: tracking.Track) -> Track:
    """Return one track."""
    return Track(
        id=track.id,
        state=track.state.value,
        class_name=track.class_name,
        score=track.score,
        score_mean=track.score_mean,
        bearing=_bearing(track.yaw_rad, track.pitch_rad, track.covariance),
        yaw_rate_rad_s=track.yaw_rate_rad_s,
        pitch_rate_rad_s=track.pitch_rate_rad_s,
        width_rad=track.width_rad,
        height_rad=track.height_rad,
        hits=track.hits,
        first_seen=to_time(track.first_seen_ns),
        last_seen=to_time(track.last_seen_ns),
    )


def to_tracks(
    tracks: Sequence[tracking.Track], frame_ns: int, pose_delay_s: float, frame_id: str
) -> Tracks:
    """Return all tracks after a frame."""
    return Tracks(
        header=Header(stamp=to_time(frame_ns), frame_id=frame_id),
        pose_delay_s=pose_delay_s,
        tracks=[to_track(track) for track in tracks],
    )


def to_finding(finding: evidence.Finding, frame_id: str) -> Finding:
    """Return one finding with its evidence."""
    message = Finding(
        header=Header(stamp=to_time(finding.stamp_ns), frame_id=frame_id),
        id=finding.finding_id,
        revision=finding.revision,
        state=finding.state.value,
        class_name=finding.class_name,
        score=finding.score,
        tiers=[_tier(one) for one in finding.tiers],
        answers=[_answer(one) for one in finding.answers],
        bearing=_bearing(finding.yaw_rad, finding.pitch_rad, finding.covariance),
        range_m=finding.range_m,
        track_id=finding.track_id,
        track_bearings=[_bearing(one.yaw_rad, one.pitch_rad) for one in finding.history],
        track_stamps=[to_time(one.stamp_ns) for one in finding.history],
        best_frame=to_time(finding.best_frame_ns),
        best_box_xyxy=[float(value) for value in finding.best_box_xyxy],
        has_position=finding.position is not None,
    )
    if finding.position is not None:
        for name in (
            "latitude_deg",
            "longitude_deg",
            "altitude_m",
            "ellipse_major_m",
            "ellipse_minor_m",
            "ellipse_heading_rad",
        ):
            setattr(message, name, getattr(finding.position, name))
    if finding.path is not None:
        message.path = [_path(finding.path)]
    return message


def in_words(finding: evidence.Finding) -> str:
    """Return a finding in one line for the log."""
    yaw_deg, pitch_deg = math.degrees(finding.yaw_rad), math.degrees(finding.pitch_rad)
    return (
        f"{finding.state.name.lower()}: {finding.class_name} {finding.score:.2f} at yaw "
        f"{yaw_deg:.1f}, pitch {pitch_deg:.1f} deg; tier {finding.tiers[-1].tier}: "
        f"{finding.tiers[-1].reason}"
    )


def _path(path: evidence.PathCourse) -> PathGeometry:
    return PathGeometry(
        ends=[_bearing(*one) for one in path.ends],
        branches=[_bearing(*one) for one in path.branches],
        length_rad=path.length_rad,
        width_rad=path.width_rad,
        straightness=path.straightness,
        is_followed=path.is_followed,
    )


def _tier(result: evidence.TierResult) -> TierResult:
    return TierResult(
        tier=result.tier,
        verdict=result.verdict.value,
        score=result.score,
        reason=result.reason,
        model=result.model,
        frames=[to_time(stamp_ns) for stamp_ns in result.frames_ns],
        elapsed_s=result.elapsed_s,
    )


def _answer(reply: evidence.VlmReply) -> VlmAnswer:
    return VlmAnswer(
        verdict=reply.verdict.value,
        confidence=reply.confidence,
        confidence_source=reply.confidence_source,
        text=reply.text,
        reason=reply.reason,
        cause=reply.cause,
        question=reply.question,
        prompt_id=reply.prompt_id,
        model=reply.model,
        frame=to_time(reply.frame_ns),
        latency_s=reply.latency_s,
        lease_epoch=reply.lease_epoch,
    )


def _bearing(
    yaw_rad: float, pitch_rad: float, covariance: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> Bearing:
    known = all(math.isfinite(value) for value in covariance)
    return Bearing(
        yaw_rad=float(yaw_rad),
        pitch_rad=float(pitch_rad),
        covariance=list(covariance) if known else [0.0, 0.0, 0.0],
    )
