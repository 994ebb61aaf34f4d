"""The evidence about one candidate, gathered frame by frame, in the sweep as well as close up."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan.core.association import distance_rad, may_be_it
from semantic_detection_pkg.scan.core.evidence import Box, TierResult, Verdict, VlmReply
from semantic_detection_pkg.scan.core.inputs_and_decisions import InspectionResult
from semantic_detection_pkg.scan.core.mask_descriptors import Shape, shape_of
from semantic_detection_pkg.scan.core.planning.view_planning import Sought
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.sprt import Consensus
from semantic_detection_pkg.scan.core.tiers import (
    judge_answer,
    judge_classifier,
    judge_detector,
    needs_vlm,
)
from semantic_detection_pkg.scan.core.tracking.track import Track

_NS_PER_S = 1_000_000_000
_FRAMES_MAX = 20  # that a tier names as its evidence
_EDGE = 0.06  # of the picture: what ought to be nearer to its edge may be cut off
_GROWTH = 1.3  # a box that is cut off is larger by nobody knows how much
_WIDE_SHARE = 0.5  # of the picture: a box as wide as that cannot be had whole
_SIZE_SLACK = 0.85  # of the pixels that are needed, for what is predicted


@dataclass(frozen=True)
class Shown:
    """A frame that shows the candidate large enough to be judged."""

    frame_ns: int
    box_xyxy: Box
    is_whole: bool

    @property
    def rank(self) -> tuple[bool, float]:
        """The greater, the better it shows."""
        x0, y0, x1, y1 = self.box_xyxy
        return self.is_whole, (x1 - x0) * (y1 - y0)


@dataclass(frozen=True)
class Frame:
    """One frame as a dossier sees it.

    Attributes:
        view: where it looked.
        smear_px: [px] by which it is smeared.
        tracks: after it, by id.
        is_nearest: the zoom is at its greatest: nothing can be shown larger.
        picture: its detections, which the tracks name by their index.
    """

    stamp_ns: int
    view: CameraView
    smear_px: float
    tracks: Mapping[int, Track]
    is_nearest: bool
    picture: Detections


class Dossier:
    """One candidate with its evidence.

    Attributes:
        first_id: track id under which it became a candidate.
        track: as it was when it was last there; a new id where the old one was lost.
        label: what models call its class.
        since_ns: when it became one.
        shown: newest frame that shows it large enough; None before the first.
        best: the one that shows it largest and whole.
        shape: of its mask there.
        inspections: the classifier's answers at the present size, in order.
        tiers: results by tier.
        answers: of the vision-language model.
        views: close views that were for it.
        waits_until_ns: until then what its last view shows may still be told.
        picture: request id of the newest inspection that gave a picture; 0: none did.
    """

    def __init__(self, now_ns: int, track: Track, label: str, settings: ScanSettings) -> None:
        self._settings = settings
        self.first_id = track.id
        self.track = track
        self.label = label
        self.since_ns = now_ns
        self.size_rad = (track.width_rad, track.height_rad)
        self.consensus = Consensus()
        self.frames_ns: tuple[int, ...] = ()
        self.detector = ""
        self.shown: Shown | None = None
        self.best: Shown | None = None
        self.shape: Shape | None = None
        self.inspections: list[InspectionResult] = []
        self.inspect_id = 0
        self.tiers: dict[int, TierResult] = {}
        self.answers: tuple[VlmReply, ...] = ()
        self.views = 0
        self.waits_until_ns = 0
        self.picture = 0
        self._inspect_sent_ns = 0
        self._inspected_frame_ns = 0
        self._was_whole = track.is_whole
        self._is_closer = False
        self._has_looked_around = False
        self._is_looking_around = False
        self._needs_px = dict(settings.close.needs_px_of).get(label, settings.close.needs_px)

    @property
    def needs_px(self) -> float:
        """[px] longer side of the box from which it is judged now."""
        wider = self._settings.close.refind_zoom if self._is_looking_around else 1.0
        return self._needs_px * wider

    @property
    def sought(self) -> Sought:
        """What a close view of it needs."""
        track = self.track
        return Sought(self.first_id, track.yaw_rad, track.pitch_rad, *self.size_rad, self.needs_px)

    @property
    def wants_view(self) -> bool:
        """Whether Tiers 1 and 2 are still open."""
        return 2 not in self.tiers

    def observe(self, frame: Frame, detector: str) -> None:
        """Take one frame: does it show the candidate, and does that count?"""
        if not self.wants_view:
            return
        self.detector = detector
        hit = self._hit(frame.tracks)
        if hit is not None:
            self._follow(hit)
        else:
            # Unseen it still moves as predicted.
            self.track = frame.tracks.get(self.track.id, self.track)
        if not self._is_judgeable(frame, hit):
            return
        tiers = self._settings.tiers
        self.consensus = self.consensus.add(hit is not None, tiers.hit_if_there, tiers.hit_if_not)
        self.frames_ns = (*self.frames_ns, frame.stamp_ns)[-_FRAMES_MAX:]
        if hit is not None:
            self._is_looking_around = False
            self.shown = Shown(frame.stamp_ns, hit.box_xyxy, hit.is_whole)
            if self.best is None or self.shown.rank > self.best.rank:
                self.best = self.shown
                is_path = self.label in tiers.path_words
                self.shape = shape_of(frame.picture, hit.detection, frame.view, is_path)

    def judge(self, now_ns: int) -> None:
        """Note the results that the evidence allows."""
        if not self.wants_view:
            return
        settings = self._settings.tiers
        first = judge_detector(self.consensus, settings, self.detector, self.frames_ns)
        if first.verdict is Verdict.NO and self._look_around():
            return
        if first.verdict is not Verdict.UNSURE:
            self._note(first, now_ns)
        if first.verdict is Verdict.NO:
            self._note(TierResult(2, Verdict.NOT_RUN, 0.0, "it was not there close up"), now_ns)
            return
        if first.verdict is Verdict.YES:
            self._judge_crops(now_ns)

    def give_up(self, now_ns: int, why: str) -> None:
        """No more views: what is not known now stays open."""
        settings = self._settings.tiers
        if 1 not in self.tiers:
            first = judge_detector(self.consensus, settings, self.detector, self.frames_ns)
            self._note(first, now_ns)
        if self.wants_view:
            self._note(judge_classifier(self.label, self.inspections, settings, why), now_ns)

    def order(self, now_ns: int, number: Callable[[], int]) -> Shown | None:
        """The frame to be inspected now, as request `inspect_id`, if there is a new one.

        Args:
            number: gives a number for the request.
        """
        shown, settings = self.shown, self._settings.tiers
        waited_s = (now_ns - self._inspect_sent_ns) / _NS_PER_S
        if self.inspect_id and waited_s >= settings.inspection_timeout_s:
            self.take(
                InspectionResult(
                    self.inspect_id,
                    self._inspected_frame_ns,
                    error="the classifier did not answer",
                    has_crop=False,
                )
            )
        if self.inspect_id or not self.wants_view or shown is None:
            return None
        if shown.frame_ns <= self._inspected_frame_ns:
            return None
        if len(self.inspections) >= settings.inspections_max:
            return None
        self.inspect_id, self._inspect_sent_ns = number(), now_ns
        self._inspected_frame_ns = shown.frame_ns
        return shown

    def take(self, result: InspectionResult) -> None:
        """The classifier's answer to the request under way."""
        self.inspect_id = 0
        self.inspections.append(result)
        if result.has_crop and not result.error:
            self.picture = result.request_id

    def take_answer(self, reply: VlmReply) -> None:
        """The vision-language model's answer: Tier 3's result."""
        self.answers = (*self.answers, reply)
        self.tiers[3] = judge_answer(reply)

    def skip_model(self, why: str) -> None:
        """Tier 3 cannot be asked, or does not answer."""
        self.tiers[3] = TierResult(3, Verdict.NOT_RUN, 0.0, why)

    @property
    def wants_model(self) -> bool:
        """Whether Tier 3 is wanted and open."""
        has_both = not self.wants_view and 3 not in self.tiers
        return has_both and needs_vlm(self.tiers, self._settings.tiers)

    @property
    def is_ripe(self) -> bool:
        """Whether nothing is open any more."""
        return not self.wants_view and not self.wants_model

    def _judge_crops(self, now_ns: int) -> None:
        settings = self._settings.tiers
        shape = self.shape.words if self.shape is not None else ""
        result = judge_classifier(self.label, self.inspections, settings, shape)
        answers = sum(not one.error for one in self.inspections)
        has_none = answers > 0 and not any(one.labels for one in self.inspections)
        is_sure = result.verdict in (Verdict.YES, Verdict.NO)
        is_out = len(self.inspections) >= settings.inspections_max
        is_settled = is_sure and (is_out or answers >= settings.inspections_min)
        if has_none or is_settled or (is_out and self._is_closer):
            self._note(result, now_ns)
        elif is_out:
            # Unsure at this size: once more, closer, by new crops only.
            self._is_closer = True
            self._needs_px *= self._settings.close.closer
            self.inspections = []
            self.shown = None

    def _look_around(self) -> bool:
        """It is not where it was: once, judge anew in a wider view."""
        if self._has_looked_around or self._settings.close.refind_zoom <= 0.0:
            return False
        self._has_looked_around = self._is_looking_around = True
        self.consensus = Consensus()
        return True

    def _note(self, result: TierResult, now_ns: int) -> None:
        if result.tier not in self.tiers:
            before_s = sum(one.elapsed_s for one in self.tiers.values())
            elapsed_s = (now_ns - self.since_ns) / _NS_PER_S - before_s
            self.tiers[result.tier] = result.taking(elapsed_s)

    def _hit(self, tracks: Mapping[int, Track]) -> Track | None:
        """The candidate's track if this frame shows it, else one that is in its place."""
        mine = self.track
        own = tracks.get(mine.id)
        if own is not None and own.is_seen:
            return own
        settings = self._settings
        near = [
            (distance_rad(mine, one), one.id)
            for one in tracks.values()
            if one.is_seen
            and one.class_name == mine.class_name
            and (
                may_be_it(settings.candidates, mine, one)
                or (
                    self._is_looking_around and distance_rad(mine, one) <= settings.close.refind_rad
                )
            )
        ]
        return tracks[min(near)[1]] if near else None

    def _follow(self, hit: Track) -> None:
        self.track = hit
        width, height = hit.width_rad, hit.height_rad
        if hit.is_whole:
            self._was_whole = True
        elif self._was_whole:
            width, height = max(width, self.size_rad[0]), max(height, self.size_rad[1])
        else:
            width = max(min(width * _GROWTH, math.pi), self.size_rad[0])
            height = max(min(height * _GROWTH, math.pi), self.size_rad[1])
        self.size_rad = (width, height)

    def _is_judgeable(self, frame: Frame, hit: Track | None) -> bool:
        """Sharp, and large enough that it would be seen if it were there."""
        view = frame.view
        if frame.smear_px > self._settings.close.sharp_px:
            return False
        is_nearest = frame.is_nearest
        if hit is not None:
            x0, y0, x1, y1 = hit.box_xyxy
            fills = max((x1 - x0) / view.width, (y1 - y0) / view.height) >= _WIDE_SHARE
            is_large = is_nearest or fills or max(x1 - x0, y1 - y0) >= self.needs_px
            return is_large and (hit.is_whole or x1 - x0 >= _WIDE_SHARE * view.width)
        expected_px = max(self.size_rad) * view.pixels_per_rad
        is_large = is_nearest or expected_px >= _SIZE_SLACK * self.needs_px
        bearing = [(self.track.yaw_rad, self.track.pitch_rad)]
        return is_large and bool(view.contains(bearing, _EDGE)[0])
