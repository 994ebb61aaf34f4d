"""What a frame at reduced size says of its colours: how odd each is, and which range holds it."""

from __future__ import annotations

from types import ModuleType

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.detector.kernels import implementation

#: Colours are looked up by the upper six bits of each channel.
TABLE_SIZE = 64**3
MOST_REDUCTION = 256
_MOST_RADIUS = 100
_SPREAD = np.ones((3, 3), np.uint8)


class FrameReducer:
    """Reduces frames by whole numbers; keeps the buffer for it. Belongs to one thread."""

    def __init__(self, version: ModuleType | None = None) -> None:
        """Args: version: the module that computes; left out: as `kernels` says."""
        self._kernel = version or implementation("proposals")
        self._planes = np.empty((3, 0, 0), np.uint8)

    def reduce(self, image: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
        """Return the means of blocks of factor x factor pixels, less at the right and the bottom.

        Args:
            image: (h, w, 3) uint8, BGR, any strides.
            factor: 1..256.

        Returns:
            (3, rows, columns) uint8, BGR, rounded; of the reducer until the next call.

        Raises:
            ValueError: an argument is none of these.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise ValueError(f"reduce: image {image.dtype} {image.shape} must be uint8 (h, w, 3)")
        if not 1 <= factor <= MOST_REDUCTION:
            raise ValueError(f"reduce: factor {factor} must be 1..{MOST_REDUCTION}")
        shape = (3, *(-(-side // factor) for side in image.shape[:2]))
        if self._planes.shape != shape:
            self._planes = np.empty(shape, np.uint8)
        self._kernel.reduce_blocks(image, factor, self._planes)
        return self._planes


class AnomalyMeter:
    """Measures how far each colour is from those around it. Belongs to one thread.

    The RX detector (I. Reed and X. Yu, "Adaptive multiple-band CFAR detection of an optical pattern
    with unknown spectral distribution", IEEE Trans. ASSP 38, 1990), as its authors have it: the
    mean is that of a window around the pixel, the covariance that of all pixels' differences from
    such means, so that fields of different colours are no anomalies of each other.
    """

    def __init__(
        self,
        radius: int,
        noise_levels: float,
        brightness_levels: float,
        version: ModuleType | None = None,
        usual_up_to: float = 0.0,
    ) -> None:
        """Allocate nothing yet.

        Args:
            radius: of the window [px], 1..100; it has 2 radius + 1 pixels a side.
            noise_levels: > 0, differences that are usual in every direction, of 255.
            brightness_levels: >= 0, and along grey: light and shade are no oddity.
            version: the module that computes; left out: as `kernels` says.
            usual_up_to: > 0: pixels farther than this many sigmas do not count for what is usual,
                so that something large is not usual by itself; 0: all count.

        Raises:
            ValueError: an argument is none of these.
        """
        if not (1 <= radius <= _MOST_RADIUS and noise_levels > 0.0 and brightness_levels >= 0.0):
            raise ValueError(
                f"anomalies: radius {radius}, noise {noise_levels:g} and brightness "
                f"{brightness_levels:g} must be 1..{_MOST_RADIUS}, > 0 and >= 0"
            )
        self._kernel = version or implementation("proposals")
        self._radius = radius
        usual = noise_levels**2 * np.eye(3) + brightness_levels**2 / 3.0 * np.ones((3, 3))
        self._usual = 16.0 * usual  # residuals are in quarter levels
        self._usual_up_to = usual_up_to
        self._residuals = np.empty((3, 0, 0), np.int16)
        self._squared = np.empty((0, 0), np.float32)

    def measure(self, planes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the squared Mahalanobis distance of each pixel.

        Args:
            planes: (3, rows, columns) uint8, C-contiguous.

        Returns:
            (rows, columns) float32, finite, >= 0 but for rounding; of the meter until the next
            call.

        Raises:
            ValueError: the argument is none of this.
        """
        _check_planes(planes)
        if self._residuals.shape != planes.shape:
            self._residuals = np.empty(planes.shape, np.int16)
            self._squared = np.empty(planes.shape[1:], np.float32)
        self._kernel.local_residuals(planes, self._radius, self._residuals)
        self._compare(self._residuals)
        if self._usual_up_to > 0.0:
            is_usual = self._squared <= self._usual_up_to**2
            if is_usual.any():
                self._compare(np.ascontiguousarray(self._residuals[:, is_usual][:, None]))
        return self._squared

    def _compare(self, usual: NDArray[np.int16]) -> None:
        """Write all pixels' distances by the mean and covariance of the usual ones."""
        sums, products = self._kernel.moments(usual)
        count = usual[0].size
        means = sums / count
        order = [[0, 3, 4], [3, 1, 5], [4, 5, 2]]
        spread = (products / count)[order] - np.outer(means, means)
        weights = _inverse(spread + self._usual)
        self._kernel.distances(self._residuals, means.astype(np.float32), weights, self._squared)


def look_up_colours(
    planes: NDArray[np.uint8], table: NDArray[np.uint16], version: ModuleType | None = None
) -> NDArray[np.uint16]:
    """Return what a table says of each pixel's colour.

    Args:
        planes: (3, rows, columns) uint8, C-contiguous, BGR.
        table: (64**3,) uint16, C-contiguous, by the upper six bits of blue, green and red.
        version: the module that computes; left out: as `kernels` says.

    Raises:
        ValueError: an argument is none of these.
    """
    _check_planes(planes)
    is_table = table.dtype == np.uint16 and table.shape == (TABLE_SIZE,)
    if not is_table or not table.flags.c_contiguous:
        raise ValueError(
            f"colours: table {table.dtype} {table.shape} must be C-contiguous uint16 "
            f"({TABLE_SIZE},)"
        )
    found = np.empty(planes.shape[1:], np.uint16)
    (version or implementation("proposals")).look_up(planes, table, found)
    return found


def blobs(mask: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return the groups of true pixels of which no two are more than two pixels apart.

    Args:
        mask: (rows, columns).

    Returns:
        (n, 4) x0, y0, x1, y1 of each, bounds as in slices; (k,) place of each true pixel in the
        flat mask, and (k,) its group.
    """
    places = np.flatnonzero(mask)
    if not len(places):
        return np.empty((0, 4), np.intp), places, places
    spread = cv2.dilate(mask.astype(np.uint8), _SPREAD)
    _, labels = cv2.connectedComponents(spread, connectivity=8)
    groups = labels.reshape(-1)[places].astype(np.intp) - 1
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    edges = []
    for at in (places[order] % mask.shape[1], places[order] // mask.shape[1]):
        edges.append(np.minimum.reduceat(at, starts))
        edges.append(np.maximum.reduceat(at, starts) + 1)
    boxes = np.stack((edges[0], edges[2], edges[1], edges[3]), axis=1)
    return boxes, places, groups


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the inverse of a symmetric 3x3 matrix as weights of squares and of products.

    Written out: it is the same on every machine, and a library's threads need not wake up for it.
    """
    (a, d, e), (_, b, f), (_, _, c) = matrix.tolist()
    minors = (
        b * c - f * f,
        a * c - e * e,
        a * b - d * d,
        e * f - d * c,
        d * f - e * b,
        d * e - a * f,
    )
    determinant = a * minors[0] + d * minors[3] + e * minors[4]
    doubles = (1.0, 1.0, 1.0, 2.0, 2.0, 2.0)
    return np.array(
        [double * minor / determinant for double, minor in zip(doubles, minors, strict=True)],
        np.float32,
    )


def _check_planes(planes: NDArray[np.uint8]) -> None:
    is_planes = planes.dtype == np.uint8 and planes.ndim == 3 and len(planes) == 3
    if not is_planes or not planes.size or not planes.flags.c_contiguous:
        raise ValueError(
            f"proposals: planes {planes.dtype} {planes.shape} must be C-contiguous uint8 "
            "(3, rows, columns)"
        )
