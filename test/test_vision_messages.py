"""Detections in vision_msgs' form: with the real package where it is, else with its fields."""

from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest

from interfaces_pkg.msg import Detections
from semantic_detection_pkg.detector.ros.vision import to_detection_array


def fields_of_version_4() -> Any:
    """What vision_msgs 4 (Humble, Jazzy) has of the fields that are set; unknown ones fail."""

    def box(**_: Any) -> Any:
        position = SimpleNamespace(x=0.0, y=0.0)
        center = SimpleNamespace(position=position, theta=0.0)
        return SimpleNamespace(center=center, size_x=0.0, size_y=0.0)

    return SimpleNamespace(
        Detection2D=lambda header: SimpleNamespace(header=header, results=[], bbox=box(), id=""),
        ObjectHypothesisWithPose=lambda: SimpleNamespace(
            hypothesis=SimpleNamespace(class_id="", score=0.0)
        ),
        Detection2DArray=lambda header, detections: SimpleNamespace(
            header=header, detections=detections
        ),
    )


def real() -> Any:
    try:
        return import_module("vision_msgs.msg")
    except ImportError:
        pytest.skip(
            "vision_msgs is missing: not on PyPI, and ROS's apt archive is for who has that ROS "
            "(ros-<distro>-vision-msgs)"
        )


@pytest.mark.parametrize("types", [fields_of_version_4, real])
def test_boxes_words_and_scores(types: Any) -> None:
    message = Detections(
        vocabulary=["person", "tent"],
        class_ids=[1, 0],
        scores=[0.5, 0.25],
        boxes_xyxy=[10.0, 20.0, 30.0, 60.0, 0.0, 0.0, 1.0, 1.0],
    )
    message.header.frame_id = "camera_optical_frame"
    array = to_detection_array(message, types())
    assert array.header.frame_id == "camera_optical_frame"
    first, second = array.detections
    centre = first.bbox.center.position
    assert (centre.x, centre.y, first.bbox.size_x, first.bbox.size_y) == (20.0, 40.0, 20.0, 40.0)
    assert first.results[0].hypothesis.class_id == "tent"
    assert second.results[0].hypothesis.score == 0.25
