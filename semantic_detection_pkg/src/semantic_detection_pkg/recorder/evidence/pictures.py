"""Pictures of a page: the frame with what was detected, and the thing itself, close."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.common.core.overlay import draw_into, draw_overlay
from semantic_detection_pkg.common.kernels.crops import encode_jpeg, resized, square_around
from semantic_detection_pkg.common.pictures import decode_picture
from semantic_detection_pkg.recorder.evidence.content import EvidenceFrame

_FRAME_WIDTH = 960
_CROP_SIDE = 420
_CROP_MARGIN = 2.2  # side of a crop, in longest sides of its box
_CROP_LEAST_PX = 52.0
_QUALITY = 82
_LABEL_HEIGHT = 0.1  # of the picture: no label and no stroke goes farther up or down,
_LABEL_LEAST_PX = 40.0  # or, in a small one, than this
_NEAR_SHARE = 0.12  # of the picture's width: a box farther from the bearing is of something else

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Shown:
    """One frame on a page; pictures are data URIs.

    Attributes:
        plain, masked: the thing without and with its mask; empty where it is not found in it.
        zoom_note: field of view, in words; empty where unknown.
    """

    stamp_ns: int
    frame: str
    plain: str = ""
    masked: str = ""
    zoom_note: str = ""

    @property
    def thumbnail(self) -> str:
        """What shows the thing in the least room."""
        return self.masked or self.frame


def show(evidence_frame: EvidenceFrame, finding: Any | None, best_ns: int = 0) -> Shown:
    """Show a frame with all detections, and the finding's thing cut out of it.

    Args:
        finding: a message of type Finding; None: nothing is cut out.
        best_ns: stamp of the frame that the finding's box is of.

    Raises:
        FrameError: the picture cannot be decoded.
    """
    stamp = evidence_frame.picture.stamp_ns
    scene = _Scene(evidence_frame)
    whole = jpeg_uri(_jpeg(resized(scene.drawn(), 1, _FRAME_WIDTH)))
    hfov = evidence_frame.pose.hfov_rad if evidence_frame.pose else math.nan
    note = f"{math.degrees(hfov):.1f}° wide" if math.isfinite(hfov) else ""
    crops = [] if finding is None else scene.crops(finding, best_ns)
    plain, masked = map(jpeg_uri, crops or (b"", b""))
    return Shown(stamp, whole, plain, masked, note)


def thumbnails(evidence_frame: EvidenceFrame, findings: Sequence[Any]) -> list[bytes]:
    """Return each finding's thing with its mask, or the frame where it is not found in it; JPEG.

    A photograph may show things by the hundred: it is decoded and copied once.

    Args:
        findings: whose best frame this is.

    Raises:
        FrameError: the picture cannot be decoded.
    """
    scene = _Scene(evidence_frame)
    best_ns = evidence_frame.picture.stamp_ns
    crops = [scene.crops(one, best_ns, has_plain=False) for one in findings]
    whole = b"" if all(crops) else _jpeg(resized(scene.drawn(), 1, _FRAME_WIDTH))
    return [one[-1] if one else whole for one in crops]


class _Scene:
    """A frame, decoded, with what was detected in it."""

    def __init__(self, evidence_frame: EvidenceFrame) -> None:
        self._frame = evidence_frame
        name = f"of {evidence_frame.picture.stamp_ns} ns"
        self._image = decode_picture(np.frombuffer(evidence_frame.picture.jpeg, np.uint8), name)
        height, width = self._image.shape[:2]
        self._found, self._words = _detections(evidence_frame, width, height)
        self._canvas: Image | None = None  # as the picture, but while something is drawn into it

    def drawn(self) -> Image:
        """Return the frame with all detections."""
        return draw_overlay(self._image, self._found, self._words)

    def crops(self, finding: Any, best_ns: int, *, has_plain: bool = True) -> list[bytes]:
        """Return the finding's thing, JPEG, without and with its mask; none if not found."""
        image, found = self._image, self._found
        box = finding.best_box_xyxy if self._frame.picture.stamp_ns == best_ns else None
        index = _index_of(found, self._words, finding, self._frame, box)
        if index is not None:
            box = found.boxes_xyxy[index]
        if box is None or not _is_box(box):
            return []
        only = Detections.none(found.width, found.height) if index is None else found.take([index])
        cut = square_around(box, image, _CROP_MARGIN, _CROP_LEAST_PX)
        pictures = [image[cut]] if has_plain else []
        pictures.append(self._cut_drawn(only, cut))
        return [_jpeg(resized(one, _CROP_SIDE, _CROP_SIDE)) for one in pictures]

    def _cut_drawn(self, only: Detections, cut: tuple[slice, slice]) -> Image:
        """Return a part of the frame with one thing, or none, drawn."""
        if self._canvas is None:
            self._canvas = np.array(self._image, order="C")
        canvas = self._canvas
        draw_into(canvas, only, self._words)
        part = canvas[cut].copy()
        edges = [only.boxes_xyxy[:, 1::2].ravel(), only.masks.points[:, 1]]
        drawn = np.concatenate([np.zeros(0, np.float32), *edges])
        if drawn.size:
            beside = math.ceil(max(_LABEL_HEIGHT * canvas.shape[0], _LABEL_LEAST_PX))
            top, bottom = int(drawn.min()) - beside, math.ceil(float(drawn.max())) + beside
            rows = slice(max(top, 0), max(bottom, 0))
            canvas[rows] = self._image[rows]
        return part


