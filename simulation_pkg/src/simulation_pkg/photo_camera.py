"""`photo:FILE`: a camera that looks into a photograph where the gimbal points and zooms.

photo:valley.jpg?hfov=360&projection=equirectangular   your own panorama of your own valley
photo:aerial.jpg?hfov=70                               a picture as a camera took it (flat)
photo:aerial.jpg?hfov=70&blur_px=0.4                   the lens's blur (sigma)

`hfov` [deg] is what the width of the picture shows; its middle is straight ahead. The camera's own
options are those of `sim:` (rate, width, height, hfov_deg, noise, exposure_ms, ...). What is truly
in it is read from labels beside it: of VisDrone, YOLO or COCO.
"""

from __future__ import annotations

import logging
import math
from pathlib import Path

from semantic_detection_pkg.camera.core.uri import CameraUri, number
from semantic_detection_pkg.camera.sources.source import ClockNs, FrameSource
from semantic_detection_pkg.common.pictures import read_picture
from semantic_detection_pkg.errors import ConfigurationError, FrameError
from simulation_pkg.camera import (
    CAMERA_OPTIONS,
    PoseAt,
    SimCamera,
    TruthSink,
    lens_of,
    settings_of,
)
from simulation_pkg.core.photo.render import PhotoEffects, PhotoRenderer, Projection
from simulation_pkg.core.world.geometry import Lens
from simulation_pkg.photo_files import find_labels

_log = logging.getLogger(__name__)
_WIDEST_FLAT_DEG = 170.0
_HIGHEST_DEG = 180.0


def open_source(
    uri: CameraUri,
    clock_ns: ClockNs,
    pose_at: PoseAt | None = None,
    on_truth: TruthSink | None = None,
) -> FrameSource:
    """Open `photo:`. A node binds `pose_at` and `on_truth` and registers the result.

    Raises:
        ConfigurationError: the file, its labels or an option are no good.
    """
    options = uri.read_options(
        {
            **CAMERA_OPTIONS,
            "hfov": number(1.0, 360.0),
            "projection": _projection,
            "blur_px": number(0.0, 20.0),
        }
    )
    if "hfov" not in options:
        raise ConfigurationError(
            f"{uri.label}: option hfov is missing: how many degrees the width of the picture "
            "shows, 1..360"
        )
    pictures = open_photo(
        Path(uri.target),
        math.radians(options["hfov"]),
        options.get("projection", Projection.FLAT),
        lens_of(options),
        PhotoEffects(options.get("noise", 3.0), options.get("blur_px", PhotoEffects().blur_px)),
    )
    settings = settings_of(options, rest_pitch_deg=0.0)
    return SimCamera(uri.label, pictures, 0, settings, clock_ns, pose_at, on_truth)


def open_photo(
    path: Path,
    hfov_rad: float,
    projection: Projection,
    lens: Lens,
    effects: PhotoEffects | None = None,
) -> PhotoRenderer:
    """Hang up a photograph with the labels beside it.

    Raises:
        ConfigurationError: the file or its labels are no good, or the field of view is too wide.
    """
    if projection is Projection.FLAT and math.degrees(hfov_rad) > _WIDEST_FLAT_DEG:
        raise ConfigurationError(
            f"photo {path}: hfov {math.degrees(hfov_rad):g} deg: a flat picture shows at most "
            f"{_WIDEST_FLAT_DEG:g} deg; for a panorama: projection=equirectangular"
        )
    try:
        image = read_picture(path)
    except FrameError as error:
        raise ConfigurationError(f"photo: {error}") from None
    height_deg = math.degrees(hfov_rad) * image.shape[0] / image.shape[1]
    if projection is Projection.EQUIRECTANGULAR and height_deg > _HIGHEST_DEG + 1.0:
        _log.warning(
            "photo %s: by its hfov of %g deg it is %.0f deg high, an equirectangular picture at "
            "most %g deg: what is beyond is not shown",
            path,
            math.degrees(hfov_rad),
            height_deg,
            _HIGHEST_DEG,
        )
    labels = find_labels(path, (image.shape[1], image.shape[0]))
    return PhotoRenderer(image, hfov_rad, projection, lens, labels, effects)


def _projection(text: str) -> Projection:
    try:
        return Projection(text)
    except ValueError:
        allowed = ", ".join(one.value for one in Projection)
        raise ValueError(f"{allowed} are allowed") from None
