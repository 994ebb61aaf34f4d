"""The simulated robot: a gimbal with a camera over a world, the demo's models, one clock."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gimbal_driver_pkg.mock.body import Body, Dynamics
from gimbal_driver_pkg.models import MODELS
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.optics import CameraView
from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.detector.classifier import Classification, Classifier, load_classifier
from semantic_detection_pkg.detector.core.pipeline import DetectorPipeline
from semantic_detection_pkg.scan.core.area import Area, GimbalLimits
from semantic_detection_pkg.scan.core.pointing import BearingState
from simulation_pkg.camera import PictureMaker
from simulation_pkg.core.world.geometry import CameraPose, Lens
from simulation_pkg.core.world.layout import World, WorldLayout, build_world
from simulation_pkg.core.world.render import Renderer
from simulation_pkg.core.world.things import DECOY_NAMES
from simulation_pkg.core.world.truth import Truth

MODEL_FOLDER = Path(__file__).resolve().parents[4] / "models" / "demo"
GIMBAL = MODELS["zr10"]
AREA = Area(math.radians(-78.0), math.radians(78.0), math.radians(11.0), math.radians(44.0))
"""Where the layout puts things: 150 deg of yaw, 24 to 92 m away under a mast of 26 m."""

FRAME_RATE_HZ = 10.0
PICTURE_DELAY_S = 0.1  # from the capture to its detections: the simulated camera's 60 ms, inference
COMMAND_DELAY_S = 0.02
INSPECT_S = 0.05  # from a request to the classifier's answer
ASK_S = 3.0  # from a question to the vision-language model's answer
_ASKED_PX = 60.0  # a smaller part of a picture is "unsure" to the stand-in
_HELD_FRAMES = 64
_STEP_S = 0.01


@dataclass(frozen=True, eq=False)
class RenderedFrame:
    """One frame: what is in it, and where it looked. `truth` is for scores and stand-ins."""

    stamp_s: float
    image: NDArray[np.uint8]
    view: CameraView
    truth: Truth

    @property
    def stamp_ns(self) -> int:
        """Return `stamp_s` as frames are named."""
        return round(self.stamp_s * 1e9)


@cache
def detector() -> DetectorPipeline:
    """Return the demo's detector, on one thread: there is a process for each core."""
    cv2.setNumThreads(1)
    return load_detector(MODEL_FOLDER / "demo_detector.onnx", threads=1).pipeline


@cache
def classifier() -> Classifier:
    """Return the demo's classifier."""
    path = MODEL_FOLDER / "demo_classifier.onnx"
    return load_classifier(path, engine="onnxruntime", threads=1)


@cache
def _renderer(layout: WorldLayout, lens: Lens) -> tuple[World, Renderer]:
    world = build_world(layout)
    return world, Renderer(world, lens)


