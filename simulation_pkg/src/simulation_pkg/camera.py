"""`sim:SEED`: a camera in the simulated world of that seed, which looks where the gimbal points.

sim:7?rate=15&width=1280&height=720    pictures a second and their size
sim:7?delay_ms=60&stamp_error_ms=0     how late pictures come; by how much their stamps are wrong
sim:7?noise=3&light=1&drop=0.02        grey levels of noise, how much the light changes, share lost
sim:7?exposure_ms=4&readout_ms=12      open time of a row (blur), first to last row (shutter)
sim:7?hfov_deg=62&height_m=26          widest field of view, height of the mast
sim:7?sector_deg=150&things=3          where things stand, how many of each class (and decoys)
sim:7?oddities=18                      barrels, tarpaulins, rucksacks: what no class names
sim:7?yaw_deg=0&pitch_deg=25&zoom=1    where it looks while nobody says where the gimbal points
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from semantic_detection_pkg.camera.core.uri import CameraUri, integer, number
from semantic_detection_pkg.camera.sources.source import ClockNs, FrameSource, Shot
from semantic_detection_pkg.errors import ConfigurationError
from simulation_pkg.core.world.geometry import CameraPose, Lens
from simulation_pkg.core.world.layout import WorldLayout, build_world
from simulation_pkg.core.world.render import Effects, Renderer
from simulation_pkg.core.world.truth import Truth, View

_PAUSE_MAX_NS = 60_000_000_000  # between pictures; what is longer is a step of the clock

PoseAt = Callable[[int], CameraPose | None]
"""The gimbal's pose at a time [ns since the epoch]; None while it is unknown."""

TruthSink = Callable[[int, Truth], None]
"""Takes the stamp [ns] and the truth of each picture before the picture is handed out."""


@dataclass(frozen=True)
class SimSettings:
    """How the simulated camera behaves, beside its lens.

    Attributes:
        rate_hz: pictures a second, > 0.
        delay_s: from the capture to the handing over, >= 0. A picture shows the world, and the
            pose, of its capture; its stamp says so.
        stamp_error_s: added to the stamp only: a camera that does not know its own delay.
        drop_share: 0..1, share of pictures that are lost.
        rest: where it looks while no pose is known.
    """

    rate_hz: float = 15.0
    delay_s: float = 0.06
    stamp_error_s: float = 0.0
    drop_share: float = 0.0
    rest: CameraPose = CameraPose(0.0, math.radians(25.0))


class PictureMaker(Protocol):
    """What shows a world to a camera."""

    def render(self, pose: CameraPose, time_s: float = 0.0, seed: int = 0) -> View:
        """Return the picture of a pose at a time of the world; `seed` decides the noise."""


class SimCamera:
    """A `FrameSource` over a `Renderer`; equal seeds, poses and times give equal pictures."""

    waits_for_consumer = False

    def __init__(
        self,
        name: str,
        pictures: PictureMaker,
        seed: int,
        settings: SimSettings,
        clock_ns: ClockNs,
        pose_at: PoseAt | None = None,
        on_truth: TruthSink | None = None,
    ) -> None:
        """Look at a world.

        Args:
            name: for messages.
            pictures: of the world.
            seed: decides which pictures are lost.
            settings: rate, delays, losses.
            clock_ns: time of the graph.
            pose_at: where the gimbal points; left out: always at `settings.rest`.
            on_truth: gets the truth of each picture; left out: nobody does.
        """
        self.name = name
        self.period_s: float | None = 1.0 / settings.rate_hz
        self._renderer = pictures
        self._seed = seed
        self._settings = settings
        self._clock_ns = clock_ns
        self._pose_at = pose_at
        self._on_truth = on_truth
        self._index = 0
        self._world_ns = 0  # goes on evenly where the clock steps
        self._last_ns: int | None = None
        self._pose = settings.rest

    def read(self) -> Shot:
        """Render what the camera sees now; see `FrameSource`. It never ends."""
        settings = self._settings
        captured_ns = self._clock_ns() - round(settings.delay_s * 1e9)
        if self._last_ns is not None and 0 < captured_ns - self._last_ns <= _PAUSE_MAX_NS:
            self._world_ns += captured_ns - self._last_ns
        self._last_ns = captured_ns
        pose = self._pose_at(captured_ns) if self._pose_at is not None else None
        if pose is not None:
            self._pose = pose
        view = self._renderer.render(self._pose, self._world_ns / 1e9, self._index)
        stamp_ns = max(0, captured_ns + round(settings.stamp_error_s * 1e9))
        if self._on_truth is not None:
            self._on_truth(stamp_ns, view.truth)
        self._index += 1
        lost = 0
        while self._is_lost(self._index):
            self._index += 1
            lost += 1
        # The reader keeps the pace: a lost picture is a longer pause.
        self.period_s = (1 + lost) / settings.rate_hz
        return Shot(view.image, stamp_ns)

    def close(self) -> None:
        """See `FrameSource`."""

    def _is_lost(self, index: int) -> bool:
        if self._settings.drop_share <= 0.0:
            return False
        rng = np.random.default_rng((self._seed, 8, index))
        return bool(rng.random() < self._settings.drop_share)


