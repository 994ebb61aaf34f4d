"""What wants a closer look: dossiers of tracks that were not decided yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from semantic_detection_pkg.scan.core.area import Area, is_within
from semantic_detection_pkg.scan.core.association import is_same_thing, may_be_it
from semantic_detection_pkg.scan.core.candidate import Dossier, Frame
from semantic_detection_pkg.scan.core.settings import ScanSettings
from semantic_detection_pkg.scan.core.tracking.track import Track, TrackState

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class _Decided:
    track: Track
    stamp_ns: int


class CandidateList:
    """The candidates of one mission, in the order in which they came."""

    def __init__(self, settings: ScanSettings, labels: Mapping[str, str]) -> None:
        """`labels`: what models call each class that is looked for; others are nothing."""
        self._settings = settings
        self._labels = labels
        self._dossiers: list[Dossier] = []
        self._decided: list[_Decided] = []
        self.area: Area | None = None
        """What is searched; what stands beside it is no candidate. None: everything is."""

    def __len__(self) -> int:
        return len(self._dossiers)

    @property
    def all(self) -> tuple[Dossier, ...]:
        """Oldest first."""
        return tuple(self._dossiers)

    def get(self, first_id: int) -> Dossier | None:
        """None where it is no candidate any more."""
        return next((one for one in self._dossiers if one.first_id == first_id), None)

    def waits_longest_s(self, now_ns: int) -> float:
        """[s] since the oldest that wants a view became a candidate; 0 without any."""
        since = [one.since_ns for one in self._dossiers if one.wants_view]
        return (now_ns - min(since)) / _NS_PER_S if since else 0.0

    def update(self, now_ns: int, frame: Frame, detector: str) -> tuple[Track, ...]:
        """Take a frame; returns the tracks that are new candidates."""
        self._forget(now_ns)
        for one in self._dossiers:
            one.observe(frame, detector)
        self._merge()
        self._decided = [
            replace(one, track=frame.tracks[one.track.id]) if one.track.id in frame.tracks else one
            for one in self._decided
        ]
        known = {one.track.id for one in self._dossiers} | {d.first_id for d in self._dossiers}
        fresh = [
            track
            for track in frame.tracks.values()
            if track.id not in known and self._is_worth_a_look(track)
        ]
        for track in fresh:
            dossier = Dossier(now_ns, track, self._labels[track.class_name], self._settings)
            dossier.observe(frame, detector)
            self._dossiers.append(dossier)
        return tuple(fresh)

    def decide(self, now_ns: int, dossier: Dossier) -> None:
        """It has its verdict: it and what is the same are none for the cooldown."""
        self._decided.append(_Decided(dossier.track, now_ns))
        self._dossiers = [
            one
            for one in self._dossiers
            if one is not dossier
            and not is_same_thing(self._settings.candidates, dossier.track, one.track)
        ]

    def _merge(self) -> None:
        """Two that came to follow one track are one thing: the older stays."""
        oldest: dict[int, Dossier] = {}
        for one in self._dossiers:
            oldest.setdefault(one.track.id, one)
        self._dossiers = list(oldest.values())

    def _is_worth_a_look(self, track: Track) -> bool:
        settings = self._settings.candidates
        return (
            track.state is TrackState.CONFIRMED
            and track.class_name in self._labels
            and track.score_mean >= settings.score_min
            and self._is_in_area(track)
            and not self._is_known(track)
        )

    def _is_in_area(self, track: Track) -> bool:
        where = (track.yaw_rad, track.pitch_rad)
        return self.area is None or is_within(
            self.area, where, self._settings.candidates.beside_rad
        )

    def _is_known(self, track: Track) -> bool:
        """Whether it was decided, or is a candidate under another id."""
        others = [*(one.track for one in self._decided), *(one.track for one in self._dossiers)]
        return any(
            one.id == track.id or may_be_it(self._settings.candidates, one, track) for one in others
        )

    def _forget(self, now_ns: int) -> None:
        settings = self._settings.candidates
        oldest_ns = now_ns - round(settings.cooldown_s * _NS_PER_S)
        self._decided = [one for one in self._decided if one.stamp_ns >= oldest_ns]
        self._decided = self._decided[-settings.kept_max :]
        self._dossiers = self._dossiers[-settings.kept_max :]
