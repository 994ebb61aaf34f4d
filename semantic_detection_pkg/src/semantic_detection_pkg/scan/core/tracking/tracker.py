"""The tracker: detections become tracks whose ids survive slews, zoom changes and gaps.

Each frame: predict all tracks, associate detections, correct what matched, count time without a
detection where one was expected, start tracks for the detections left, delete what was missed for
too long. Tracks live in bearings, not pixels: only that way they outlast the camera's own motion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ros_support_pkg.core.ranges import check_range
from ros_support_pkg.core.settings import constant
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.looks import Look, tiles_of
from semantic_detection_pkg.common.core.optics import CameraView, Matrix
from semantic_detection_pkg.scan.core.tracking.association import (
    Assignment,
    MeasurementNoise,
    Observations,
    associate,
    to_observations,
)
from semantic_detection_pkg.scan.core.tracking.fast_starts import (
    FastStartSettings,
    Sightings,
    find_fast_starts,
)
from semantic_detection_pkg.scan.core.tracking.frame_tracks import FrameTracks
from semantic_detection_pkg.scan.core.tracking.motion import KalmanStates, MotionModel
from semantic_detection_pkg.scan.core.tracking.track_table import Flags, Rows, TrackTable, Values
from semantic_detection_pkg.scan.kernels import implementation

_GATE_MARGIN = 0.6  # of the picture: tracks farther outside than this are not compared
_CUT_OFF_SIGMA = 0.35  # of the known size: sigma of the centre of an object never seen whole
_DUPLICATE_IOU = 0.5  # two boxes of one frame with a larger IoU show one object
# Where tiles are looked at by turns, a sweep shows each place in no more than two of them: to wait
# for a third detection would be to wait for ever.
TILE_HITS = 2
_SAME_SCALE = 0.8  # of the coarsest view that showed a track: a coarser one may well not show it
_LONGEST_MISS_S = 0.25  # a frame counts for at most this, however long ago the last one was


@dataclass(frozen=True)
class TrackerSettings:
    """When a track is started, confirmed, lost and deleted.

    Attributes:
        birth_score: a detection below this continues a track but starts none.
        confirm_hits: detections after which a track is confirmed.
        lost_after_s: a confirmed track that was not seen for this long is lost.
        tentative_miss_s, confirmed_miss_s: a track that should be in view is deleted after this
            time without a detection.
        tentative_memory_s: a tentative track out of view is deleted after this.
        expected_px: below this longer side in the picture no detection is expected.
        tracks_max: beyond this those that were not seen for longest are deleted.
        new_share: share of the things in a crowd that have no track yet; 0: a track takes whatever
            lies in its gate.
        fast: when what was detected three times, far apart, is one thing.
    """

    birth_score: float = 0.25
    confirm_hits: int = 3
    lost_after_s: float = 0.5
    tentative_miss_s: float = 0.45
    confirmed_miss_s: float = 4.0
    tentative_memory_s: float = 8.0
    expected_px: float = 9.0
    tracks_max: int = 200
    new_share: float = constant(0.1, before=0.0)
    motion: MotionModel = field(default_factory=MotionModel)
    fast: FastStartSettings = field(default_factory=FastStartSettings)
    noise: MeasurementNoise = field(default_factory=MeasurementNoise)

    def __post_init__(self) -> None:
        check_range("birth_score", self.birth_score, 0.0, 1.0)
        check_range("new_share", self.new_share, 0.0, 1.0)
        for name in ("confirm_hits", "tracks_max"):
            check_range(name, getattr(self, name), 1)
        for name in ("lost_after_s", "tentative_miss_s", "confirmed_miss_s", "tentative_memory_s"):
            check_range(name, getattr(self, name), above=0.0)


class Tracker:
    """Tracks of one mission. Equal frames in equal order give equal tracks, bit for bit."""

    def __init__(self, settings: TrackerSettings | None = None, next_id: int = 1) -> None:
        """Start without tracks; the first one gets `next_id`."""
        self._settings = TrackerSettings() if settings is None else settings
        self._states = KalmanStates.empty()
        self._table = TrackTable()
        self._tracks: FrameTracks | None = None
        self._next_id = next_id
        self._stamp_ns: int | None = None
        self._view: CameraView | None = None
        self._has_tiles = False

    @property
    def tracks(self) -> FrameTracks:
        """Return the tracks after the newest frame, by rising id."""
        if self._tracks is None:
            lost_ns = (self._stamp_ns or 0) - round(self._settings.lost_after_s * 1e9)
            self._tracks = self._table.tracks(self._states, lost_ns)
        return self._tracks

    @property
    def next_id(self) -> int:
        """Return the id that no track has had."""
        return self._next_id

    def drop(self, track_id: int) -> None:
        """Drop a track; an unknown id is ignored."""
        self._keep_tracks(self._table.ids != track_id)
        self._tracks = None

    def update(
        self,
        stamp_ns: int,
        view: CameraView,
        detections: Detections,
        vocabulary: Sequence[str],
        looks: Sequence[Look] = (),
    ) -> FrameTracks:
        """Process one frame, and return all tracks by rising id.

        Args:
            stamp_ns: of its capture; a frame that is not newer than the last changes nothing.
            view: where the camera looked, of the same picture size as the detections.
            detections: in that frame.
            vocabulary: the class names that the class ids index.
            looks: what was looked at; empty: the whole picture. From the first tile on, a track is
                expected only where a look shows it about as finely as when it was detected.

        Raises:
            ValueError: the sizes differ, or a class has no name.
        """
        if (view.width, view.height) != (detections.width, detections.height):
            raise ValueError(
                f"tracker: view {view.width}x{view.height} and detections "
                f"{detections.width}x{detections.height} must be of one picture"
            )
        if len(detections) and int(detections.class_ids.max()) >= len(vocabulary):
            raise ValueError(
                f"tracker: class {int(detections.class_ids.max())} is not in the vocabulary of "
                f"{len(vocabulary)}"
            )
        if self._stamp_ns is not None and stamp_ns <= self._stamp_ns:
            return self.tracks
        elapsed_s = 0.0 if self._stamp_ns is None else (stamp_ns - self._stamp_ns) * 1e-9
        settings, table = self._settings, self._table
        names = tuple(vocabulary[class_id] for class_id in detections.class_ids.tolist())
        labels, rates = table.numbers_of(names), self._turn_rates(view, elapsed_s)
        seen = to_observations(view, detections, names, labels, settings.noise, rates)
        self._stamp_ns, self._view, self._tracks = stamp_ns, view, None
        self._predict(elapsed_s)
        self._has_tiles |= bool(tiles_of(looks, view.width, view.height))

        expected, is_near, is_due = self._expect(view)
        scores = detections.scores.astype(np.float64)
        pairs = self._associate(view, seen, expected, np.flatnonzero(is_near))
        table.detections.fill(-1)
        self._update_matched(stamp_ns, seen, pairs, scores)
        if self._has_tiles and looks:
            is_due &= self._is_looked_at(view, expected, looks)
        is_missed = is_due & (table.detections < 0)
        table.missed_s[is_missed] += min(elapsed_s, _LONGEST_MISS_S)
        self._start_tracks(stamp_ns, view, seen, pairs, scores)
        self._note_scales(view, looks)
        self._delete_tracks(stamp_ns)
        table.add_history_points(stamp_ns, self._states.position)
        return self.tracks

    def _turn_rates(self, view: CameraView, elapsed_s: float) -> tuple[float, float]:
        """Return how fast the view's yaw and pitch changed since the last frame. [rad/s]"""
        if self._view is None or elapsed_s <= 0.0:
            return 0.0, 0.0
        yaw = math.remainder(view.yaw_rad - self._view.yaw_rad, math.tau)
        return yaw / elapsed_s, (view.pitch_rad - self._view.pitch_rad) / elapsed_s

    @property
    def _hits_wanted(self) -> int:
        """Return after how many detections a track is confirmed."""
        wanted = self._settings.confirm_hits
        return min(wanted, TILE_HITS) if self._has_tiles else wanted

    def _predict(self, elapsed_s: float) -> None:
        """Move on; the centre of an object never seen whole is not better known than its size."""
        table = self._table
        is_followed = table.detections >= 0
        self._states = self._states.predict(elapsed_s, self._settings.motion, is_followed)
        if not table.is_size_known.all():
            sigmas = _CUT_OFF_SIGMA * table.sizes_rad * ~table.is_size_known[:, None]
            self._states.inflate(sigmas**2)

    def _expect(self, view: CameraView) -> tuple[Matrix, Flags, Flags]:
        """Return where tracks are expected, which are near, and which are to be detected.

        Expected: (n, 4) boxes [px], also beyond the picture. To be detected is what should be well
        inside the picture.
        """
        found: tuple[Matrix, Flags, Flags] = implementation("tracking").expect(
            view,
            self._states.position,
            np.ascontiguousarray(self._table.sizes_rad),
            self._states.position_variance,
            _GATE_MARGIN,
            self._settings.expected_px,
        )
        return found

    def _associate(
        self, view: CameraView, seen: Observations, expected: Matrix, near: Rows
    ) -> Assignment:
        """Associate detections with the tracks `near` the picture."""
        pairs = associate(
            view,
            seen,
            expected[near],
            self._states.position_variance[near],
            self._table.labels[near],
            self._table.is_size_known[near],
            self._settings.new_share,
        )
        return replace(pairs, tracks=near[pairs.tracks])

    def _update_matched(
        self, stamp_ns: int, seen: Observations, pairs: Assignment, scores: Values
    ) -> None:
        """Update matched tracks: Kalman state, size, class votes."""
        rows, columns, table = pairs.tracks, pairs.detections, self._table
        if not len(rows):
            return
        # A centre guessed from a part jumps when the whole comes into view: that is no motion.
        tells_rate = seen.is_whole[columns] & table.is_whole[rows]
        self._states.correct(
            rows, pairs.innovations, seen.variances[columns], tells_rate, pairs.is_part
        )
        table.add_hits(rows, columns, stamp_ns, seen, scores)
        is_cut = seen.is_cut[columns]
        table.update_sizes(rows, pairs.sizes_rad, is_cut[:, :2] | is_cut[:, 2:] | pairs.is_part)
        table.is_confirmed[rows] |= table.hits[rows] >= self._hits_wanted

    def _is_looked_at(self, view: CameraView, expected: Matrix, looks: Sequence[Look]) -> Flags:
        """Return whether a look shows each track whole, as finely as when it was detected: (n,)."""
        needed = _SAME_SCALE * self._table.pixels_per_rad
        is_shown = np.zeros(len(self._table), bool)
        for look in looks:
            is_inside = (expected[:, :2] >= look[:2]) & (expected[:, 2:] <= look[2:4])
            is_shown |= is_inside.all(axis=1) & (look.gain * view.pixels_per_rad >= needed)
        return is_shown

    def _note_scales(self, view: CameraView, looks: Sequence[Look]) -> None:
        """Note how finely the tracks were looked at that were detected in this frame."""
        if not looks:
            return
        table = self._table
        for row in np.flatnonzero(table.detections >= 0).tolist():
            left, top, right, bottom = table.boxes_xyxy[row].tolist()
            x, y = (left + right) / 2.0, (top + bottom) / 2.0
            gains = [
                look.gain for look in looks if look.x0 <= x <= look.x1 and look.y0 <= y <= look.y1
            ]
            if gains:
                known = float(table.pixels_per_rad[row]) or math.inf
                table.pixels_per_rad[row] = min(known, max(gains) * view.pixels_per_rad)

    def _start_tracks(
        self,
        stamp_ns: int,
        view: CameraView,
        seen: Observations,
        pairs: Assignment,
        scores: Values,
    ) -> None:
        """Start tracks for detections without a track, the highest score first."""
        taken = set(pairs.detections.tolist())
        taken |= self._start_fast(stamp_ns, view, seen, taken, scores)
        boxes = seen.boxes_xyxy.tolist()
        kept = [boxes[column] for column in taken]
        chosen = []
        for column in np.argsort(-scores, kind="stable").tolist():
            if column in taken or scores[column] < self._settings.birth_score:
                continue
            if not _is_duplicate(boxes[column], kept):
                chosen.append(column)
                kept.append(boxes[column])
        if not chosen:
            return
        fresh, table = np.array(chosen, np.intp), self._table
        found = seen.boxes_xyxy[fresh]
        sizes = view.sizes_of(found)
        self._states = self._states.append_new(
            view.bearings_of((found[:, :2] + found[:, 2:]) / 2.0),
            seen.variances[fresh],
            sizes.max(axis=1),
            seen.is_whole[fresh],
            self._settings.motion,
        )
        rows = table.add_new(self._next_id, stamp_ns, sizes)
        table.add_hits(rows, fresh, stamp_ns, seen, scores)
        table.is_confirmed[rows] = table.hits[rows] >= self._hits_wanted
        self._next_id += len(rows)

    def _start_fast(
        self, stamp_ns: int, view: CameraView, seen: Observations, taken: set[int], scores: Values
    ) -> set[int]:
        """Make one track of two that were detected once and the detection in which they go on.

        Returns:
            The detections that have their track by this.
        """
        table = self._table
        rows = np.flatnonzero((table.hits == 1) & table.is_whole & (table.detections < 0))
        is_new = seen.is_whole & (scores >= self._settings.birth_score)
        is_new[list(taken)] = False
        if len(rows) < 2 or not is_new.any():
            return set()
        boxes = seen.boxes_xyxy
        bearings = view.bearings_of((boxes[:, :2] + boxes[:, 2:]) / 2.0)
        once = Sightings(
            table.last_ns[rows],
            table.labels[rows],
            self._states.position[rows],
            table.sizes_rad[rows].max(axis=1),
        )
        now = Sightings(
            np.full(len(boxes), stamp_ns), seen.labels, bearings, view.sizes_of(boxes).max(axis=1)
        )
        found = find_fast_starts(once, now, seen.variances, is_new, self._settings.fast)
        if not found:
            return set()
        firsts, seconds, columns = np.array(found, np.intp).T
        kept, gone = rows[firsts], rows[seconds]
        elapsed_s = (stamp_ns - table.last_ns[gone]) * 1e-9
        self._states.restart(
            kept, bearings[columns], once.bearings[seconds], seen.variances[columns], elapsed_s
        )
        table.add_hits(kept, columns, stamp_ns, seen, scores)
        table.join(kept, gone, self._hits_wanted)
        self._keep_tracks(~np.isin(np.arange(len(table)), gone))
        return set(columns.tolist())

    def _delete_tracks(self, stamp_ns: int) -> None:
        """Delete tracks that were missed for too long, and those beyond the greatest number."""
        settings, table = self._settings, self._table
        limits_s = np.where(
            table.is_confirmed, settings.confirmed_miss_s, settings.tentative_miss_s
        )
        is_old = (stamp_ns - table.last_ns) * 1e-9 > settings.tentative_memory_s
        is_kept = (table.missed_s < limits_s) & (table.is_confirmed | ~is_old)
        excess = int(np.count_nonzero(is_kept)) - settings.tracks_max
        if excess > 0:
            alive = np.flatnonzero(is_kept)
            is_kept[alive[np.lexsort((table.ids[alive], table.last_ns[alive]))[:excess]]] = False
        self._keep_tracks(is_kept)

    def _keep_tracks(self, is_kept: Flags) -> None:
        if not is_kept.all():
            rows = np.flatnonzero(is_kept)
            self._states = self._states.select(rows)
            self._table.keep(rows)


def _is_duplicate(box: Sequence[float], boxes: Sequence[Sequence[float]]) -> bool:
    """Return whether a box (x0, y0, x1, y1) is nearly the same as one of some."""
    x0, y0, x1, y1 = box
    area = (x1 - x0) * (y1 - y0)
    for left, top, right, bottom in boxes:
        width, height = min(x1, right) - max(x0, left), min(y1, bottom) - max(y0, top)
        if width > 0.0 and height > 0.0:
            common = width * height
            if common > _DUPLICATE_IOU * ((right - left) * (bottom - top) + area - common):
                return True
    return False
