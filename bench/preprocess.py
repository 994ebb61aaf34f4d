"""From a picture to the network's input: ours against OpenCV and NumPy, one core each.

As in the detector: the padding is written with the first picture of a size only. The row that ends
in `padded_ms` writes it with each.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bench import peers
from bench.row import Row
from bench.scenes import INPUT_PX
from bench.stopwatch import medians_ms
from semantic_detection_pkg.detector.core.letterbox import Letterbox
from semantic_detection_pkg.detector.kernels.letterbox import Letterboxer

_GOAL = 4.0
#: Other pictures than 1080p: half size, four times its size, and one whose sides have no ratio.
_SIZES = {"720p": (1280, 720), "2160p": (3840, 2160), "odd": (1919, 1077)}
ROWS = (
    "preprocess_ms",
    "preprocess_speedup",
    "preprocess_half_ms",
    "preprocess_padded_ms",
    "preprocess_error_levels",
    *(f"preprocess_{name}_speedup" for name in _SIZES),
)


def rows() -> Iterator[Row]:
    ours_ms, theirs_ms, error = _compare(1920, 1080)
    half_ms, _, _ = _compare(1920, 1080, np.float16)
    padded_ms, _, _ = _compare(1920, 1080, with_padding=True)
    speedup = theirs_ms / ours_ms
    yield Row("preprocess_ms", ours_ms, "ms", baseline=theirs_ms)
    yield Row("preprocess_speedup", speedup, "x", goal=_GOAL, better="higher", baseline=theirs_ms)
    yield Row("preprocess_half_ms", half_ms, "ms")
    yield Row("preprocess_padded_ms", padded_ms, "ms")
    yield Row("preprocess_error_levels", error, "/255", goal=1.0)
    for name, size in _SIZES.items():
        ours_ms, theirs_ms, _ = _compare(*size)
        yield Row(
            f"preprocess_{name}_speedup",
            theirs_ms / ours_ms,
            "x",
            better="higher",
            baseline=theirs_ms,
        )


def _compare(
    width: int, height: int, dtype: type = np.float32, with_padding: bool = False
) -> tuple[float, float, float]:
    """Our and their time [ms], and the largest difference [levels of 1/255]."""
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    box = Letterbox(width, height, INPUT_PX, INPUT_PX)
    tensor: NDArray[np.floating] = np.empty((3, INPUT_PX, INPUT_PX), dtype)
    write = partial(
        Letterboxer().write,
        image,
        tensor,
        (box.content_width, box.content_height),
        (box.left, box.top),
    )
    write()
    ours = partial(write, is_padded=not with_padding)
    ours_ms, theirs_ms = medians_ms(ours, partial(peers.preprocess, image, box), seconds=1.5)
    error = np.abs(tensor - peers.preprocess(image, box)[0]).max() * 255
    return ours_ms, theirs_ms, float(error)
