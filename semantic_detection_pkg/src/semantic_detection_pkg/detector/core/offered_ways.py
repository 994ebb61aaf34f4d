"""The ways of looking at pictures that a detector offers, with what each shows and takes."""

from __future__ import annotations

import dataclasses

from semantic_detection_pkg.common.core.looks import WayOfLooking
from semantic_detection_pkg.detector.core.tile_layout import tile_layout
from semantic_detection_pkg.detector.core.tiles import Looking, TileSettings
from semantic_detection_pkg.errors import FrameError

_NEWS = 0.3  # of the time of a look: so much of a change is told
_NEWEST = 0.1  # share of the newest frame in that time


class OfferedWays:
    """What is offered for pictures of the present size, by the time that looks take."""

    def __init__(self, input_size: tuple[int, int]) -> None:
        """Begin without a frame; `input_size`: width and height of the network's input [px]."""
        self._input_size = input_size
        self._look_s = 0.0
        self._told_s = 0.0
        self._key: tuple[tuple[int, int], TileSettings] | None = None
        self._ways: tuple[WayOfLooking, ...] = ()

    def after_frame(
        self, size: tuple[int, int], settings: TileSettings, frame_s: float, looks: int
    ) -> tuple[WayOfLooking, ...]:
        """Return what is offered; the same as before until something has changed.

        Args:
            size: width and height of the picture [px].
            frame_s: [s] that the frame took.
            looks: that it took so long for, >= 1.
        """
        look_s = max(frame_s / looks, 1e-6)
        if not self._look_s:
            self._look_s = look_s
        self._look_s += _NEWEST * (look_s - self._look_s)
        is_news = abs(self._look_s - self._told_s) > _NEWS * self._told_s
        if is_news or self._key != (size, settings):
            self._key, self._told_s = (size, settings), self._look_s
            self._ways = self._offer(size, settings)
        return self._ways

    def _offer(self, size: tuple[int, int], settings: TileSettings) -> tuple[WayOfLooking, ...]:
        try:
            tiles = tile_layout(size, self._input_size, settings.tile_px, settings.tile_overlap)
        except FrameError:  # too many
            tiles = ()
        whole = self._gain(size)
        full = WayOfLooking(Looking.FULL.value, whole, whole, 1.0, self._told_s)
        if len(tiles) < 2:
            return (full,)
        fine = min(self._gain((tile.width, tile.height)) for tile in tiles)
        count = min(settings.tiles_per_frame, len(tiles))
        turns = Looking.ROTATING.value, fine, whole, count / len(tiles), (1 + count) * self._told_s
        all_of_them = Looking.TILES.value, fine, 0.0, 1.0, len(tiles) * self._told_s
        return full, WayOfLooking(*turns), WayOfLooking(*all_of_them)

    def _gain(self, size: tuple[int, int]) -> float:
        return min(self._input_size[0] / size[0], self._input_size[1] / size[1])


def asked_for(settings: TileSettings, looking: str) -> TileSettings:
    """Return the settings with another way of looking; a way that is none changes nothing."""
    if looking not in {way.value for way in Looking} or looking == settings.tiles:
        return settings
    return dataclasses.replace(settings, tiles=looking)
