"""`photo:FILE`: a camera that looks into a photograph where the gimbal points and zooms.

photo:valley.jpg?hfov=360&projection=equirectangular   your own panorama of your own valley
photo:aerial.jpg?hfov=70                               a picture as a camera took it (flat)
photo:aerial.jpg?hfov=70&blur_px=0.4                   the lens's blur (sigma)

`hfov` [deg] is what the width of the picture shows; its middle is straight ahead, at yaw 0 and
pitch 0. The camera's own options are those of `sim:` (rate, width, height, noise, exposure_ms, ...)
but for its widest view, which is `lens_hfov_deg` here. What is truly in the picture is read from
labels beside it: of VisDrone, YOLO or COCO. See docs/cameras.md.
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
from simulation_pkg.core.world.geometry import CameraPose, Lens
from simulation_pkg.core.world.truth import View
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
    if "hfov_deg" in uri.options:
        raise ConfigurationError(
            f"{uri.label}: option hfov_deg is lens_hfov_deg for a photograph, the widest view of "
            "the camera; hfov is what the picture shows"
        )
    options = uri.read_options(
        {
            **{name: one for name, one in CAMERA_OPTIONS.items() if name != "hfov_deg"},
            "lens_hfov_deg": CAMERA_OPTIONS["hfov_deg"],
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
    if "lens_hfov_deg" in options:
        options["hfov_deg"] = options["lens_hfov_deg"]
    renderer = open_photo(
        Path(uri.target),
        math.radians(options["hfov"]),
        options.get("projection", Projection.FLAT),
        lens_of(options),
        PhotoEffects(options.get("noise", 3.0), options.get("blur_px", PhotoEffects().blur_px)),
    )
    place = place_of(renderer)
    _log.info("%s lies at %s; what is beside it is grey", uri.label, place)
    pictures = _WatchedPhoto(renderer, uri.label, place)
    settings = settings_of(options, rest_pitch_deg=0.0)
    return SimCamera(uri.label, pictures, 0, settings, clock_ns, pose_at, on_truth)


def place_of(photo: PhotoRenderer) -> str:
    """Return where a photograph lies, by the names of a scan's area."""
    yaw_deg, pitch_deg = (math.degrees(side) / 2.0 for side in photo.extent_rad)
    return (
        f"area_yaw_min_deg: {-yaw_deg:.1f}, area_yaw_max_deg: {yaw_deg:.1f}, "
        f"area_pitch_min_deg: {-pitch_deg:.1f}, area_pitch_max_deg: {pitch_deg:.1f}"
    )


class _WatchedPhoto:
    """A `PictureMaker` that says once when the camera is turned to where there is nothing."""

    def __init__(self, photo: PhotoRenderer, name: str, place: str) -> None:
        self._photo, self._name, self._place = photo, name, place
        self._is_told = False

    def render(self, pose: CameraPose, time_s: float = 0.0, seed: int = 0) -> View:
        """See `PictureMaker`."""
        if not self._is_told and not self._photo.shows(pose):
            self._is_told = True
            _log.warning(
                "%s: the camera looks beside the picture, at yaw %.0f, pitch %.0f deg: a scan finds"
                " nothing there and counts it as covered; give it %s",
                self._name,
                math.degrees(pose.yaw_rad),
                math.degrees(pose.pitch_rad),
                self._place,
            )
        return self._photo.render(pose, time_s, seed)


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
