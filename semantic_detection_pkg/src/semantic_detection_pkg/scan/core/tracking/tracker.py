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
from numpy.typing import NDArray

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
from semantic_detection_pkg.scan.core.tracking.motion import KalmanStates, MotionModel
from semantic_detection_pkg.scan.core.tracking.track import Track
from semantic_detection_pkg.scan.core.tracking.track_record import TrackRecord

_GATE_MARGIN = -0.6  # of the picture: tracks farther outside than this are not compared
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
        self._records: list[TrackRecord] = []
        self._next_id = next_id
        self._stamp_ns: int | None = None
        self._view: CameraView | None = None
        self._has_tiles = False

    @property
    def tracks(self) -> tuple[Track, ...]:
        """Return the tracks after the newest frame, by rising id."""
        now_ns = self._stamp_ns or 0
        lost_ns = round(self._settings.lost_after_s * 1e9)
        return tuple(
            record.to_track(row, self._states, now_ns - record.last_ns > lost_ns)
            for row, record in enumerate(self._records)
        )

    @property
    def next_id(self) -> int:
        """Return the id that no track has had."""
        return self._next_id

    def drop(self, track_id: int) -> None:
        """Drop a track; an unknown id is ignored."""
        self._keep_tracks([record.id != track_id for record in self._records])

    def update(
        self,
        stamp_ns: int,
        view: CameraView,
        detections: Detections,
        vocabulary: Sequence[str],
        looks: Sequence[Look] = (),
    ) -> tuple[Track, ...]:
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
        settings = self._settings
        is_followed = np.array([record.detection >= 0 for record in self._records], bool)
        self._states = self._states.predict(elapsed_s, settings.motion, is_followed)
        names = tuple(vocabulary[class_id] for class_id in detections.class_ids.tolist())
        seen = to_observations(
            view, detections, names, settings.noise, self._turn_rates(view, elapsed_s)
        )
        self._stamp_ns, self._view = stamp_ns, view
        self._states = self._states.inflate(self._cut_off_variances())

        expected = self._expected_boxes(view)
        pairs = self._associate(view, seen, expected)
        scores = detections.scores.tolist()
        for record in self._records:
            record.detection = -1
        self._update_matched(stamp_ns, seen, pairs, scores)
        self._has_tiles |= bool(tiles_of(looks, view.width, view.height))
        self._update_missed(view, expected, elapsed_s, looks if self._has_tiles else ())
        self._start_tracks(stamp_ns, view, seen, pairs, scores)
        self._note_scales(view, looks)
        self._delete_tracks(stamp_ns)
        for record, (yaw_rad, pitch_rad) in zip(
            self._records, self._states.position.tolist(), strict=True
        ):
            if record.detection >= 0:
                record.add_history_point(stamp_ns, yaw_rad, pitch_rad)
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

    def _cut_off_variances(self) -> Matrix:
        """Return variances of the centres of objects never seen whole, else 0: (n, 2) [rad^2]."""
        sigmas = [
            _CUT_OFF_SIGMA * record.size_rad * (not record.is_size_known)
            for record in self._records
        ]
        return np.array(sigmas, np.float64).reshape(-1, 2) ** 2

    def _expected_boxes(self, view: CameraView) -> Matrix:
        """Return each track's predicted box, also beyond the picture: (n, 4) [px]."""
        if not self._records:
            return np.empty((0, 4))
        sizes = np.array([record.size_rad for record in self._records])
        return view.boxes_of(self._states.position, sizes)

    def _associate(self, view: CameraView, seen: Observations, expected: Matrix) -> Assignment:
        """Associate detections with the tracks in or near the picture."""
        with np.errstate(invalid="ignore"):  # NaN, behind the camera, is not near
            middles = (expected[:, :2] + expected[:, 2:]) / 2.0
            reach = (expected[:, 2:] - expected[:, :2]) / 2.0
            size = np.array([view.width, view.height])
            off = np.abs(middles - size / 2.0) - reach
            near = np.flatnonzero((off <= (0.5 - _GATE_MARGIN) * size).all(axis=1))
        pairs = associate(
            view,
            seen,
            self._states.select(near),
            expected[near],
            tuple(self._records[row].class_name for row in near),
            np.array([self._records[row].is_size_known for row in near], bool),
            self._settings.new_share,
        )
        return replace(pairs, tracks=near[pairs.tracks])

    def _update_matched(
        self, stamp_ns: int, seen: Observations, pairs: Assignment, scores: list[float]
    ) -> None:
        """Update matched tracks: Kalman state, size, class votes."""
        rows, columns = pairs.tracks, pairs.detections
        # Without a free edge an innovation means that more of the object came into view: its
        # centre moves, the object does not.
        is_growth = pairs.is_part
        growth = np.where(is_growth, pairs.innovations, 0.0)
        innovations = np.where(is_growth, 0.0, pairs.innovations)
        self._states = self._states.shift(rows, growth)
        is_whole = seen.is_whole
        # A centre guessed from a part jumps when the whole comes into view: that is no motion.
        was_whole = np.array([self._records[row].is_whole for row in rows], bool)
        self._states = self._states.correct(
            rows, innovations, seen.variances[columns], is_whole[columns] & was_whole
        )
        is_cut = seen.is_cut[:, :2] | seen.is_cut[:, 2:]
        for pair, (row, column) in enumerate(zip(rows.tolist(), columns.tolist(), strict=True)):
            record = self._records[row]
            record.add_hit(
                stamp_ns,
                column,
                seen.class_names[column],
                scores[column],
                seen.boxes_xyxy[column],
                bool(is_whole[column]),
            )
            record.update_size(pairs.sizes_rad[pair], is_cut[column] | pairs.is_part[pair])
            record.is_confirmed |= record.hits >= self._hits_wanted

    def _update_missed(
        self, view: CameraView, expected: Matrix, elapsed_s: float, looks: Sequence[Look]
    ) -> None:
        """Count the time of tracks that should be well inside the picture but were not detected."""
        if not self._records:
            return
        with np.errstate(invalid="ignore"):
            middles = (expected[:, :2] + expected[:, 2:]) / 2.0
            sizes = (expected[:, 2:] - expected[:, :2]).max(axis=1)
            doubt = np.sqrt(self._states.position_variance) * view.pixels_per_rad
            inside = np.minimum(middles, (view.width, view.height) - middles) - doubt
            is_expected = (inside > 0.0).all(axis=1) & (sizes >= self._settings.expected_px)
            if looks:
                is_expected &= self._is_looked_at(view, expected, looks)
        for record, is_due in zip(self._records, is_expected.tolist(), strict=True):
            if is_due and record.detection < 0:
                record.missed_s += min(elapsed_s, _LONGEST_MISS_S)

    def _is_looked_at(
        self, view: CameraView, expected: Matrix, looks: Sequence[Look]
    ) -> NDArray[np.bool_]:
        """Return whether a look shows each track whole, as finely as when it was detected: (n,)."""
        needed = np.array([record.pixels_per_rad for record in self._records])
        is_shown = np.zeros(len(self._records), bool)
        for look in looks:
            is_inside = (expected[:, :2] >= look[:2]) & (expected[:, 2:] <= look[2:4])
            scale = look.gain * view.pixels_per_rad
            is_shown |= is_inside.all(axis=1) & (scale >= _SAME_SCALE * needed)
        return is_shown

    def _note_scales(self, view: CameraView, looks: Sequence[Look]) -> None:
        """Note how finely the tracks were looked at that were detected in this frame."""
        for record in self._records:
            if record.detection < 0 or not looks:
                continue
            left, top, right, bottom = record.box_xyxy
            x, y = (left + right) / 2.0, (top + bottom) / 2.0
            gains = [
                look.gain for look in looks if look.x0 <= x <= look.x1 and look.y0 <= y <= look.y1
            ]
            if gains:
                record.pixels_per_rad = min(
                    record.pixels_per_rad or math.inf, max(gains) * view.pixels_per_rad
                )

    def _start_tracks(
        self,
        stamp_ns: int,
        view: CameraView,
        seen: Observations,
        pairs: Assignment,
        scores: list[float],
    ) -> None:
        """Start tracks for detections without a track, the highest score first."""
        taken = pairs.detections.tolist()
        fresh = []
        for column in sorted(range(len(scores)), key=lambda column: -scores[column]):
            if column in taken or scores[column] < self._settings.birth_score:
                continue
            if not _is_duplicate(seen.boxes_xyxy[column], seen.boxes_xyxy[taken]):
                fresh.append(column)
                taken.append(column)
        if not fresh:
            return
        boxes = seen.boxes_xyxy[fresh]
        sizes = view.sizes_of(boxes)
        positions = view.bearings_of((boxes[:, :2] + boxes[:, 2:]) / 2.0)
        self._states = self._states.append_new(
            positions,
            seen.variances[fresh],
            sizes.max(axis=1),
            seen.is_whole[fresh],
            self._settings.motion,
        )
        for row, column in enumerate(fresh):
            record = TrackRecord(self._next_id, stamp_ns, sizes[row])
            record.add_hit(
                stamp_ns,
                column,
                seen.class_names[column],
                scores[column],
                boxes[row],
                bool(seen.is_whole[column]),
            )
            record.is_confirmed = record.hits >= self._hits_wanted
            self._next_id += 1
            self._records.append(record)

    def _delete_tracks(self, stamp_ns: int) -> None:
        """Delete tracks that were missed for too long, and those beyond the greatest number."""
        settings = self._settings
        keep = []
        for record in self._records:
            limit_s = (
                settings.confirmed_miss_s if record.is_confirmed else settings.tentative_miss_s
            )
            is_old = (stamp_ns - record.last_ns) * 1e-9 > settings.tentative_memory_s
            keep.append(record.missed_s < limit_s and (record.is_confirmed or not is_old))
        excess = sum(keep) - settings.tracks_max
        if excess > 0:
            alive = [row for row, is_kept in enumerate(keep) if is_kept]
            alive.sort(key=lambda row: (self._records[row].last_ns, self._records[row].id))
            for row in alive[:excess]:
                keep[row] = False
        self._keep_tracks(keep)

    def _keep_tracks(self, keep: list[bool]) -> None:
        if not all(keep):
            rows: NDArray[np.intp] = np.flatnonzero(keep)
            self._states = self._states.select(rows)
            self._records = [self._records[row] for row in rows]


def _is_duplicate(box: Matrix, boxes: Matrix) -> bool:
    """Return whether a box (4,) is nearly the same as one of (k, 4)."""
    if not len(boxes):
        return False
    edges = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    common = np.maximum(edges, 0.0).prod(axis=1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod()
    return bool((common > _DUPLICATE_IOU * (areas - common)).any())
