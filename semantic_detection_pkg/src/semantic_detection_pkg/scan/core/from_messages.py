"""Messages as inputs of the scan controller, read by their fields.

Like `common.core.from_messages`, for messages of rclpy and of recordings alike.
"""

from __future__ import annotations

import math
from typing import Any

from ros_support_pkg.core.stamps import from_time
from ros_support_pkg.core.words import (
    GpuOwner,
    LinkState,
    Verdict,
    WordActKind,
    WordOrigin,
    WordsCause,
    read,
)
from semantic_detection_pkg.common.core import from_messages as common
from semantic_detection_pkg.common.core.detection_curve import (
    ClassCurve,
    Dependence,
    DetectionCurve,
    DetectionCurves,
)
from semantic_detection_pkg.common.core.looks import WayOfLooking
from semantic_detection_pkg.common.core.word_acts import WordAct
from semantic_detection_pkg.errors import FrameError
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.detector_words import WordMeaning, WordsInForce
from semantic_detection_pkg.scan.core.evidence import VlmReply
from semantic_detection_pkg.scan.core.inputs import (
    BaseAttitude,
    Fix,
    FrameDetections,
    GimbalReading,
    Goal,
    GpuStatus,
    PointHere,
)
from semantic_detection_pkg.scan.core.journal import RecordedStep
from semantic_detection_pkg.scan.core.weights import WeightedArea


def from_gimbal_state(message: Any) -> GimbalReading:
    """Return where the gimbal points, its limits and its link."""
    return GimbalReading(
        **vars(common.pose_of_state(message)),
        zoom_max=float(message.zoom_max),
        link=read(message, "link", LinkState.DOWN).word,
        yaw_min_rad=float(message.yaw_min_rad),
        yaw_max_rad=float(message.yaw_max_rad),
        pitch_min_rad=float(message.pitch_min_rad),
        pitch_max_rad=float(message.pitch_max_rad),
    )


def from_detections(message: Any) -> FrameDetections:
    """Return what the detector found in one frame.

    Raises:
        FrameError: its arrays do not fit together, or more classes are proposed than there are.
    """
    proposed = int(getattr(message, "proposed_classes", 0))  # recordings of before have none
    if proposed > len(message.vocabulary):
        raise FrameError(
            f"detections: {proposed} classes of the vocabulary are said to be proposed, it has "
            f"{len(message.vocabulary)}"
        )
    return FrameDetections(
        from_time(message.header.stamp),
        common.from_detections(message),
        tuple(message.vocabulary),
        message.model,
        common.pose_at_capture(message),
        common.from_looks(message),
        proposed,
        getattr(message, "proposer", ""),
        _stamp_or_none(message, "words_since"),
    )


def from_words(message: Any) -> WordsInForce:
    """Return what the detector looks for, and where each word came from.

    Raises:
        ValueError: a meaning is of no word, or it is not said how each word was asked for.
    """
    names = tuple(message.words)
    is_told = hasattr(message, "cause")  # recordings of before have none
    asked = tuple(message.asked) if is_told else ()
    if is_told and len(asked) != len(names):
        raise ValueError(f"{len(asked)} words were asked for, and {len(names)} are looked for")
    cause = read(message, "cause", WordsCause.CONFIGURED) if is_told else None
    is_shown = cause is WordsCause.SHOWN and message.examples
    for one in message.meanings:
        if one.word >= len(names):
            raise ValueError(f"meaning {one.text!r} is of word {one.word}, there are {len(names)}")
    return WordsInForce(
        from_time(message.header.stamp),
        message.model,
        tuple(
            WordMeaning(
                names[one.word],
                one.text,
                read(one, "origin", WordOrigin.PREPARED).word,
                int(one.positives),
                int(one.negatives),
            )
            for one in message.meanings
        ),
        "" if cause is None else cause.word,
        names if is_told else (),
        asked,
        message.examples[-1].name if is_shown else "",
        tuple(message.dropped) if is_told else (),
        _stamp_or_none(message, "began"),
        tuple(map(_from_act, getattr(message, "acts", ()))),
        getattr(message, "mission", ""),
        _stamp_or_none(message, "mission_since"),
    )


def _from_act(message: Any) -> WordAct:
    kind = read(message, "kind", WordActKind.SET).word
    return WordAct(from_time(message.stamp), kind, tuple(message.words))


def _stamp_or_none(message: Any, field: str) -> int:
    """Return a stamp [ns]; 0 in recordings of before the field was there."""
    stamp = getattr(message, field, None)
    return 0 if stamp is None else from_time(stamp)


