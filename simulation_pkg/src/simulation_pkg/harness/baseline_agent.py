"""The tiers as the baselines run them: tracks, a classifier on each close crop, questions last."""

from __future__ import annotations

from dataclasses import dataclass, field

from semantic_detection_pkg.scan.core.association import is_same_thing
from semantic_detection_pkg.scan.core.settings import CandidateSettings
from semantic_detection_pkg.scan.core.tracking.track import Track
from semantic_detection_pkg.scan.core.tracking.tracker import Tracker
from simulation_pkg.harness.robot import (
    ASK_S,
    INSPECT_S,
    PICTURE_DELAY_S,
    Picture,
    ask,
    classify,
    detect,
    share_true,
)
from simulation_pkg.harness.scores import Claim

_SAME = CandidateSettings()
_WIDE_SHARE = 0.5  # of the picture: a box as large as that cannot be had whole, its part has to do


@dataclass(frozen=True)
class Rules:
    """When the classifier is asked and believed; the same for everybody in the benchmark.

    Attributes:
        needs_px: longer side of a box from which its crop is judged.
        looks: crops of different frames that a verdict rests on.
        sure_yes, sure_no: mean share of the thing, 0..1, above or below which it is decided.
    """

    needs_px: float = 110.0
    looks: int = 2
    sure_yes: float = 0.75
    sure_no: float = 0.25


@dataclass
class _Dossier:
    track: Track
    shares: list[float] = field(default_factory=list)
    best: Picture | None = None
    best_px: float = 0.0
    decided: bool = False


class Judge:
    """Evidence by track, and what follows from it."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = rules or Rules()
        self.claims: list[Claim] = []
        self.questions = 0
        self._tracker = Tracker()
        self._dossiers: dict[int, _Dossier] = {}

    def look(self, picture: Picture) -> tuple[Track, ...]:
        """Take one frame; returns the tracks seen in it."""
        found, words = detect(picture)
        tracks = self._tracker.update(picture.stamp_ns, picture.view, found, words)
        seen = tuple(track for track in tracks if track.is_seen)
        for track in seen:
            self._inspect(track, picture)
        return seen

    def is_decided(self, track_id: int) -> bool:
        """Whether there is a verdict on a track."""
        return track_id in self._dossiers and self._dossiers[track_id].decided

    def is_judged(self, track_id: int) -> bool:
        """Whether a track has had its looks, whatever came of them."""
        dossier = self._dossiers.get(track_id)
        return dossier is not None and len(dossier.shares) >= self.rules.looks

    def ask_about_the_rest(self, now_s: float) -> float:
        """Put a question about each that stayed unsure; returns the time when all are answered."""
        now_s += PICTURE_DELAY_S + INSPECT_S
        known = [dossier.track for dossier in self._dossiers.values() if dossier.decided]
        for dossier in self._dossiers.values():
            if dossier.decided or not self.is_judged(dossier.track.id):
                continue
            # Parts of what was decided, or asked about, are not asked about again.
            if any(is_same_thing(_SAME, dossier.track, other) for other in known):
                continue
            known.append(dossier.track)
            assert dossier.best is not None
            now_s += ASK_S
            self.questions += 1
            track = dossier.track
            if ask(dossier.best, track.box_xyxy, track.class_name) == "yes":
                self._claim(track, dossier.best.stamp_s, now_s)
        return now_s

    def _inspect(self, track: Track, picture: Picture) -> None:
        dossier = self._dossiers.setdefault(track.id, _Dossier(track))
        left, top, right, bottom = track.box_xyxy
        side = max(right - left, bottom - top)
        if dossier.decided or side < self.rules.needs_px:
            return
        if not (track.is_whole or _is_large(track, picture)):
            return
        labels = classify(picture, track.box_xyxy)
        dossier.shares.append(share_true(labels, track.class_name))
        if side > dossier.best_px:
            dossier.track, dossier.best, dossier.best_px = track, picture, side
        mean = sum(dossier.shares) / len(dossier.shares)
        if len(dossier.shares) < self.rules.looks:
            return
        if mean >= self.rules.sure_yes:
            self._claim(track, picture.stamp_s, picture.stamp_s + PICTURE_DELAY_S + INSPECT_S)
        dossier.decided = mean >= self.rules.sure_yes or mean <= self.rules.sure_no

    def _claim(self, track: Track, seen_s: float, told_s: float) -> None:
        self.claims.append(Claim(track.class_name, track.yaw_rad, track.pitch_rad, seen_s, told_s))


def _is_large(track: Track, picture: Picture) -> bool:
    left, top, right, bottom = track.box_xyxy
    width, height = picture.view.width, picture.view.height
    return max((right - left) / width, (bottom - top) / height) >= _WIDE_SHARE
