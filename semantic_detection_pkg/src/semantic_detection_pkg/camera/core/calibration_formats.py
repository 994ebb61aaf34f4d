"""A calibration out of the documents that tools write.

ROS's camera_info (camera_calibration, camera_calibration_parsers), the storage of OpenCV's own
calibration programs, the camera chain of Kalibr. Any other is refused by the key that is missing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from semantic_detection_pkg.camera.core.calibration import DISTORTION_COEFFICIENTS, Calibration
from semantic_detection_pkg.errors import ConfigurationError

#: Names of before, and of other tools, for ROS's distortion models.
_SAME_MODEL = {"fisheye": "equidistant", "kannala_brandt4": "equidistant"}
#: Keys that only camera_info has.
_CAMERA_INFO_ONLY = ("distortion_model", "rectification_matrix", "projection_matrix")
#: Names that OpenCV's samples of several years and people's own programs give to a key.
_OPENCV_NAMES = {
    "image_width": ("imagewidth", "width"),
    "image_height": ("imageheight", "height"),
    "camera_matrix": ("cameramatrix", "k", "mtx", "intrinsicmatrix"),
    "distortion_coefficients": (
        "distortioncoefficients",
        "distcoeffs",
        "distcoeff",
        "distortioncoeffs",
        "d",
        "dist",
    ),
    "fisheye_model": ("fisheyemodel", "fisheye"),
}
#: Kalibr's distortion models, as it writes and as it takes them; four coefficients each.
_KALIBR_MODELS = {
    "radtan": "plumb_bob",
    "equidistant": "equidistant",
    "equi": "equidistant",
    "none": "plumb_bob",
}
_IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


def parse_calibration(document: Any) -> Calibration:
    """Return the calibration that a document holds, as a YAML reader returns it.

    Raises:
        ConfigurationError: something is missing or not allowed; the message names the key.
    """
    if not isinstance(document, Mapping):
        raise ConfigurationError("must be a table of keys and values")
    tables = [value for value in document.values() if isinstance(value, Mapping)]
    if any("ros__parameters" in table for table in tables):
        raise ConfigurationError(
            "is a parameter file of a node; what stands under ros__parameters must stand at the top"
        )
    cameras = [document] if _is_kalibr(document) else list(filter(_is_kalibr, tables))
    if len(cameras) > 1:
        names = ", ".join(str(key) for key, value in document.items() if _is_kalibr(value))
        raise ConfigurationError(f"holds several cameras ({names}); a file with one is needed")
    if cameras:
        return _from_kalibr(cameras[0])
    is_camera_info = any(key in document for key in _CAMERA_INFO_ONLY)
    return _from_camera_info(document) if is_camera_info else _from_opencv(document)


def _from_camera_info(document: Mapping[str, Any]) -> Calibration:
    model = str(_value(document, "distortion_model"))
    name = document.get("camera_name")
    return Calibration(
        width=_size(document, "image_width"),
        height=_size(document, "image_height"),
        camera_name="" if name is None else str(name),
        distortion_model=_SAME_MODEL.get(model, model),
        distortion=_matrix(document, "distortion_coefficients"),
        camera_matrix=_matrix(document, "camera_matrix"),
        rectification_matrix=_matrix(document, "rectification_matrix"),
        projection_matrix=_matrix(document, "projection_matrix"),
    )


def _from_opencv(document: Mapping[str, Any]) -> Calibration:
    """Read what cv::FileStorage holds after OpenCV's calibration samples; no R, no P, no model."""
    named = {re.sub(r"[^a-z0-9]", "", str(key).lower()): value for key, value in document.items()}
    known = {
        key: named[name]
        for key, names in _OPENCV_NAMES.items()
        for name in reversed(names)
        if name in named
    }
    camera_matrix = _matrix(known, "camera_matrix")
    # A file with the matrix alone is that of a lens without distortion.
    key = "distortion_coefficients"
    distortion = _matrix(known, key) if key in known else (0.0,) * 5
    if known.get("fisheye_model") in (1, "1", True):
        model = "equidistant"
    else:
        fitting = [m for m, counts in DISTORTION_COEFFICIENTS.items() if len(distortion) in counts]
        model = fitting[0] if fitting else "plumb_bob"
    return Calibration(
        width=_size(known, "image_width"),
        height=_size(known, "image_height"),
        camera_name="",
        distortion_model=model,
        distortion=distortion,
        camera_matrix=camera_matrix,
        rectification_matrix=_IDENTITY,
        projection_matrix=_projection(camera_matrix),
    )


