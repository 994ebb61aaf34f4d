"""The intrinsics of a camera at one size of its pictures, and at others of the same aspect."""

from __future__ import annotations

from dataclasses import dataclass, replace

from semantic_detection_pkg.errors import ConfigurationError

#: Distortion models of sensor_msgs/distortion_models.hpp and how many coefficients each may have.
DISTORTION_COEFFICIENTS = {
    "plumb_bob": (4, 5),
    "rational_polynomial": (8, 12, 14),
    "equidistant": (4,),
}
_ASPECT_TOLERANCE_PX = 1.0  # a driver rounds the height: 854x480 is 16:9


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

    Raises:
        ConfigurationError: on construction, if an attribute is out of its range.
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
        # Of a transposed matrix the principal point stands there.
        last_row = self.camera_matrix[6:]
        if any(abs(value - right) > 1e-6 for value, right in zip(last_row, (0, 0, 1), strict=True)):
            raise ConfigurationError(f"camera_matrix: last row {last_row} must be 0, 0, 1")

    def scaled_to(self, width: int, height: int) -> Calibration:
        """Return the intrinsics of the same view in pictures of another size [px].

        Focal lengths and principal point grow with the picture, as in ROS's image_proc; the
        distortion is of the bearing and stays.

        Raises:
            ConfigurationError: the aspect is another one: then the picture was cut or stretched,
                and nobody knows how.
        """
        if (width, height) == (self.width, self.height):
            return self
        if abs(width * self.height / self.width - height) >= _ASPECT_TOLERANCE_PX:
            raise ConfigurationError(
                f"the calibration is of {self.width}x{self.height} pictures, the camera delivers "
                f"{width}x{height}, which has another aspect; calibrate at that size"
            )
        by_row = (width / self.width, height / self.height, 1.0)
        return replace(
            self,
            width=width,
            height=height,
            camera_matrix=_scaled(self.camera_matrix, by_row),
            projection_matrix=_scaled(self.projection_matrix, by_row),
        )


def _scaled(matrix: tuple[float, ...], by_row: tuple[float, ...]) -> tuple[float, ...]:
    """Return a row-major matrix of three rows, each multiplied by its factor."""
    columns = len(matrix) // len(by_row)
    return tuple(value * by_row[index // columns] for index, value in enumerate(matrix))
