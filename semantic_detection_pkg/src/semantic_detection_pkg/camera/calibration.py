"""The intrinsics of a camera from ROS's camera_info YAML file, as camera_calibration writes it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from semantic_detection_pkg.errors import ConfigurationError

#: Distortion models of sensor_msgs/distortion_models.hpp and how many coefficients each may have.
DISTORTION_COEFFICIENTS = {
    "plumb_bob": (4, 5),
    "rational_polynomial": (8, 12, 14),
    "equidistant": (4,),
}


@dataclass(frozen=True)
class Calibration:
    """Intrinsics at one picture size, fields as in sensor_msgs/CameraInfo.

    Attributes:
        width, height: picture size [px] they were taken at, >= 1.
        camera_name: may be empty.
        distortion_model: one of `DISTORTION_COEFFICIENTS`.
        distortion: coefficients of that model.
        camera_matrix: (9) row-major K: fx 0 cx 0 fy cy 0 0 1 [px], fx, fy > 0.
        rectification_matrix: (9) row-major R.
        projection_matrix: (12) row-major P [px].
    """

    width: int
    height: int
    camera_name: str
    distortion_model: str
    distortion: tuple[float, ...]
    camera_matrix: tuple[float, ...]
    rectification_matrix: tuple[float, ...]
    projection_matrix: tuple[float, ...]

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 1:
            raise ConfigurationError(
                f"picture size {self.width}x{self.height} must be at least 1x1"
            )
        counts = DISTORTION_COEFFICIENTS.get(self.distortion_model)
        if counts is None:
            raise ConfigurationError(
                f"distortion_model {self.distortion_model!r} is unknown; allowed: "
                + ", ".join(DISTORTION_COEFFICIENTS)
            )
        if len(self.distortion) not in counts:
            raise ConfigurationError(
                f"distortion_coefficients: {len(self.distortion)} numbers; {self.distortion_model} "
                f"has {' or '.join(map(str, counts))}"
            )
        for name, count in (
            ("camera_matrix", 9),
            ("rectification_matrix", 9),
            ("projection_matrix", 12),
        ):
            if len(getattr(self, name)) != count:
                raise ConfigurationError(
                    f"{name}: {len(getattr(self, name))} numbers where {count} are needed"
                )
        fx, fy = self.camera_matrix[0], self.camera_matrix[4]
        if fx <= 0 or fy <= 0:
            raise ConfigurationError(f"camera_matrix: focal lengths {fx}, {fy} must be > 0 px")


def load_calibration(path: str | Path) -> Calibration:
    """Read a camera_info YAML file.

    Raises:
        ConfigurationError: it cannot be read, or something in it is missing or not allowed.
    """
    try:
        document = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigurationError(f"calibration file {path}: {reason}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"calibration file {path}: not YAML: {reason}") from error
    try:
        return _parse(document)
    except ConfigurationError as error:
        raise ConfigurationError(f"calibration file {path}: {error}") from error


def _parse(document: Any) -> Calibration:
    if not isinstance(document, Mapping):
        raise ConfigurationError("must be a table of keys and values")
    camera_matrix = _matrix(document, "camera_matrix")
    return Calibration(
        width=_size(document, "image_width"),
        height=_size(document, "image_height"),
        camera_name=str(document.get("camera_name", "")),
        distortion_model=str(_value(document, "distortion_model")),
        distortion=_matrix(document, "distortion_coefficients"),
        camera_matrix=camera_matrix,
        rectification_matrix=_matrix(document, "rectification_matrix"),
        projection_matrix=_matrix(document, "projection_matrix"),
    )


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
    """The numbers of `{rows: r, cols: c, data: [...]}`."""
    matrix = _value(document, key)
    try:
        rows, columns = int(matrix["rows"]), int(matrix["cols"])
        data = [float(value) for value in matrix["data"]]
    except (TypeError, KeyError, ValueError):
        raise ConfigurationError(f"{key} must have rows, cols and data (numbers)") from None
    if len(data) != rows * columns or not all(map(math.isfinite, data)):
        raise ConfigurationError(
            f"{key}: {len(data)} numbers for {rows} rows of {columns}; all must be there and finite"
        )
    return tuple(data)