def _is_kalibr(value: object) -> bool:
    return isinstance(value, Mapping) and "camera_model" in value and "intrinsics" in value


def _from_kalibr(camera: Mapping[str, Any]) -> Calibration:
    """Read one camera of Kalibr's camera chain: `cam0: {camera_model: pinhole, ...}`."""
    if camera["camera_model"] != "pinhole":
        raise ConfigurationError(
            f"camera_model {camera['camera_model']!r} of Kalibr has no counterpart in ROS; "
            "allowed: pinhole, with radtan or equidistant"
        )
    model = str(_value(camera, "distortion_model"))
    if model not in _KALIBR_MODELS:
        raise ConfigurationError(
            f"distortion_model {model!r} of Kalibr has no counterpart in ROS; allowed: "
            + ", ".join(_KALIBR_MODELS)
        )
    fx, fy, cx, cy = _numbers(camera, "intrinsics", 4)
    distortion = (0.0,) * 4 if model == "none" else _numbers(camera, "distortion_coeffs", 4)
    width, height = _numbers(camera, "resolution", 2)
    if not (width.is_integer() and height.is_integer()):
        raise ConfigurationError(f"resolution {width}, {height} must be whole numbers of pixels")
    ros_model = _KALIBR_MODELS[model]
    camera_matrix = (fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0)
    return Calibration(
        width=int(width),
        height=int(height),
        camera_name="",
        distortion_model=ros_model,
        # k1 k2 p1 p2 in both; ROS's own calibrator adds k3.
        distortion=(*distortion, 0.0) if ros_model == "plumb_bob" else distortion,
        camera_matrix=camera_matrix,
        rectification_matrix=_IDENTITY,
        projection_matrix=_projection(camera_matrix),
    )


def _projection(camera_matrix: tuple[float, ...]) -> tuple[float, ...]:
    """Return P of a single camera that is not rectified: K with a column of zeros."""
    if len(camera_matrix) != 9:
        return camera_matrix  # refused by name where the calibration is made
    rows = (camera_matrix[row : row + 3] for row in (0, 3, 6))
    return tuple(value for row in rows for value in (*row, 0.0))


def _value(document: Mapping[str, Any], key: str) -> Any:
    if key not in document:
        raise ConfigurationError(f"{key} is missing")
    return document[key]


def _size(document: Mapping[str, Any], key: str) -> int:
    value = _value(document, key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigurationError(f"{key} {value!r} must be a whole number of pixels")
    return value


def _matrix(document: Mapping[str, Any], key: str) -> tuple[float, ...]:
    """Return the numbers of `{rows: r, cols: c, data: [...]}`."""
    matrix = _value(document, key)
    try:
        rows, columns = int(matrix["rows"]), int(matrix["cols"])
        data = [_number(value) for value in matrix["data"]]
    except (TypeError, KeyError, ValueError, OverflowError):
        raise ConfigurationError(f"{key} must have rows, cols and data (numbers)") from None
    if rows < 0 or len(data) != rows * columns or not all(map(math.isfinite, data)):
        raise ConfigurationError(
            f"{key}: {len(data)} numbers for {rows} rows of {columns}; all must be there and finite"
        )
    return tuple(data)


def _numbers(document: Mapping[str, Any], key: str, count: int) -> tuple[float, ...]:
    """Return the numbers of a plain list."""
    try:
        numbers = tuple(_number(value) for value in _value(document, key))
    except (TypeError, ValueError, OverflowError):
        numbers = ()
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise ConfigurationError(f"{key} must be {count} finite numbers")
    return numbers


def _number(value: Any) -> float:
    """Return a number as float; YAML's `yes` and `on` are none, though Python's float takes them.

    Raises:
        TypeError, ValueError, OverflowError: it is no number, or none that a float holds.
    """
    if isinstance(value, bool):
        raise TypeError("a truth value is no number")
    return float(value)
