"""The tracks after one frame: numbers of all of them, objects of those that somebody reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

from ros_support_pkg.core.words import TrackState
from semantic_detection_pkg.scan.core.tracking.track import Track


class FrameTracks(Sequence[Track]):
    """Tracks by rising id, made when they are read; what they were at that frame they stay.

    Equal to any sequence of equal tracks.
    """

    def __init__(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Take the fields of `Track` by name, each for all tracks."""
        self._names = tuple(columns)
        self._values = list(zip(*columns.values(), strict=True))
        self._ids: Sequence[int] = columns["id"]
        self._seen: Sequence[bool] = columns["is_seen"]
        self._states: Sequence[TrackState] = columns["state"]
        self._tracks: list[Track | None] = [None] * len(self._ids)
        self._rows: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, index: int) -> Track: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Track, ...]: ...
    def __getitem__(self, index: int | slice) -> Track | tuple[Track, ...]:
        if isinstance(index, slice):
            return tuple(self[row] for row in range(*index.indices(len(self))))
        return self._tracks[index] or self._make(index)

    def __iter__(self) -> Iterator[Track]:
        return (self[row] for row in range(len(self._ids)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    @property
    def seen(self) -> list[Track]:
        """Return those that were detected in this very frame."""
        return [self[row] for row, is_seen in enumerate(self._seen) if is_seen]

    @property
    def confirmed_ids(self) -> list[int]:
        """Return the ids of those that are confirmed and not lost."""
        pairs = zip(self._ids, self._states, strict=True)
        return [one for one, state in pairs if state is TrackState.CONFIRMED]

    @property
    def by_id(self) -> TracksById:
        """Return them by their ids."""
        return TracksById(self)

    @property
    def rows(self) -> dict[int, int]:
        """Return which one each id is."""
        if not self._rows:
            self._rows = {track_id: row for row, track_id in enumerate(self._ids)}
        return self._rows

    def _make(self, row: int) -> Track:
        # As the class's own constructor, which sets one field after the other, does in four times
        # the time.
        track = object.__new__(Track)
        vars(track).update(zip(self._names, self._values[row], strict=True))
        self._tracks[row] = track
        return track


class TracksById(Mapping[int, Track]):
    """The tracks after one frame by their ids."""

    def __init__(self, tracks: FrameTracks) -> None:
        self._tracks, self._rows = tracks, tracks.rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __getitem__(self, track_id: int) -> Track:
        return self._tracks[self._rows[track_id]]

    @overload
    def get(self, key: int, /) -> Track | None: ...
    @overload
    def get(self, key: int, default: Any, /) -> Any: ...
    def get(self, key: int, default: Any = None) -> Any:
        row = self._rows.get(key)
        return default if row is None else self._tracks[row]

    @property
    def all(self) -> FrameTracks:
        """Return them by rising id."""
        return self._tracks
