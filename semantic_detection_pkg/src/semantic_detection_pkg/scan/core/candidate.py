"""One candidate: a track that may be what is looked for, until the tiers have decided.

`candidate_states` has the table of its states, `candidate_evidence` the numbers. Three rules decide
when a frame counts and when the search for evidence ends:

- A frame counts only if the candidate would be seen in it were it there: sharp, large enough, away
  from the edge and, of tiles that the detector looked at, in one. Without that rule each blurred or
  distant frame would speak against it, and Tier 1's test (`sprt`) takes every frame as one fair
  trial.
- Where Tier 1 says no, the candidate may have moved: once, it is looked for in a wider view and up
  to `refind_rad` from where it was, with a new test.
- Where Tier 2 is unsure after all crops of one size, it gets larger crops once. Those of the first
  size do not count any more: pooled with them, a clear answer would come out as unsure again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ros_support_pkg.core.words import FindingState, Verdict
from semantic_detection_pkg.scan.core.association import angular_distance_rad, is_within_gate
from semantic_detection_pkg.scan.core.candidate_evidence import (
    CropRequest,
    Evidence,
    Extent,
    Sighting,
    TrackedFrame,
    ViewFrames,
)
from semantic_detection_pkg.scan.core.candidate_states import (
    ALLOWED,
    TRANSITIONS,
    CandidateAction,
    CandidateCause,
    CandidateState,
)
from semantic_detection_pkg.scan.core.decisions import InspectRequest
from semantic_detection_pkg.scan.core.evidence import TierResult, VlmReply
from semantic_detection_pkg.scan.core.inputs import InspectionResult
from semantic_detection_pkg.scan.core.mask_descriptors import describe_mask
from semantic_detection_pkg.scan.core.planning.view_planning import ViewTarget
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.tiers import (
    classifier_result,
    combine_tiers,
    detector_result,
    has_no_opinion,
    needs_vlm,
    vlm_result,
)
from semantic_detection_pkg.scan.core.tracking.track import Track

_NS_PER_S = 1_000_000_000
_EDGE = 0.06  # of the picture: what is expected nearer to its edge may be cut off
_WIDE_SHARE = 0.5  # of the picture: a box as wide as that cannot be had whole
_SIZE_SLACK = 0.85  # of the pixels that are needed: a predicted size is not exact
_SEARCHES_MAX = 1
_REFINEMENTS_MAX = 1

_VERDICTS = {
    FindingState.CONFIRMED: CandidateCause.CONFIRMED,
    FindingState.REJECTED: CandidateCause.REJECTED,
    FindingState.UNCERTAIN: CandidateCause.LEFT_OPEN,
}


class Candidate:
    """A candidate's state and evidence; everything else about it never changes.

    Attributes:
        first_id: id of the track under which it became a candidate.
        label: what models call its class.
        since_ns: when it became a candidate.
        state: see `candidate_states`; only `_advance` changes it.
        evidence: frozen, replaced as a whole.
    """

    def __init__(self, now_ns: int, track: Track, label: str, settings: ScanSettings) -> None:
        self.first_id = track.id
        self.label = label
        self.since_ns = now_ns
        self.state = CandidateState.DETECTING
        self.evidence = Evidence(Extent.of(track))
        self._idle_basis: tuple[object, ...] = ()  # of an evaluation that changed nothing
        self._settings = settings
        close = settings.close
        self._needs_px = dict(close.min_target_px_by_class).get(label, close.min_target_px)

    @property
    def track(self) -> Track:
        """Return its track, as it was when it was last seen or predicted."""
        return self.evidence.extent.track

    @property
    def track_as_seen(self) -> Track:
        """Return its track where it was seen last: unseen it goes on as predicted, maybe far."""
        track = self.track
        is_told = self._settings.candidates.findings_as_seen
        if track.is_seen or not track.history or not is_told:
            return track
        last = track.history[-1]
        return replace(track, yaw_rad=last.yaw_rad, pitch_rad=last.pitch_rad)

    @property
    def needs_px(self) -> float:
        """Return the longer side of its box from which it can be judged now. [px]"""
        close = self._settings.close
        refined_px = self._needs_px * close.refine_factor**self.evidence.refinements
        return refined_px * (close.refind_zoom if self.may(CandidateAction.LOOK_AROUND) else 1.0)

    @property
    def view_target(self) -> ViewTarget:
        """Return what a close view of it has to show."""
        extent = self.evidence.extent
        bearing = (extent.track.yaw_rad, extent.track.pitch_rad)
        return ViewTarget(self.first_id, *bearing, *extent.size_rad, self.needs_px)

    def may(self, action: CandidateAction) -> bool:
        """Return whether its state allows an action."""
        return action in ALLOWED[self.state]

    @property
    def is_view_complete(self) -> bool:
        """Return whether all frames that the present view needs to count are examined."""
        needed, view = self._settings.close.min_view_frames, self.evidence.view
        return not needed or (view is not None and view.count >= needed)

    # --------------------------------------------------------------------------------- evidence

    def add_frame(self, frame: TrackedFrame, detector: str) -> None:
        """Follow the candidate in one frame, and count the frame if it can be judged."""
        if not self.may(CandidateAction.OBSERVE):
            return
        hit = self._matching_track(frame)
        extent = self.evidence.extent
        if hit is not None:
            extent = extent.follow(hit)
        else:
            # Unseen it still moves as predicted.
            predicted = frame.tracks.get(extent.track.id)
            if predicted is not None:
                extent = Extent(predicted, extent.size_rad, extent.was_whole)
        evidence = self.evidence.with_view_frame(
            frame.stamp_ns, self._settings.close.min_view_frames
        )
        self.evidence = evidence.shown(extent, detector)
        if not self._can_be_judged(frame, hit):
            return
        tiers = self._settings.tiers
        rates = (tiers.true_positive_rate, tiers.false_positive_rate)
        self.evidence = self.evidence.with_frame(frame.stamp_ns, hit is not None, *rates)
        if hit is not None:
            if self.state is CandidateState.SEARCHING:
                self._advance(CandidateCause.FOUND)
            self._add_sighting(frame, hit)

    def order_crop(self, now_ns: int, next_id: Callable[[], int]) -> InspectRequest | None:
        """Return a request for a crop of the newest sighting, if there is a new one to inspect.

        Args:
            next_id: gives the number of the request.
        """
        settings, request = self._settings.tiers, self.evidence.crop_request
        if request is not None:
            if (now_ns - request.sent_ns) / _NS_PER_S < settings.inspection_timeout_s:
                return None
            self.add_inspection(
                InspectionResult(
                    request.request_id,
                    request.frame_ns,
                    error="the classifier did not answer",
                    has_crop=False,
                )
            )
        evidence = self.evidence
        newest = evidence.newest
        is_new = newest is not None and newest.frame_ns > evidence.inspected_frame_ns
        if newest is None or not is_new or not self.may(CandidateAction.INSPECT):
            return None
        if len(evidence.inspections) >= settings.max_inspections:
            return None
        sent = CropRequest(next_id(), newest.frame_ns, now_ns)
        self.evidence = replace(evidence, crop_request=sent, inspected_frame_ns=newest.frame_ns)
        return InspectRequest(sent.request_id, newest.frame_ns, newest.box_xyxy)

    def add_inspection(self, result: InspectionResult) -> None:
        """Add the classifier's result for the request under way."""
        self.evidence = self.evidence.with_inspection(result)

    def begin_view(self, now_ns: int) -> None:
        """Count from now on the frames of a close view for it, which is reached."""
        if self._settings.close.min_view_frames:
            self.evidence = replace(self.evidence, view=ViewFrames(now_ns))

    def end_view(self, now_ns: int, results_due_ns: int, *, is_missed: bool) -> None:
        """Note that the camera leaves a close view for it; it counts by its frames.

        Args:
            results_due_ns: results of its frames may come until then.
            is_missed: the camera never got there though it gave frames: that counts as a view, too.
        """
        evidence, view = self.evidence, self.evidence.view
        if is_missed or not self._settings.close.min_view_frames:
            evidence = replace(evidence, views=evidence.views + 1)
        elif view is not None:
            evidence = replace(evidence, view=replace(view, until_ns=now_ns))
        self.evidence = replace(evidence, results_due_ns=results_due_ns)

    def drop_view(self) -> None:
        """Forget the frames of its last close view: it was interrupted, or another one begins."""
        self.evidence = replace(self.evidence, view=None)

    def awaits_frames(self, frame_ns: int) -> bool:
        """Return whether frames of its last view may still come, the newest being of then."""
        view = self.evidence.view
        return view is not None and bool(view.until_ns) and frame_ns < view.until_ns

    # -------------------------------------------------------------------------- Tiers 1, 2 and 3

    def evaluate(self, now_ns: int) -> None:
        """Draw from the evidence what it allows about Tiers 1 and 2.

        Every tick asks; what nothing came of before is not drawn again from the same.
        """
        state, known = self.state, self.evidence
        basis = (state, known.presence, known.inspections, known.tiers)
        if basis == self._idle_basis or not self.may(CandidateAction.OBSERVE):
            return
        self._evaluate(now_ns)
        if self.state is state and self.evidence is known:
            self._idle_basis = basis

    def give_up(self, now_ns: int, why: str) -> None:
        """Settle Tiers 1 and 2 by what is known now: there are no more views."""
        self._note(self._detector_result(), now_ns)
        tiers = self._settings.tiers
        second = classifier_result(self.label, self.evidence.inspections, tiers, why)
        self._settle(second, now_ns)

    def begin_question(self) -> None:
        """Note that the question about it was put to the VLM."""
        self._advance(CandidateCause.ASKED)

    def add_answer(self, reply: VlmReply) -> None:
        """Add the VLM's answer: Tier 3's result."""
        answers = (*self.evidence.answers, reply)
        self.evidence = replace(self.evidence, answers=answers).with_tier(vlm_result(reply))
        self._advance(CandidateCause.ANSWERED)

    def skip_vlm(self, why: str) -> None:
        """Decide without Tier 3: it cannot be asked, or does not answer."""
        is_asked = self.state is CandidateState.ASKING_VLM
        self.evidence = self.evidence.with_tier(TierResult(3, Verdict.NOT_RUN, 0.0, why))
        self._advance(CandidateCause.NOT_ANSWERED if is_asked else CandidateCause.NOT_ASKED)

    def conclude(self) -> tuple[FindingState, float]:
        """Return the verdict of all tiers and its score, 0..1."""
        evidence, tiers = self.evidence, self._settings.tiers
        verdict, score = combine_tiers(evidence.by_tier, tiers, evidence.close_score)
        self._advance(_VERDICTS[verdict])
        return verdict, score

    def resume(self, first_id: int, state: CandidateState, evidence: Evidence) -> None:
        """Go on with what another process knew of it.

        The pictures were in that process: where the VLM is to be asked, new ones are needed.
        """
        self.first_id, self.state = first_id, state
        self.evidence = evidence.for_resumption()
        if state in (CandidateState.AWAITING_VLM, CandidateState.ASKING_VLM):
            self.evidence = self.evidence.for_new_picture()
            self._advance(CandidateCause.PICTURE_LOST)

    # ------------------------------------------------------------------------------------- parts

    def _advance(self, cause: CandidateCause) -> None:
        self.state = TRANSITIONS[self.state, cause]

    def _evaluate(self, now_ns: int) -> None:
        if self.evidence.presence.verdict(self._settings.tiers.error_rate) is Verdict.UNSURE:
            return
        first = self._detector_result()
        if first.verdict is Verdict.NO:
            if self._can_search():
                self.evidence = self.evidence.for_search()
                self._advance(CandidateCause.NOT_DETECTED)
                return
            self._note(first, now_ns)
            second = TierResult(2, Verdict.NOT_RUN, 0.0, "it was not there close up")
            self._settle(second, now_ns)
            return
        self._note(first, now_ns)
        if not self.may(CandidateAction.CLASSIFY):
            self._advance(CandidateCause.DETECTED)
        self._evaluate_crops(now_ns)

    def _can_search(self) -> bool:
        is_wanted = self._settings.close.refind_zoom > 0.0
        return is_wanted and self.evidence.searches < _SEARCHES_MAX

    def _detector_result(self) -> TierResult:
        evidence, tiers = self.evidence, self._settings.tiers
        return detector_result(evidence.presence, tiers, evidence.detector, evidence.frames_ns)

    def _evaluate_crops(self, now_ns: int) -> None:
        """Settle Tier 2, order larger crops, or wait for more of this size."""
        settings, evidence = self._settings.tiers, self.evidence
        mask_summary = evidence.mask.summary if evidence.mask is not None else ""
        result = classifier_result(self.label, evidence.inspections, settings, mask_summary)
        answers = sum(not one.error for one in evidence.inspections)
        has_none = has_no_opinion(self.label, evidence.inspections)
        is_sure = result.verdict in (Verdict.YES, Verdict.NO)
        is_out = len(evidence.inspections) >= settings.max_inspections
        is_clear = is_sure and (is_out or answers >= settings.min_inspections)
        is_refined = evidence.refinements >= _REFINEMENTS_MAX
        if has_none or is_clear or (is_out and is_refined):
            self._settle(result, now_ns)
        elif is_out:
            self.evidence = evidence.for_refinement()
            self._advance(CandidateCause.UNSURE)

    def _settle(self, second: TierResult, now_ns: int) -> None:
        """Note Tier 2's result; what follows is the VLM's question or the verdict."""
        self._note(second, now_ns)
        is_open = needs_vlm(self.evidence.by_tier, self._settings.tiers)
        self._advance(CandidateCause.VLM_WANTED if is_open else CandidateCause.SETTLED)

    def _note(self, result: TierResult, now_ns: int) -> None:
        """Note a tier's result with the time since the tier before it; the first one stands."""
        before_s = sum(one.elapsed_s for one in self.evidence.tiers)
        elapsed_s = (now_ns - self.since_ns) / _NS_PER_S - before_s
        self.evidence = self.evidence.with_tier(result.with_elapsed(elapsed_s))

    def _add_sighting(self, frame: TrackedFrame, hit: Track) -> None:
        sighting = Sighting(frame.stamp_ns, hit.box_xyxy, hit.is_whole)
        score = max(self.evidence.close_score, hit.score)
        evidence = replace(self.evidence, newest=sighting, close_score=score)
        if evidence.is_better(sighting):
            is_path = self.label in self._settings.tiers.path_classes
            mask = describe_mask(frame.detections, hit.detection, frame.view, is_path)
            evidence = replace(evidence, best=sighting, mask=mask)
        self.evidence = evidence

    def _matching_track(self, frame: TrackedFrame) -> Track | None:
        """Return its own track if this frame shows it, else the nearest one that may be it."""
        mine = self.track
        own = frame.seen.get(mine.id)
        if own is not None:
            return own
        near = [
            (angular_distance_rad(mine, one), one.id)
            for one in frame.seen_by_class.get(mine.class_name, ())
            if self._may_be(one)
        ]
        return frame.seen[min(near)[1]] if near else None

    def _may_be(self, other: Track) -> bool:
        if is_within_gate(self._settings.candidates, self.track, other):
            return True
        reach_rad = self._settings.close.refind_rad
        return (
            self.may(CandidateAction.LOOK_AROUND)
            and angular_distance_rad(self.track, other) <= reach_rad
        )

    def _can_be_judged(self, frame: TrackedFrame, hit: Track | None) -> bool:
        """Return whether the frame is sharp, and shows it large enough or would if it were there.

        A box cut off by the edge counts only where it fills most of the picture's width: there is
        no view that shows more of it. At the greatest zoom every size counts.
        """
        view = frame.view
        if frame.motion_blur_px > self._settings.close.max_view_motion_blur_px:
            return False
        if hit is not None:
            x0, y0, x1, y1 = hit.box_xyxy
            fills = max((x1 - x0) / view.width, (y1 - y0) / view.height) >= _WIDE_SHARE
            is_large = fills or max(x1 - x0, y1 - y0) >= self.needs_px
            is_complete = hit.is_whole or x1 - x0 >= _WIDE_SHARE * view.width
            return (frame.is_at_max_zoom or is_large) and is_complete
        size_rad = self.evidence.extent.size_rad
        is_large = max(size_rad) * view.pixels_per_rad >= _SIZE_SLACK * self.needs_px
        bearing = (self.track.yaw_rad, self.track.pitch_rad)
        if not (frame.is_at_max_zoom or is_large) or not view.shows(bearing, _EDGE):
            return False
        needs_tile = self._settings.close.misses_need_tiles
        return not (needs_tile and frame.is_passed_over(bearing, size_rad))
