"""The tiers as the baselines run them: tracks, a classifier on each close crop, questions last."""

from __future__ import annotations

from dataclasses import dataclass, field

from semantic_detection_pkg.scan.core.association import is_same_object
from semantic_detection_pkg.scan.core.settings import CandidateSettings
from semantic_detection_pkg.scan.core.tracking.track import Track
from semantic_detection_pkg.scan.core.tracking.tracker import Tracker
from simulation_pkg.harness.robot import (
    ASK_S,
    INSPECT_S,
    PICTURE_DELAY_S,
    RenderedFrame,
    ask,
    classify,
    detect,
    share_true,
)
from simulation_pkg.harness.scores import Claim

_SAME = CandidateSettings()
_WIDE_SHARE = 0.5  # of the picture: a box as large as that cannot be had whole, its part has to do


@dataclass(frozen=True)
class DecisionRules:
    """When the classifier is asked and believed; the same for everybody in the benchmark.

    Attributes:
        needs_px: longer side of a box from which its crop is judged.
        min_views: crops of different frames that a verdict rests on.
        sure_yes, sure_no: mean share of the thing, 0..1, above or below which it is decided.
    """

    needs_px: float = 110.0
    min_views: int = 2
    sure_yes: float = 0.75
    sure_no: float = 0.25


@dataclass
class _Evidence:
    track: Track
    shares: list[float] = field(default_factory=list)
    best: RenderedFrame | None = None
    best_px: float = 0.0
    decided: bool = False


class BaselineAgent:
    """Tracks, classifies and decides for whoever moves the gimbal by a simple scheme."""

    def __init__(self, rules: DecisionRules | None = None) -> None:
        self.rules = rules or DecisionRules()
        self.claims: list[Claim] = []
        self.questions = 0
        self._tracker = Tracker()
        self._evidence: dict[int, _Evidence] = {}

    def process_frame(self, picture: RenderedFrame) -> tuple[Track, ...]:
        """Detect, track and classify in one frame; return the tracks seen in it."""
        found, words = detect(picture)
        tracks = self._tracker.update(picture.stamp_ns, picture.view, found, words)
        seen = tuple(track for track in tracks if track.is_seen)
        for track in seen:
            self._inspect(track, picture)
        return seen

    def is_decided(self, track_id: int) -> bool:
        """Return whether there is a verdict on a track."""
        return track_id in self._evidence and self._evidence[track_id].decided

    def is_judged(self, track_id: int) -> bool:
        """Return whether a track has been classified in enough views, whatever came of it."""
        evidence = self._evidence.get(track_id)
        return evidence is not None and len(evidence.shares) >= self.rules.min_views

    def ask_about_the_rest(self, now_s: float) -> float:
        """Put a question about each that stayed unsure; return the time when all are answered."""
        now_s += PICTURE_DELAY_S + INSPECT_S
        known = [evidence.track for evidence in self._evidence.values() if evidence.decided]
        for evidence in self._evidence.values():
            if evidence.decided or not self.is_judged(evidence.track.id):
                continue
            # Parts of what was decided, or asked about, are not asked about again.
            if any(is_same_object(_SAME, evidence.track, other) for other in known):
                continue
            known.append(evidence.track)
            assert evidence.best is not None
            now_s += ASK_S
            self.questions += 1
            track = evidence.track
            if ask(evidence.best, track.box_xyxy, track.class_name) == "yes":
                self._claim(track, evidence.best.stamp_s, now_s)
        return now_s

    def _inspect(self, track: Track, picture: RenderedFrame) -> None:
        evidence = self._evidence.setdefault(track.id, _Evidence(track))
        left, top, right, bottom = track.box_xyxy
        side = max(right - left, bottom - top)
        if evidence.decided or side < self.rules.needs_px:
            return
        if not (track.is_whole or _is_large(track, picture)):
            return
        labels = classify(picture, track.box_xyxy)
        evidence.shares.append(share_true(labels, track.class_name))
        if side > evidence.best_px:
            evidence.track, evidence.best, evidence.best_px = track, picture, side
        mean = sum(evidence.shares) / len(evidence.shares)
        if len(evidence.shares) < self.rules.min_views:
            return
        if mean >= self.rules.sure_yes:
            self._claim(track, picture.stamp_s, picture.stamp_s + PICTURE_DELAY_S + INSPECT_S)
        evidence.decided = mean >= self.rules.sure_yes or mean <= self.rules.sure_no

    def _claim(self, track: Track, seen_s: float, told_s: float) -> None:
        self.claims.append(Claim(track.class_name, track.yaw_rad, track.pitch_rad, seen_s, told_s))


def _is_large(track: Track, picture: RenderedFrame) -> bool:
    left, top, right, bottom = track.box_xyxy
    width, height = picture.view.width, picture.view.height
    return max((right - left) / width, (bottom - top) / height) >= _WIDE_SHARE
