"""One camera's pictures in their order: tracks, candidates and what the tiers say, as in a mission.

The tracker, the rules of candidates and the tiers are the scan's own. What a mission has and an
archive has not is a gimbal that turns to what might be something: what no picture shows any closer
is drawn up at the end, as uncertain where the tiers do not say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ros_support_pkg.core.pose_history import Pose
from ros_support_pkg.core.words import FindingState
from semantic_detection_pkg.archive.core.question import SeenFrame
from semantic_detection_pkg.archive.core.surroundings import Surroundings
from semantic_detection_pkg.common.core.camera_view import CameraPoses
from semantic_detection_pkg.common.core.position import Position
from semantic_detection_pkg.scan.core.candidate import Candidate
from semantic_detection_pkg.scan.core.candidate_evidence import Sighting, TrackedFrame
from semantic_detection_pkg.scan.core.candidate_list import CandidateList
from semantic_detection_pkg.scan.core.candidate_states import CandidateAction
from semantic_detection_pkg.scan.core.evidence import PathCourse, TierResult, VlmReply
from semantic_detection_pkg.scan.core.findings import foot_pitch_rad, is_place, position_of
from semantic_detection_pkg.scan.core.ground_model import GroundModel
from semantic_detection_pkg.scan.core.inputs import BaseAttitude, Fix, InspectionResult
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.tracking.delay import DelayEstimator
from semantic_detection_pkg.scan.core.tracking.track import Track
from semantic_detection_pkg.scan.core.tracking.tracker import Tracker

#: What the classifier says of a box [px] of the frame of a stamp [ns]: (model, labels, shares).
Inspect = Callable[[int, tuple[float, float, float, float]], InspectionResult]

_NS_PER_S = 1_000_000_000
_ZOOM_REACHED = 0.97  # as in a mission's search
_NO_CLOSER = "the recording shows it no closer"
_CANDIDATES_MAX = 100_000  # none is forgotten
#: What was decided is decided anew when it shows again after this: nobody turns a camera away.
_COOLDOWN_S = 10.0
#: Without bearings a place in the picture says nothing of a thing after this.
_PICTURE_MEMORY_S = 5.0
_BEARING_MEMORY_S = 300.0


@dataclass(frozen=True)
class Sighted:
    """What the tiers came to about one candidate.

    Attributes:
        scene: number of the camera.
        stretch: number of the stretch of its pictures in which track ids and bearings hold.
        decided_ns: stamp of the frame with which it was decided.
        track: where it was seen best.
        first_ns, last_ns: between which it was seen.
        best_ns, box_xyxy: the frame that shows it best, and where [px].
        is_sharp: the camera was still enough in that frame for a close look.
        fix: where the camera was then.
        is_by_bearing: bearings of the stretch are from a base.
        close_score: the detector's best of it close up.
        answers: of the vision-language model.
    """

    scene: int
    stretch: int
    decided_ns: int
    state: FindingState
    score: float
    tiers: tuple[TierResult, ...]
    track: Track
    first_ns: int
    last_ns: int
    best_ns: int
    box_xyxy: tuple[float, float, float, float]
    position: Position | None
    path: PathCourse | None
    fix: Fix | None
    is_by_bearing: bool
    close_score: float = 0.0
    answers: tuple[VlmReply, ...] = ()
    is_sharp: bool = True


@dataclass(frozen=True)
class _Sight:
    """A sight of a candidate, whatever its size."""

    sighting: Sighting
    track: Track
    is_sharp: bool = True

    @property
    def rank(self) -> tuple[Any, ...]:
        """The greater the better: blurred pictures show less than small ones."""
        return (self.is_sharp, self.sighting.rank)


def archive_settings(recorded: ScanSettings | None) -> ScanSettings:
    """Return the scan's settings with what an archive does otherwise."""
    settings = recorded or ScanSettings()
    return replace(
        settings,
        candidates=replace(settings.candidates, cooldown_s=_COOLDOWN_S, kept_max=_CANDIDATES_MAX),
        tiers=replace(settings.tiers, vlm_policy="never", vlm_unavailable_policy="lower"),
    )


