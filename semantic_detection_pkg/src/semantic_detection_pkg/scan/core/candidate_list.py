"""The candidates of one mission: which tracks become one, and when two of them are one thing.

A track becomes a candidate where it is confirmed, likely enough, within the area, and neither known
nor decided. What was decided rests for a cooldown: without it the search would look at the same
thing again as soon as its verdict is drawn up.

What is proposed for its colour or as an anomaly is a candidate, too, but no second one of a thing
that has a word: of a person in red it is asked whether it is a person. Where that was rejected, it
may still be something.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from ros_support_pkg.core.settings import constant
from semantic_detection_pkg.scan.core.area import Area, is_within
from semantic_detection_pkg.scan.core.association import (
    is_same_object,
    is_same_place,
    is_within_gate,
)
from semantic_detection_pkg.scan.core.candidate import Candidate
from semantic_detection_pkg.scan.core.candidate_evidence import TrackedFrame
from semantic_detection_pkg.scan.core.candidate_states import CandidateAction, CandidateState
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.tracking.track import Track

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class Cooling:
    """What was decided, with its track as it goes on.

    Attributes:
        is_rejected: it is not what it was taken for; False in checkpoints from before it was kept.
    """

    track: Track
    since_ns: int
    is_rejected: bool = constant(False, before=False)


class CandidateList:
    """The candidates of one mission, in the order in which they came."""

    def __init__(
        self, settings: ScanSettings, labels: Mapping[str, str], area: Area | None = None
    ) -> None:
        """Begin without candidates.

        Args:
            labels: what models call each class that is searched for; other classes are ignored.
            area: what is searched: what stands beside it is no candidate. None: everything is.
        """
        self._settings = settings
        self._labels = labels
        self._candidates: list[Candidate] = []
        self._cooling: list[Cooling] = []
        self._area = area

    def __len__(self) -> int:
        return len(self._candidates)

    @property
    def all(self) -> tuple[Candidate, ...]:
        """Return the candidates, oldest first."""
        return tuple(self._candidates)

    @property
    def labels(self) -> Mapping[str, str]:
        """Return what models call each class that is searched for."""
        return self._labels

    @property
    def cooling(self) -> tuple[Cooling, ...]:
        """Return what was decided and rests, oldest first."""
        return tuple(self._cooling)

    def restore(self, candidates: Sequence[Candidate], cooling: Sequence[Cooling]) -> None:
        """Go on with the candidates and decided things of before."""
        self._candidates, self._cooling = list(candidates), list(cooling)

    def drop_classes(self, names: Set[str]) -> None:
        """Drop the candidates of classes that are searched for no more."""
        kept = [one for one in self._candidates if one.track.class_name not in names]
        self._candidates = kept

    def get(self, first_id: int) -> Candidate | None:
        """Return a candidate; None where it is none any more."""
        return next((one for one in self._candidates if one.first_id == first_id), None)

    def longest_wait_s(self, now_ns: int) -> float:
        """Return how long the oldest that wants a view has been a candidate, 0 without any. [s]"""
        since = [one.since_ns for one in self._candidates if one.may(CandidateAction.VIEW)]
        return (now_ns - min(since)) / _NS_PER_S if since else 0.0

    def add_frame(self, now_ns: int, frame: TrackedFrame, detector: str) -> tuple[Track, ...]:
        """Show a frame to all candidates, and return the tracks that are new ones."""
        self._forget(now_ns)
        for one in self._candidates:
            one.add_frame(frame, detector)
        self._merge()
        self._cooling = [self._followed(one, frame) for one in self._cooling]
        known = {one.track.id for one in self._candidates}
        known |= {one.first_id for one in self._candidates}
        others = (frame.tracks[one] for one in frame.confirmed_ids if one not in known)
        fresh = [one for one in others if self._is_worth_a_look(one, frame.proposed)]
        fresh = self._without_surplus(fresh)
        for track in fresh:
            label = self._labels.get(track.class_name, track.class_name)
            candidate = Candidate(now_ns, track, label, self._settings)
            candidate.add_frame(frame, detector)
            self._candidates.append(candidate)
        return tuple(fresh)

    def retire(self, now_ns: int, candidate: Candidate) -> None:
        """Let a candidate that has its verdict rest, with all that are the same thing."""
        by_sight = self._settings.candidates.known_by_sight
        track = candidate.track_as_seen if by_sight else candidate.track
        is_rejected = candidate.state is CandidateState.REJECTED
        self._cooling.append(Cooling(track, now_ns, is_rejected))
        self._candidates = [
            one
            for one in self._candidates
            if one is not candidate
            and not is_same_object(self._settings.candidates, track, one.track)
            and not (not is_rejected and self._is_proposal_of(track, one.track))
        ]

    def _followed(self, one: Cooling, frame: TrackedFrame) -> Cooling:
        """Return what was decided where the frame shows it; unseen it stays where it was seen."""
        by_sight = self._settings.candidates.known_by_sight
        now = (frame.seen if by_sight else frame.tracks).get(one.track.id)
        if now is None:
            return one
        return Cooling(now, one.since_ns, one.is_rejected)

    def _merge(self) -> None:
        """Keep the older of two candidates that came to follow one track."""
        oldest: dict[int, Candidate] = {}
        for one in self._candidates:
            oldest.setdefault(one.track.id, one)
        self._candidates = list(oldest.values())

    def _is_proposal(self, track: Track) -> bool:
        """Return whether no word of the goal names it: it was proposed."""
        return track.class_name not in self._labels

    def _is_proposal_of(self, known: Track, track: Track) -> bool:
        """Return whether a track was proposed where a known thing stands."""
        settings = self._settings.candidates
        return self._is_proposal(track) and is_same_place(settings, known, track)

    def _without_surplus(self, fresh: list[Track]) -> list[Track]:
        """Return the new ones, of proposals no more than may be open at once."""
        proposals = [one for one in self._candidates if self._is_proposal(one.track)]
        left = self._settings.candidates.max_open_proposals - len(proposals)
        kept = []
        for track in fresh:
            if self._is_proposal(track):
                left -= 1
                if left < 0:
                    continue
            kept.append(track)
        return kept

    def _is_worth_a_look(self, track: Track, proposed: frozenset[str]) -> bool:
        """Return whether a confirmed track, of no candidate, is to become one."""
        settings = self._settings.candidates
        return (
            (track.class_name in self._labels or track.class_name in proposed)
            and track.score_mean >= settings.min_score
            and self._is_in_area(track)
            and not self._is_known(track)
        )

    def _is_in_area(self, track: Track) -> bool:
        where = (track.yaw_rad, track.pitch_rad)
        return self._area is None or is_within(
            self._area, where, self._settings.candidates.area_margin_rad
        )

    def _is_known(self, track: Track) -> bool:
        """Return whether it was decided, or is a candidate under another id."""
        if self._is_proposal(track) and self._has_word(track):
            return True
        others = [*(one.track for one in self._cooling), *(one.track for one in self._candidates)]
        return any(
            one.id == track.id or is_within_gate(self._settings.candidates, one, track)
            for one in others
        )

    def _has_word(self, proposal: Track) -> bool:
        """Return whether what stands there has its candidate, or its verdict unless that is no."""
        others = [one.track for one in self._candidates]
        others += [one.track for one in self._cooling if not one.is_rejected]
        return any(self._is_proposal_of(one, proposal) for one in others)

    def _forget(self, now_ns: int) -> None:
        settings = self._settings.candidates
        oldest_ns = now_ns - round(settings.cooldown_s * _NS_PER_S)
        self._cooling = [one for one in self._cooling if one.since_ns >= oldest_ns]
        self._cooling = self._cooling[-settings.kept_max :]
        self._candidates = self._candidates[-settings.kept_max :]
