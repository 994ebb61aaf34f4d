"""What speaks for and against one candidate: frozen values, replaced as frames and results come."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from ros_support_pkg.core.words import TrackState
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.looks import Look, tiles_of
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.scan.core.area import Bearing
from semantic_detection_pkg.scan.core.evidence import Box, TierResult, VlmReply
from semantic_detection_pkg.scan.core.inputs import InspectionResult
from semantic_detection_pkg.scan.core.mask_descriptors import MaskDescriptors
from semantic_detection_pkg.scan.core.sprt import Sprt
from semantic_detection_pkg.scan.core.tracking.frame_tracks import TracksById
from semantic_detection_pkg.scan.core.tracking.track import Track

_FRAMES_MAX = 20  # that a tier names as its evidence
_GROWTH = 1.3  # for a thing that was never seen whole: how much larger it may well be


@dataclass(frozen=True)
class TrackedFrame:
    """One frame with its tracks, as candidates are shown it.

    Attributes:
        view: where the camera looked.
        motion_blur_px: [px] by which the picture is smeared.
        tracks: after this frame, by id.
        is_at_max_zoom: nothing can be shown any larger.
        detections: of this frame; the tracks name them by their index.
        looks: what the detector looked at; empty: all of the picture.
        proposed: classes of proposals, which no model names.
    """

    stamp_ns: int
    view: CameraView
    motion_blur_px: float
    tracks: Mapping[int, Track]
    is_at_max_zoom: bool
    detections: Detections
    looks: tuple[Look, ...] = ()
    proposed: frozenset[str] = frozenset()

    @cached_property
    def tiles(self) -> tuple[Look, ...]:
        """The looks that show only a part of the picture."""
        return tiles_of(self.looks, self.view.width, self.view.height)

    @cached_property
    def seen(self) -> dict[int, Track]:
        """The tracks that were detected in this very frame, by id."""
        tracks = self.tracks  # where they are made when they are read, only these
        seen = tracks.all.seen if isinstance(tracks, TracksById) else tracks.values()
        return {track.id: track for track in seen if track.is_seen}

    @cached_property
    def seen_by_class(self) -> dict[str, list[Track]]:
        """The same by class."""
        found: dict[str, list[Track]] = {}
        for track in self.seen.values():
            found.setdefault(track.class_name, []).append(track)
        return found

    @cached_property
    def confirmed_ids(self) -> list[int]:
        """Ids of the tracks that are confirmed and not lost."""
        tracks = self.tracks
        if isinstance(tracks, TracksById):
            return tracks.all.confirmed_ids
        return [one.id for one in tracks.values() if one.state is TrackState.CONFIRMED]

    def is_passed_over(self, bearing: Bearing, size_rad: Bearing) -> bool:
        """Return whether tiles were looked at, but none that shows all of a thing that fits in."""
        tiles = self.tiles
        if not tiles:
            return False
        x0, y0, x1, y1 = self.view.boxes_of([bearing], [size_rad])[0].tolist()
        fitting = [
            tile for tile in tiles if x1 - x0 <= tile.x1 - tile.x0 and y1 - y0 <= tile.y1 - tile.y0
        ]
        return bool(fitting) and not any(
            tile.x0 <= x0 and tile.y0 <= y0 and x1 <= tile.x1 and y1 <= tile.y1 for tile in fitting
        )


@dataclass(frozen=True)
class Sighting:
    """A frame that shows the candidate large enough to be judged."""

    frame_ns: int
    box_xyxy: Box
    is_whole: bool

    @property
    def rank(self) -> tuple[bool, float]:
        """Return a key that is greater the better the candidate shows: whole first, then large."""
        x0, y0, x1, y1 = self.box_xyxy
        return self.is_whole, (x1 - x0) * (y1 - y0)


@dataclass(frozen=True)
class Extent:
    """Where a candidate is, and how large.

    Attributes:
        track: when it was last there; its id changes where the tracker lost the old one.
        size_rad: (width, height), a cautious figure: a close view that is too narrow costs another.
        was_whole: at least one box did not touch the edge of its picture.
    """

    track: Track
    size_rad: tuple[float, float]
    was_whole: bool

    @staticmethod
    def of(track: Track) -> Extent:
        """Return the extent that a single track tells."""
        return Extent(track, (track.width_rad, track.height_rad), track.is_whole)

    def follow(self, track: Track) -> Extent:
        """Return the extent after the candidate was seen as `track`.

        A whole box is its size. One that is cut off is a lower bound: the size known from a whole
        box stands, and without one the box counts as larger by a share, and never shrinks.
        """
        width, height = track.width_rad, track.height_rad
        if not track.is_whole:
            if not self.was_whole:
                width, height = min(width * _GROWTH, math.pi), min(height * _GROWTH, math.pi)
            width, height = max(width, self.size_rad[0]), max(height, self.size_rad[1])
        return Extent(track, (width, height), self.was_whole or track.is_whole)


@dataclass(frozen=True)
class CropRequest:
    """A crop on its way to the classifier and back."""

    request_id: int
    frame_ns: int
    sent_ns: int


@dataclass(frozen=True)
class ViewFrames:
    """The frames of one close view for a candidate.

    Attributes:
        since_ns: when the view was reached.
        until_ns: when the camera left it; 0: it is still there.
        count: frames that were captured in between and are examined.
    """

    since_ns: int
    until_ns: int = 0
    count: int = 0

    def has(self, stamp_ns: int) -> bool:
        """Return whether a frame captured then belongs to the view."""
        return self.since_ns <= stamp_ns and (not self.until_ns or stamp_ns <= self.until_ns)


@dataclass(frozen=True)
class Evidence:
    """All that is known of one candidate beside its state.

    Attributes:
        extent: where it is, and how large.
        presence: Tier 1's test over close frames.
        frames_ns: stamps of the newest of them.
        detector: name of the model that they come from.
        newest, best: the newest frame that shows it large enough, and the one that shows it
            largest and whole; None before the first.
        mask: descriptors of its mask in the best frame.
        close_score: the detector's best score in these frames, 0..1.
        inspections: the classifier's results at the present size, in order.
        crop_request: under way; None: none is.
        inspected_frame_ns: frame of the newest request.
        picture_id: request id of the newest inspection that left a picture; 0: none did.
        tiers: their results, in the order in which they came.
        answers: of the VLM.
        views: close views that were for it and showed enough frames.
        view_frames: frames of close views towards the next one that counts.
        view: frames of its newest close view; None: there was none, or it was interrupted.
        results_due_ns: until then results of its last view may still come.
        searches, refinements: how often it was looked for around, and inspected at a larger size.
    """

    extent: Extent
    presence: Sprt = field(default_factory=Sprt)
    frames_ns: tuple[int, ...] = ()
    detector: str = ""
    newest: Sighting | None = None
    best: Sighting | None = None
    mask: MaskDescriptors | None = None
    close_score: float = 0.0
    inspections: tuple[InspectionResult, ...] = ()
    crop_request: CropRequest | None = None
    inspected_frame_ns: int = 0
    picture_id: int = 0
    tiers: tuple[TierResult, ...] = ()
    answers: tuple[VlmReply, ...] = ()
    views: int = 0
    view_frames: int = 0
    view: ViewFrames | None = None
    results_due_ns: int = 0
    searches: int = 0
    refinements: int = 0

    def shown(self, extent: Extent, detector: str) -> Evidence:
        """Return the evidence with what one more frame of a detector says of the extent.

        As `replace` does it, without going through all fields by name: each frame changes each
        candidate.
        """
        if extent is self.extent and detector == self.detector:
            return self
        after = object.__new__(Evidence)
        vars(after).update(vars(self), extent=extent, detector=detector)
        return after

    @property
    def by_tier(self) -> dict[int, TierResult]:
        """Return the results by tier."""
        return {one.tier: one for one in self.tiers}

    def with_frame(
        self, stamp_ns: int, is_hit: bool, true_positive_rate: float, false_positive_rate: float
    ) -> Evidence:
        """Return the evidence after one more close frame of Tier 1's test."""
        return replace(
            self,
            presence=self.presence.update(is_hit, true_positive_rate, false_positive_rate),
            frames_ns=(*self.frames_ns, stamp_ns)[-_FRAMES_MAX:],
        )

    def is_better(self, sighting: Sighting) -> bool:
        """Return whether `sighting` shows the candidate better than the best one so far."""
        return self.best is None or sighting.rank > self.best.rank

    def with_inspection(self, result: InspectionResult) -> Evidence:
        """Return the evidence after the classifier's result for the request under way."""
        has_picture = result.has_crop and not result.error
        return replace(
            self,
            crop_request=None,
            inspections=(*self.inspections, result),
            picture_id=result.request_id if has_picture else self.picture_id,
        )

    def with_tier(self, result: TierResult) -> Evidence:
        """Return the evidence with a tier's result; the first of a tier stands."""
        if result.tier in self.by_tier:
            return self
        return replace(self, tiers=(*self.tiers, result))

    def with_view_frame(self, stamp_ns: int, needed: int) -> Evidence:
        """Return the evidence after one more frame was examined, whatever it shows.

        Args:
            needed: frames that make a view; one view counts no more than these.
        """
        view = self.view
        if view is None or not view.has(stamp_ns):
            return self
        view = replace(view, count=view.count + 1)
        if view.count > needed:
            return replace(self, view=view)
        views, view_frames = divmod(self.views * needed + self.view_frames + 1, needed)
        return replace(self, view=view, views=views, view_frames=view_frames)

    def for_resumption(self) -> Evidence:
        """Return what still holds in another process: requests under way and pictures are gone.

        So is its motion: carried on over a gap it would lead anywhere.
        """
        track = replace(
            self.extent.track,
            yaw_rate_rad_s=0.0,
            pitch_rate_rad_s=0.0,
            is_seen=False,
            detection=-1,
        )
        return replace(
            self,
            extent=replace(self.extent, track=track),
            crop_request=None,
            newest=None,
            picture_id=0,
            view=None,
            results_due_ns=0,
        )

    def for_new_picture(self) -> Evidence:
        """Return the evidence with which Tier 2 begins again, as its pictures are gone."""
        first = tuple(one for one in self.tiers if one.tier == 1)
        return replace(self, inspections=(), tiers=first, views=0, view_frames=0)

    def for_search(self) -> Evidence:
        """Return the evidence with which a wider view begins: Tier 1's test starts anew."""
        return replace(self, presence=Sprt(), searches=self.searches + 1)

    def for_refinement(self) -> Evidence:
        """Return the evidence with which larger crops begin: only new crops count."""
        return replace(self, inspections=(), newest=None, refinements=self.refinements + 1)
