"""What must hold of the running camera and detector, whoever started them.

Shared by the tests on the launch runner (`test/test_detection_graph.py`) and those in the form of
`launch_testing` (`test/launch/`). The camera looks at `write_pictures`, the model is the
`colour_model` of `tiny_models`.
"""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import State, Transition
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from ros_graph import GraphProbe
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from tiny_models import colour_model, save

from interfaces_pkg.msg import Detections
from interfaces_pkg.srv import SetVocabulary
from ros_support_pkg.qos import EVENT, SENSOR_DATA, VIEW
from ros_support_pkg.stamps import from_time
from semantic_detection_pkg.common.core.from_messages import from_detections

WIDTH, HEIGHT = 96, 64
#: The patches of the picture: class name and box in pixels of the picture.
PATCHES = {"red": (12, 12, 24, 24), "green": (60, 36, 72, 48)}


def write_inputs(folder: Path) -> tuple[str, Path]:
    """A folder with one picture, as a camera URI, and the model that knows its colours."""
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for name, colour in (("red", (0, 0, 255)), ("green", (0, 230, 0))):
        x_min, y_min, x_max, y_max = PATCHES[name]
        picture[y_min:y_max, x_min:x_max] = colour
    pictures = folder / "pictures"
    pictures.mkdir()
    assert cv2.imwrite(str(pictures / "patches.png"), picture)
    model = folder / "colours.onnx"
    save(colour_model("raw"), model)
    return f"images:{pictures}?loop=1&rate=20", model


def check_detections_flow(probe: GraphProbe) -> None:
    """Frames, their intrinsics, detections and overlay arrive and belong together."""
    detections = probe.listen(Detections, "detections", SENSOR_DATA)
    overlays = probe.listen(Image, "detections/overlay", VIEW)
    images = probe.listen(Image, "camera/image_raw", SENSOR_DATA)
    jpegs = probe.listen(CompressedImage, "camera/image_raw/compressed", VIEW)
    infos = probe.listen(CameraInfo, "camera/camera_info", SENSOR_DATA)

    def joined() -> set[int]:
        streams = (detections, overlays, images, jpegs, infos)
        return set.intersection(*({from_time(m.header.stamp) for m in s} for s in streams))

    stamp_ns = min(probe.wait_for(joined, "one frame on all five topics"))
    found = next(m for m in detections if from_time(m.header.stamp) == stamp_ns)
    check_patches(found)
    overlay = next(m for m in overlays if from_time(m.header.stamp) == stamp_ns)
    frame = next(m for m in images if from_time(m.header.stamp) == stamp_ns)
    assert (overlay.width, overlay.height) == (frame.width, frame.height) == (WIDTH, HEIGHT)
    assert bytes(overlay.data) != bytes(frame.data)
    assert found.header.frame_id == frame.header.frame_id == "camera_optical_frame"


def check_patches(message: Detections) -> None:
    """Both patches are found where they are."""
    found = from_detections(message)
    assert (found.width, found.height) == (WIDTH, HEIGHT)
    names = [message.vocabulary[i] for i in found.class_ids]
    for name, patch in PATCHES.items():
        x, y = (patch[0] + patch[2]) / 2, (patch[1] + patch[3]) / 2
        hits = [
            box
            for box, seen in zip(found.boxes_xyxy, names, strict=True)
            if seen == name and box[0] <= x <= box[2] and box[1] <= y <= box[3]
        ]
        assert hits, (
            f"no {name} at {x}, {y} among {list(zip(names, found.boxes_xyxy, strict=True))}"
        )


def check_vocabulary(probe: GraphProbe) -> None:
    """Words change what is found; unknown words are answered with the known ones."""
    name = "detector/set_vocabulary"
    refused = probe.call(SetVocabulary, name, SetVocabulary.Request(words=["purple"]))
    assert not refused.success
    assert "'purple' is unknown; known: red, green, blue" in refused.message
    taken = probe.call(SetVocabulary, name, SetVocabulary.Request(words=["green"]))
    assert (taken.success, taken.vocabulary) == (True, ["green"])
    newer = probe.listen(Detections, "detections", SENSOR_DATA)
    message = probe.wait_for(
        lambda: next((m for m in newer if list(m.vocabulary) == ["green"]), None), "green only"
    )
    assert len(message.class_ids) > 0
    assert set(message.class_ids) == {0}
    probe.call(SetVocabulary, name, SetVocabulary.Request())


def check_parameters(probe: GraphProbe) -> None:
    """The threshold can be changed while running, within its range."""
    assert not set_double(probe, "detector", "confidence_threshold", 1.5).successful
    assert set_double(probe, "detector", "confidence_threshold", 1.0).successful
    messages = probe.listen(Detections, "detections", SENSOR_DATA)
    probe.wait_for(lambda: any(not m.class_ids for m in messages), "frames without detections")
    assert set_double(probe, "detector", "confidence_threshold", 0.25).successful
    messages.clear()
    probe.wait_for(lambda: any(m.class_ids for m in messages), "frames with detections")


def check_diagnostics(probe: GraphProbe) -> None:
    """Camera and detector say that they are well."""
    arrays = probe.listen(DiagnosticArray, "/diagnostics", EVENT)

    def well() -> set[str]:
        return {s.name for array in arrays for s in array.status if s.level == b"\x00"}

    probe.wait_for(lambda: {"camera", "detector"} <= well(), "good news of camera and detector")


def check_lifecycle(probe: GraphProbe) -> None:
    """The whole way up, down and up again; detections flow exactly while active."""
    steps = (
        (Transition.TRANSITION_CONFIGURE, State.PRIMARY_STATE_INACTIVE),
        (Transition.TRANSITION_ACTIVATE, State.PRIMARY_STATE_ACTIVE),
        (Transition.TRANSITION_DEACTIVATE, State.PRIMARY_STATE_INACTIVE),
        (Transition.TRANSITION_ACTIVATE, State.PRIMARY_STATE_ACTIVE),
        (Transition.TRANSITION_DEACTIVATE, State.PRIMARY_STATE_INACTIVE),
        (Transition.TRANSITION_CLEANUP, State.PRIMARY_STATE_UNCONFIGURED),
    )
    messages = probe.listen(Detections, "detections", SENSOR_DATA)
    frames = probe.listen(CameraInfo, "camera/camera_info", SENSOR_DATA)
    for transition, goal in steps:
        probe.change_state("detector", transition, goal)
        since_ns = time.time_ns()

        def newer(received: list, since_ns: int = since_ns) -> list:
            return [m for m in list(received) if from_time(m.header.stamp) > since_ns]

        if goal == State.PRIMARY_STATE_ACTIVE:
            probe.wait_for(lambda: newer(messages), "detections after activation")
        else:
            # What was captured before may still come.
            probe.wait_for(lambda: len(newer(frames)) > 8, "frames while inactive")
            assert newer(messages) == []


def set_double(probe: GraphProbe, node: str, name: str, value: float):
    """Set a parameter as `ros2 param set` does; the result says whether it was taken."""
    typed = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=value)
    request = SetParameters.Request(parameters=[Parameter(name=name, value=typed)])
    return probe.call(SetParameters, f"{node}/set_parameters", request).results[0]