def open_source(
    uri: CameraUri,
    clock_ns: ClockNs,
    pose_at: PoseAt | None = None,
    on_truth: TruthSink | None = None,
) -> FrameSource:
    """Open `sim:`. A node binds `pose_at` and `on_truth` and registers the result for the scheme.

    Raises:
        ConfigurationError: the seed or an option is wrong.
    """
    try:
        seed = integer(0, 999_999_999)(uri.target)
    except ValueError as error:
        raise ConfigurationError(f"{uri.label}: world seed {uri.target!r}: {error}") from None
    options = uri.read_options(
        {
            **CAMERA_OPTIONS,
            "light": number(0.0, 1.0),
            "height_m": number(2.0, 500.0),
            "sector_deg": number(12.0, 360.0),
            "things": integer(0, 20),
            "oddities": integer(0, 60),
        }
    )
    layout = WorldLayout(
        seed,
        camera_height_m=options.get("height_m", 26.0),
        sector_rad=math.radians(options.get("sector_deg", 150.0)),
        per_class=options.get("things", 3),
        oddities=options.get("oddities", 0),
    )
    effects = Effects(noise=options.get("noise", 3.0), light=options.get("light", 1.0))
    pictures = Renderer(build_world(layout), lens_of(options), effects)
    settings = settings_of(options, rest_pitch_deg=25.0)
    return SimCamera(uri.label, pictures, seed, settings, clock_ns, pose_at, on_truth)


#: Options of every camera that looks where the gimbal points.
CAMERA_OPTIONS: dict[str, Callable[[str], Any]] = {
    "width": integer(32, 4096),
    "height": integer(32, 4096),
    "rate": number(0.1, 240.0),
    "delay_ms": number(0.0, 10_000.0),
    "stamp_error_ms": number(-10_000.0, 10_000.0),
    "noise": number(0.0, 60.0),
    "drop": number(0.0, 0.9),
    "exposure_ms": number(0.0, 100.0),
    "readout_ms": number(0.0, 100.0),
    "hfov_deg": number(2.0, 120.0),
    "yaw_deg": number(-180.0, 180.0),
    "pitch_deg": number(-90.0, 90.0),
    "zoom": number(1.0, 200.0),
}


def lens_of(options: Mapping[str, Any]) -> Lens:
    """Return the lens that the options say."""
    return Lens(
        width=options.get("width", 1280),
        height=options.get("height", 720),
        hfov_wide_rad=math.radians(options.get("hfov_deg", 62.0)),
        exposure_s=options.get("exposure_ms", 4.0) / 1e3,
        readout_s=options.get("readout_ms", 12.0) / 1e3,
    )


def settings_of(options: Mapping[str, Any], rest_pitch_deg: float) -> SimSettings:
    """Return how the camera behaves by the options, and where it looks while nobody points it."""
    rest = CameraPose(
        math.radians(options.get("yaw_deg", 0.0)),
        math.radians(options.get("pitch_deg", rest_pitch_deg)),
        zoom=options.get("zoom", 1.0),
    )
    return SimSettings(
        rate_hz=options.get("rate", 15.0),
        delay_s=options.get("delay_ms", 60.0) / 1e3,
        stamp_error_s=options.get("stamp_error_ms", 0.0) / 1e3,
        drop_share=options.get("drop", 0.0),
        rest=rest,
    )