class Evaluation:
    """A stretch of one camera's pictures."""

    def __init__(
        self,
        name: tuple[int, int],
        labels: Mapping[str, str],
        surroundings: Surroundings,
        settings: ScanSettings,
        inspect: Inspect,
        next_track: int = 1,
    ) -> None:
        """Begin without tracks.

        Args:
            name: numbers of camera and stretch.
            labels: what models call each class that is looked for.
            settings: of `archive_settings`.
            inspect: asks the classifier.
            next_track: id of the first track; those of a stretch are told apart by them.
        """
        self._scene, self._stretch = name
        self._around = surroundings
        self._settings = settings
        self._inspect = inspect
        tracker = settings.tracker
        if surroundings.is_still:
            tracker = replace(tracker, confirm_hits=1)
        self._tracker = Tracker(tracker, next_track)
        self._candidates = CandidateList(settings, labels)
        self._delay = DelayEstimator()
        self._lens: CameraPoses[Pose] = CameraPoses(settings.gimbal.wide_hfov_rad)
        self._ground = GroundModel(settings)
        self._best: dict[int, list[_Sight]] = {}  # of each candidate, the best first
        self._requests = 0
        self._done: dict[int, int] = {}  # index in `_sighted` by track, while it may be seen better
        self._sighted: list[Sighted] = []
        self._newest_ns = 0
        memory_s = _BEARING_MEMORY_S if surroundings.has_bearings else _PICTURE_MEMORY_S
        self._memory_ns = round(memory_s * _NS_PER_S)

    @property
    def next_track(self) -> int:
        """Return the id that no track has had."""
        return self._tracker.next_id

    def add(self, frame: SeenFrame, vocabulary: Sequence[str], model: str) -> None:
        """Take the next frame; one without a pose shows nothing that could be placed."""
        delay_s = self._delay.applied_s if self._around.has_bearings else 0.0
        pose = self._around.pose_at(frame.stamp_ns, delay_s)
        if pose is None:
            return
        self._newest_ns = frame.stamp_ns
        found = frame.detections
        view = self._lens.view_of(pose, found.width, found.height)
        rates = (pose.yaw_rate_rad_s, pose.pitch_rate_rad_s)
        tracks = self._tracker.update(frame.stamp_ns, view, found, vocabulary, frame.looks)
        if self._around.has_bearings:
            self._delay.update(frame.stamp_ns, view, *rates, tracks, delay_s)
        blur_px = self._settings.coverage.motion_blur_px(view, rates)
        shown = TrackedFrame(
            frame.stamp_ns,
            view,
            blur_px,
            {track.id: track for track in tracks},
            is_at_max_zoom=self._is_at_max_zoom(pose),
            detections=found,
            looks=frame.looks,
        )
        self._candidates.add_frame(frame.stamp_ns, shown, model)
        self._note_best(tracks, blur_px <= self._settings.close.max_view_motion_blur_px)
        self._evaluate()

    def finish(self) -> list[Sighted]:
        """Draw up what is left, and return all, in the order in which it was decided."""
        for one in self._candidates.all:
            self._give_up(one)
        return self._sighted

    def _is_at_max_zoom(self, pose: Pose) -> bool:
        if self._around.zoom_max <= 1.0 or not math.isfinite(pose.zoom):
            return True  # there is no zoom: nothing shows any larger
        return pose.zoom >= _ZOOM_REACHED * self._around.zoom_max

    def _note_best(self, tracks: Sequence[Track], is_sharp: bool) -> None:
        """Note the best sights of each candidate, and of what was decided while it is in sight."""
        seen = {track.id: track for track in tracks if track.is_seen}
        for one in self._candidates.all:
            track = seen.get(one.track.id)
            if track is not None:
                sights = [*self._best.get(one.first_id, ()), _sight_of(track, is_sharp)]
                sights.sort(key=lambda sight: sight.rank, reverse=True)  # of equals, the first
                self._best[one.first_id] = sights[: self._settings.tiers.min_inspections]
        for track_id, index in list(self._done.items()):
            track = seen.get(track_id)
            if track is None:
                continue
            before = self._sighted[index]
            known = Sighting(before.best_ns, before.box_xyxy, before.track.is_whole)
            now = _sight_of(track, is_sharp)
            if now.rank > _Sight(known, before.track, before.is_sharp).rank:
                before = self._placed(
                    replace(
                        before,
                        track=track,
                        best_ns=track.last_seen_ns,
                        box_xyxy=track.box_xyxy,
                        is_sharp=is_sharp,
                    )
                )
            self._sighted[index] = replace(before, last_ns=track.last_seen_ns)

    def _evaluate(self) -> None:
        now_ns, candidates = self._newest_ns, self._candidates
        for one in candidates.all:
            request = one.order_crop(now_ns, self._next_id)
            if request is not None:
                said = self._inspect(request.frame_ns, request.box_xyxy)
                one.add_inspection(
                    replace(said, request_id=request.request_id, frame_ns=request.frame_ns)
                )
            one.evaluate(now_ns)
            if candidates.get(one.first_id) is not one:
                continue  # the same thing as another one that has just been decided
            if one.may(CandidateAction.CONCLUDE):
                self._conclude(one)
            elif now_ns - one.track.last_seen_ns > self._memory_ns:
                self._give_up(one)
        oldest_ns = now_ns - round(_COOLDOWN_S * _NS_PER_S)
        self._done = {
            track: index
            for track, index in self._done.items()
            if self._sighted[index].last_ns >= oldest_ns
        }

    def _next_id(self) -> int:
        self._requests += 1
        return self._requests

    def _give_up(self, one: Candidate) -> None:
        if self._candidates.get(one.first_id) is not one:
            return
        if not one.may(CandidateAction.CONCLUDE):
            if not one.evidence.inspections:
                # Small as they are: nobody will show larger ones. As many as a mission takes, for
                # the classifier may be wrong about one.
                for best in self._best.get(one.first_id, ()):
                    at = best.sighting
                    one.add_inspection(self._inspect(at.frame_ns, at.box_xyxy))
            one.give_up(self._newest_ns, _NO_CLOSER)
        self._conclude(one)

    def _conclude(self, one: Candidate) -> None:
        state, score = one.conclude()
        best = next(iter(self._best.pop(one.first_id, ())), None)
        evidence, track = one.evidence, one.track_as_seen
        self._candidates.retire(self._newest_ns, one)
        if evidence.best is None and state is FindingState.REJECTED:
            return  # a ghost: there is nothing to show
        best = best or _sight_of(track, is_sharp=True)
        tiers = evidence.by_tier
        self._done[one.track.id] = len(self._sighted)
        self._sighted.append(
            self._placed(
                Sighted(
                    scene=self._scene,
                    stretch=self._stretch,
                    decided_ns=self._newest_ns,
                    state=state,
                    score=score,
                    tiers=tuple(tiers[tier] for tier in sorted(tiers)),
                    track=best.track,
                    first_ns=track.first_seen_ns,
                    last_ns=track.last_seen_ns,
                    best_ns=best.sighting.frame_ns,
                    box_xyxy=best.sighting.box_xyxy,
                    position=None,
                    path=evidence.mask.to_path_course() if evidence.mask is not None else None,
                    fix=None,
                    is_by_bearing=self._around.has_bearings,
                    close_score=evidence.close_score,
                    is_sharp=best.is_sharp,
                )
            )
        )

    def _placed(self, what: Sighted) -> Sighted:
        """Return it with the position that its track had where it was seen best."""
        around, track = self._around, what.track
        fix = around.fixes.at(what.best_ns)
        if fix is not None and not is_place(fix):
            fix = None
        attitude = around.attitudes.at(what.best_ns)
        return replace(what, fix=fix, position=self._position(track, what.best_ns, fix, attitude))

    def _position(
        self, track: Track, stamp_ns: int, fix: Fix | None, attitude: BaseAttitude | None
    ) -> Position | None:
        if fix is None:
            return None
        is_flat = track.class_name in self._settings.tiers.path_classes
        if attitude is not None and self._around.has_bearings:
            ground_m = self._around.grounds.at(stamp_ns)
            if ground_m is None:
                self._ground.terrain = self._around.terrains.at(stamp_ns)
                foot = track.yaw_rad, foot_pitch_rad(track, is_flat)
                ground_m = self._ground.height_at_m(foot, fix, attitude)
            found = position_of(track, fix, attitude, ground_m, is_flat)
            if found is not None:
                return found
        reach_m = self._around.reach_m
        if math.isnan(reach_m):
            return None
        sigma_m = math.hypot(reach_m, fix.sigma_horizontal_m)
        place = fix.latitude_deg, fix.longitude_deg, fix.altitude_m
        return Position(*place, math.nan, sigma_m, sigma_m, 0.0)


def _sight_of(track: Track, is_sharp: bool) -> _Sight:
    """Return the sight of a track in the newest frame that shows it."""
    return _Sight(Sighting(track.last_seen_ns, track.box_xyxy, track.is_whole), track, is_sharp)
