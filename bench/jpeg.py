"""JPEG of a frame of the simulated world, as the recorder's and the page's pictures are encoded.

Processor time by turns. The camera encodes each frame once, for the recorder and whoever else wants
`camera/image_raw/compressed`; the page draws detections into the picture first, in its own process,
so it has to encode again. `jpeg_page_encoding_share` is what of that is encoding. Beside OpenCV's
encoder stands libjpeg-turbo through the package simplejpeg, where that is installed: it is not
needed otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.row import Row
from bench.stopwatch import medians_ms
from semantic_detection_pkg.dashboard.api.pictures import ShownFrame, make_picture
from simulation_pkg.core.world.geometry import CameraPose, Lens
from simulation_pkg.core.world.layout import WorldLayout, build_world
from simulation_pkg.core.world.render import Renderer
from simulation_pkg.harness.robot import detector

_QUALITY = 85  # of the camera's
_PAGE_QUALITY = 80
ROWS = ("jpeg_ms", "jpeg_per_turbojpeg", "jpeg_page_ms", "jpeg_page_encoding_share")


def rows() -> Iterator[Row]:
    cv2.setNumThreads(1)
    renderer = Renderer(build_world(WorldLayout(7)), Lens())
    image = renderer.render(CameraPose(-0.4, 0.4)).image
    found = detector().process(image).detections
    labels = tuple(str(number) for number in found.class_ids)
    scene = ShownFrame(0, 0.0, image, found, labels, None)

    def encode(quality: int) -> Callable[[], object]:
        return lambda: cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])

    functions = [
        encode(_QUALITY),
        encode(_PAGE_QUALITY),
        lambda: make_picture(scene, 1280, _PAGE_QUALITY),
    ]
    if find_spec("simplejpeg") is not None:
        functions.append(_turbo(image))
    camera_ms, encode_ms, page_ms, *turbo_ms = medians_ms(*functions, seconds=3.0)
    yield Row("jpeg_ms", camera_ms, "ms", baseline=turbo_ms[0] if turbo_ms else None)
    if turbo_ms:
        yield Row("jpeg_per_turbojpeg", camera_ms / turbo_ms[0], "x", baseline=turbo_ms[0])
    yield Row("jpeg_page_ms", page_ms, "ms", baseline=encode_ms)
    yield Row("jpeg_page_encoding_share", encode_ms / page_ms, "")


def _turbo(image: NDArray[np.uint8]) -> Callable[[], object]:
    encode = import_module("simplejpeg").encode_jpeg
    options = {"quality": _QUALITY, "colorspace": "BGR", "colorsubsampling": "420"}
    return lambda: encode(image, **options)
