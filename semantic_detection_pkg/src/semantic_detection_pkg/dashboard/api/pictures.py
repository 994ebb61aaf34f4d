"""From a frame with its detections to one JPEG for all viewers, in a thread of its own.

The newest scene wins: one that comes while the last is being drawn waits, an older one that still
waits is dropped. Whoever offers a scene never waits.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.looks import Look
from semantic_detection_pkg.common.kernels.crops import encode_jpeg, resized, square_around
from semantic_detection_pkg.common.kernels.drawing import draw_looks, draw_objects

_CROP_MARGIN = 1.7  # side of a crop, in longest sides of its box
_CROP_LEAST_PX = 8.0  # a smaller square shows nothing but the interpolation
_CROP_SIDE_PX = 192
_REMEMBERED_PICTURES = 200  # half a minute at 7 Hz, some 25 MB: most findings rest on younger ones
_REMEMBERED_CROPS = 200
_CROP_QUALITY = 82
_PLAIN_QUALITY = 95  # what is learnt from is to look as the detector sees it


@dataclass(frozen=True, eq=False)
class ShownFrame:
    """One frame and what is to be drawn into it.

    Attributes:
        stamp_ns: capture time, which identifies the frame.
        capture_s: the same on the monotonic clock of this machine [s].
        image: (h, w, 3) uint8, BGR.
        detections: of this frame; None: none are known.
        labels: one text for each detection.
        looks: parts of the frame that were looked at; tiles are outlined.
        view: where the camera looked, as JSON; None: unknown.
    """

    stamp_ns: int
    capture_s: float
    image: NDArray[np.uint8]
    detections: Detections | None
    labels: tuple[str, ...]
    view: dict[str, float] | None
    looks: tuple[Look, ...] = ()


@dataclass(frozen=True, eq=False)
class EncodedPicture:
    """An encoded scene.

    Attributes:
        scale: its pixels for each pixel of the frame.
        objects: detections drawn.
    """

    stamp_ns: int
    capture_s: float
    jpeg: bytes
    width: int
    height: int
    scale: float
    view: dict[str, float] | None
    objects: int


def make_picture(scene: ShownFrame, width_max: int, quality: int) -> EncodedPicture:
    """Scale, draw, encode.

    Args:
        width_max: [px] wider frames are made smaller.
        quality: of the JPEG, 1..100.
    """
    rows, columns = scene.image.shape[:2]
    scale = min(1.0, width_max / columns)
    size = (round(columns * scale), round(rows * scale))
    canvas = (
        np.array(scene.image, order="C")
        if scale == 1.0
        else cv2.resize(scene.image, size, interpolation=cv2.INTER_AREA)
    )
    draw_looks(canvas, [look for look in scene.looks if not look.is_whole(columns, rows)], scale)
    found = scene.detections
    if found is not None and len(found):
        factor = np.float32(scale)
        masks = [[ring * factor for ring in rings] for rings in found.masks]
        draw_objects(canvas, found.boxes_xyxy * factor, found.class_ids, scene.labels, masks)
    _, jpeg = cv2.imencode(".jpg", canvas, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return EncodedPicture(
        scene.stamp_ns,
        scene.capture_s,
        jpeg.tobytes(),
        size[0],
        size[1],
        scale,
        scene.view,
        0 if found is None else len(found),
    )


class PictureMaker:
    """Draws and encodes scenes; hands every picture to `publish`, from its own thread."""

    def __init__(
        self,
        publish: Callable[[EncodedPicture], None],
        *,
        width_max: int = 1280,
        quality: int = 80,
    ) -> None:
        """Start the thread."""
        self._publish = publish
        self._width_max = width_max
        self._quality = quality
        self._changed = threading.Condition()
        self._scene: ShownFrame | None = None
        self._newest: ShownFrame | None = None
        self._wanted_crops: OrderedDict[str, tuple[int, tuple[float, ...]]] = OrderedDict()
        self._crops: OrderedDict[str, bytes] = OrderedDict()
        self._pictures: OrderedDict[int, EncodedPicture] = OrderedDict()
        self._is_ending = False
        self.encoded = 0
        self.encode_s = 0.0
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="pictures", daemon=True)
        self._thread.start()

    def offer(self, scene: ShownFrame) -> None:
        """Have a scene made into a picture, unless a newer one comes first."""
        with self._changed:
            if self._scene is not None:
                self.dropped += 1
            self._scene = self._newest = scene
            self._changed.notify()

    def plain(self) -> bytes | None:
        """Return the newest frame as it came, as JPEG of its full size; None: there was none."""
        scene = self._newest
        return None if scene is None else encode_jpeg(scene.image, _PLAIN_QUALITY)

    def want_crop(self, name: str, stamp_ns: int, box_xyxy: tuple[float, ...]) -> None:
        """Keep the part [px] of a frame under a name, if the frame was shown a moment ago."""
        with self._changed:
            self._wanted_crops[name] = (stamp_ns, box_xyxy)
            self._changed.notify()

    def crop(self, name: str) -> bytes | None:
        """Return the JPEG of a part that was kept."""
        return self._crops.get(name)

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._is_ending = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._is_ending or self._scene is not None or self._wanted_crops
                )
                if self._is_ending:
                    return
                scene, self._scene = self._scene, None
                crops, self._wanted_crops = self._wanted_crops, OrderedDict()
            if scene is not None:
                self._make(scene)
            for name, (stamp_ns, box) in crops.items():
                self._keep_crop(name, stamp_ns, box)

    def _make(self, scene: ShownFrame) -> None:
        start_s = time.perf_counter()
        picture = make_picture(scene, self._width_max, self._quality)
        self.encode_s += time.perf_counter() - start_s
        self.encoded += 1
        _put(self._pictures, picture.stamp_ns, picture, _REMEMBERED_PICTURES)
        self._publish(picture)

    def _keep_crop(self, name: str, stamp_ns: int, box: tuple[float, ...]) -> None:
        picture = self._pictures.get(stamp_ns)
        if picture is not None and (jpeg := cut(picture, box)) is not None:
            _put(self._crops, name, jpeg, _REMEMBERED_CROPS)


def cut(picture: EncodedPicture, box_xyxy: tuple[float, ...]) -> bytes | None:
    """Return the JPEG of a part with a margin; None where the part lies outside the picture.

    Args:
        box_xyxy: [px] of the frame that the picture was made of.
    """
    image = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
    height, width = image.shape[:2]
    left, top, right, bottom = box = [edge * picture.scale for edge in box_xyxy]
    if right <= 0.0 or bottom <= 0.0 or left >= width or top >= height:
        return None
    part = image[square_around(box, image, _CROP_MARGIN, _CROP_LEAST_PX)]
    return encode_jpeg(resized(part, _CROP_SIDE_PX, _CROP_SIDE_PX), _CROP_QUALITY)


def _put(store: OrderedDict[Any, Any], key: object, value: object, count_max: int) -> None:
    store[key] = value
    while len(store) > count_max:
        store.popitem(last=False)