def _detections(
    evidence_frame: EvidenceFrame, width: int, height: int
) -> tuple[Detections, tuple[str, ...]]:
    """Return what was detected in a frame; nothing where that does not fit the picture."""
    frame = evidence_frame.detections
    if frame is not None:
        found, words = frame.detections, frame.vocabulary
        is_of_size = (found.width, found.height) == (width, height)
        if is_of_size and (found.class_ids < len(words)).all():
            return found, words
    return Detections.none(width, height), ()


def _index_of(
    found: Detections,
    vocabulary: tuple[str, ...],
    finding: Any,
    evidence_frame: EvidenceFrame,
    box: Any | None,
) -> int | None:
    """Return the detection that is the finding's thing: by its box, else by its bearing."""
    same = [i for i, c in enumerate(found.class_ids) if vocabulary[c] == finding.class_name]
    if not same:
        return None
    middles = (found.boxes_xyxy[same, :2] + found.boxes_xyxy[same, 2:]) / 2
    if box is not None:
        wanted = (np.asarray(box[:2]) + np.asarray(box[2:])) / 2
    elif evidence_frame.pose is not None and math.isfinite(evidence_frame.pose.hfov_rad):
        pose = evidence_frame.pose
        view = CameraView(
            pose.yaw_rad, pose.pitch_rad, pose.roll_rad, pose.hfov_rad, found.width, found.height
        )
        wanted = view.project([(finding.bearing.yaw_rad, finding.bearing.pitch_rad)])[0]
    else:
        return None
    off = np.linalg.norm(middles - wanted, axis=1)
    if not np.isfinite(off).all() or off.min() > _NEAR_SHARE * found.width:
        return None
    return same[int(off.argmin())]


def _is_box(box: Any) -> bool:
    x0, y0, x1, y1 = (float(edge) for edge in box)
    return all(map(math.isfinite, (x0, y0, x1, y1))) and x1 > x0 and y1 > y0


def _jpeg(image: Image) -> bytes:
    return encode_jpeg(image, _QUALITY)


def jpeg_uri(jpeg: bytes) -> str:
    """Return a JPEG as it stands in a page; empty where there is none."""
    return _uri("jpeg", jpeg) if jpeg else ""


def png_uri(image: Image) -> str:
    """Return a small drawing without losses."""
    return _uri("png", cv2.imencode(".png", image)[1].tobytes())


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