class CameraRobot:
    """A gimbal with a camera before some world. Time passes in `advance` only."""

    def __init__(self, pictures: PictureMaker, lens: Lens) -> None:
        """Stand at rest; `pictures` are of the world through this lens."""
        self.lens = lens
        self._pictures_of = pictures
        self.limits = GimbalLimits(
            (math.radians(GIMBAL.yaw_deg[0]), math.radians(GIMBAL.yaw_deg[1])),
            (math.radians(GIMBAL.pitch_deg[0]), math.radians(GIMBAL.pitch_deg[1])),
            rate_rad_s=math.radians(GIMBAL.max_rate_deg_s),
        )
        self.body = Body(GIMBAL, Dynamics())
        self.now_s = 0.0
        self.pictures: OrderedDict[int, RenderedFrame] = OrderedDict()
        self._frames = 0

    @property
    def gimbal(self) -> BearingState:
        """Return where the axis is and how it turns."""
        yaw, pitch = self.body.yaw, self.body.pitch
        return BearingState(
            self.now_s, yaw.angle_rad, pitch.angle_rad, yaw.rate_rad_s, pitch.rate_rad_s
        )

    @property
    def wide(self) -> CameraView:
        """Return the view of the lens at zoom 1."""
        return self.view_at(BearingState(0.0, 0.0, 0.0), 1.0)

    def view_at(self, at: BearingState, zoom: float) -> CameraView:
        """Return the view from a pose."""
        hfov = self.lens.hfov_rad(zoom)
        return CameraView(at.yaw_rad, at.pitch_rad, 0.0, hfov, self.lens.width, self.lens.height)

    def advance(self, to_s: float) -> None:
        """Let time pass."""
        self.now_s = max(self.now_s, to_s)
        self.body.advance(self.now_s)

    def arrive(self) -> None:
        """Let time pass until nothing moves any more."""
        while not self.body.is_still or self.body.is_zooming:
            self.advance(self.now_s + _STEP_S)

    def next_frame(self) -> RenderedFrame:
        """Wait for the camera's next frame and take it."""
        self._frames = max(self._frames + 1, math.ceil(self.now_s * FRAME_RATE_HZ - 1e-6))
        self.advance(self._frames / FRAME_RATE_HZ)
        return self.capture()

    def capture(self) -> RenderedFrame:
        """Take the picture of this moment; the newest are held, as the detector holds them."""
        at, zoom = self.gimbal, self.body.zoom
        pose = CameraPose(
            at.yaw_rad, at.pitch_rad, 0.0, zoom, at.yaw_rate_rad_s, at.pitch_rate_rad_s
        )
        noise_seed = round(self.now_s * 1e3)
        shown = self._pictures_of.render(pose, self.now_s, noise_seed)
        picture = RenderedFrame(self.now_s, shown.image, self.view_at(at, zoom), shown.truth)
        self.pictures[picture.stamp_ns] = picture
        while len(self.pictures) > _HELD_FRAMES:
            self.pictures.popitem(last=False)
        return picture


class SimulatedRobot(CameraRobot):
    """A robot in the world of a seed, or of a layout."""

    def __init__(self, world: int | WorldLayout, lens: Lens | None = None) -> None:
        """Stand at rest in a world, which is built once per process."""
        lens = lens or Lens()
        layout = world if isinstance(world, WorldLayout) else WorldLayout(world)
        self.world, pictures = _renderer(layout, lens)
        super().__init__(pictures, lens)


def detect(picture: RenderedFrame) -> tuple[Detections, tuple[str, ...]]:
    """Return what the detector finds, and the words that its class ids index."""
    result = detector().process(picture.image)
    return result.detections, result.vocabulary


def classify(picture: RenderedFrame, box_xyxy: tuple[float, float, float, float]) -> Classification:
    """Return what the classifier says of a part."""
    return classifier().classify(picture.image, box_xyxy)


def share_true(labels: Classification, class_name: str) -> float:
    """Return 0..1, how far a part is the thing itself and not its decoy."""
    said = dict(zip(labels.labels, labels.probabilities, strict=True))
    thing, decoy = said[class_name], said[DECOY_NAMES[class_name]]
    other = 1.0 - thing - decoy
    return thing / max(thing + decoy + other, 1e-9)


def ask(
    picture: RenderedFrame, box_xyxy: tuple[float, float, float, float], class_name: str
) -> str:
    """Answer as the vision-language model: "yes" or "no" by the truth, or "unsure".

    It reads the ground truth of the frame asked about: it shows what a question costs, and what a
    model that is always right where it can see would give.
    """
    box = np.asarray(box_xyxy)
    if max(box[2] - box[0], box[3] - box[1]) < _ASKED_PX:
        return "unsure"
    best, best_share = "unsure", 0.2
    for seen in picture.truth.objects:
        share = _overlap(box, np.asarray(seen.box_xyxy))
        if share > best_share:
            is_it = seen.class_name == class_name and not seen.is_decoy
            best, best_share = ("yes" if is_it else "no"), share
    return best


def _overlap(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    edges = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    common = float(np.prod(np.maximum(edges, 0.0)))
    areas = float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]))
    return common / max(areas - common, 1e-9)