def from_curves(message: Any) -> DetectionCurves:
    """Return how likely the detector reports what it was measured for.

    Raises:
        ValueError: a number is out of its range.
    """
    shapes = zip(
        message.p_max,
        message.size_50_px,
        message.width,
        message.ceiling,
        message.blur_px,
        strict=True,
    )
    told = zip(
        message.class_names, shapes, message.things, message.false_alarms_per_look, strict=True
    )
    ways = zip(
        message.way_names,
        message.way_gains,
        message.way_whole_gains,
        message.way_shares,
        message.way_frame_s,
        strict=True,
    )
    return DetectionCurves(
        message.model,
        float(message.confidence),
        Dependence(float(message.within), float(message.between), float(message.group_s)),
        bool(message.is_dependence_measured),
        tuple(
            ClassCurve(name, DetectionCurve(*map(float, shape)), True, int(things), float(alarms))
            for name, shape, things, alarms in told
        ),
        tuple(WayOfLooking(name, *map(float, numbers)) for name, *numbers in ways),
    )


def from_area(message: Any) -> Area:
    """Return an area as it was asked for."""
    return Area(
        message.yaw_min_rad,
        message.yaw_max_rad,
        message.pitch_min_rad,
        message.pitch_max_rad,
        tuple((one.yaw_rad, one.pitch_rad) for one in message.bearings),
    )


def from_weighted_area(message: Any) -> WeightedArea:
    """Return a part of the area and its weight, as they were asked for."""
    vertices = tuple((one.yaw_rad, one.pitch_rad) for one in message.vertices)
    return WeightedArea(vertices, message.weight)


def from_scan_goal(goal_id: str, message: Any) -> Goal:
    """Return a goal as it was asked for."""
    return Goal(
        goal_id,
        from_area(message.area),
        tuple(message.words),
        message.zoom,
        message.repeat,
        tuple(map(from_weighted_area, message.weights)),
        message.wanted_pod,
        message.planner,
    )


def from_point_here(message: Any) -> PointHere:
    """Return where an operator looks."""
    return PointHere(message.yaw_rad, message.pitch_rad)


def from_gpu_state(message: Any) -> GpuStatus:
    """Return whether the detector may use the GPU, and whether others may."""
    is_detectors = read(message, "owner", GpuOwner.UNKNOWN) is GpuOwner.DETECTOR
    is_lent = not is_detectors and not message.is_degraded
    return GpuStatus(is_lent, message.is_degraded, message.reason)


def from_fix(message: Any) -> Fix | None:
    """Return where the base is; None without a fix."""
    values = (message.latitude, message.longitude, message.altitude)
    if message.status.status < 0 or not all(math.isfinite(value) for value in values):
        return None
    stamp_ns = from_time(message.header.stamp)
    variances = [float(message.position_covariance[i]) for i in (0, 4, 8)]
    is_known = message.position_covariance_type != message.COVARIANCE_TYPE_UNKNOWN
    if not (is_known and all(0.0 <= value < math.inf for value in variances)):
        return Fix(stamp_ns, *values)
    east, north, up = variances
    return Fix(stamp_ns, *values, math.sqrt(max(east, north)), math.sqrt(up))


def from_imu(message: Any) -> BaseAttitude | None:
    """Return how the base is turned; None where it does not tell."""
    turn = message.orientation
    quaternion = (turn.x, turn.y, turn.z, turn.w)
    length = math.sqrt(sum(value * value for value in quaternion))
    # REP 145: a covariance that begins with -1 says that there is no orientation.
    if message.orientation_covariance[0] < 0.0 or not abs(length - 1.0) < 0.01:
        return None
    stamp_ns = from_time(message.header.stamp)
    variances = [float(message.orientation_covariance[i]) for i in (0, 4, 8)]
    if not (all(0.0 <= value < math.inf for value in variances) and max(variances) > 0.0):
        return BaseAttitude(stamp_ns, quaternion)  # REP 145: zeros are unknown
    return BaseAttitude(stamp_ns, quaternion, math.sqrt(max(variances)))


def from_vlm_answer(request_id: int, message: Any) -> VlmReply:
    """Return the vision-language model's answer; one that cannot be read is unsure."""
    return VlmReply(
        request_id=request_id,
        verdict=read(message, "verdict", Verdict.UNSURE),
        confidence=message.confidence,
        confidence_source=message.confidence_source,
        text=message.text,
        reason=message.reason,
        cause=message.cause,
        question=message.question,
        prompt_id=message.prompt_id,
        model=message.model,
        frame_ns=from_time(message.frame),
        latency_s=message.latency_s,
        lease_epoch=message.lease_epoch,
    )


def from_journal(message: Any) -> RecordedStep:
    """Return one step of the scan's journal."""
    return RecordedStep(
        int(message.step),
        from_time(message.header.stamp),
        tuple(map(from_time, message.gimbal_stamps)),
        tuple(map(from_time, message.detections_stamps)),
        message.inputs,
        message.decision,
        tuple(map(int, getattr(message, "gimbal_checksums", ()))),  # recordings of before have none
    )
