"""Proposals in the running graph: switched on in flight, in the message, refused in one line."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from detection_checks import write_inputs
from launch_runner import LaunchSession
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from ros_graph import GraphProbe

from interfaces_pkg.msg import Detections
from interfaces_pkg.srv import SetVocabulary
from ros_support_pkg.qos import SENSOR_DATA
from semantic_detection_pkg.scan.core.from_messages import from_detections

pytestmark = pytest.mark.graph
ROBOT = ("semantic_detection_pkg", "robot.launch.yaml")
PARAMETERS = "detector/set_parameters_atomically"
CYAN_BGR = (210, 190, 20)


@pytest.mark.long
def test_proposals_are_switched_on_in_flight(tmp_path: Path, probe: GraphProbe) -> None:
    _, model = write_inputs(tmp_path)
    pictures = tmp_path / "odd"
    pictures.mkdir()
    picture = np.random.default_rng(0).normal(90.0, 4.0, (360, 640, 3))
    picture[100:120, 300:330] = CYAN_BGR
    cv2.imwrite(str(pictures / "odd.png"), np.clip(picture, 0, 255).astype(np.uint8))
    arguments = {
        "source": f"images:{pictures}?loop=1&rate=20",
        "model": str(model),
        "engine": "onnxruntime",
        "shared_dir": str(tmp_path),
        **dict.fromkeys(("gimbal", "vlm", "record", "dashboard"), "false"),
    }
    found = probe.listen(Detections, "detections", SENSOR_DATA)
    with LaunchSession(ROBOT, arguments):
        probe.wait_for(lambda: len(found) > 5, "detections")
        assert {(one.proposed_classes, one.proposer) for one in found} == {(0, "")}
        words = list(found[-1].vocabulary)

        assert put(probe, propose_anomalies=True, propose_colours=["cyan"]) == (True, "")

        frame = from_detections(
            probe.wait_for(lambda: [one for one in found if one.proposed_classes], "proposals")[0]
        )
        assert frame.words == tuple(words)
        assert frame.proposed_names == {"cyan", "anomaly"}
        names = [frame.vocabulary[one] for one in frame.detections.class_ids]
        box = frame.detections.boxes_xyxy[names.index("cyan")]
        np.testing.assert_allclose(box, (300, 100, 330, 120), atol=4.0)
        assert json.loads(frame.proposer)["propose_colours"] == ["cyan"]
        check_refusals(probe, words)
        assert put(probe, propose_anomalies=False, propose_colours=[""]) == (True, "")
        probe.wait_for(lambda: not found[-1].proposed_classes, "no proposals any more")


def check_refusals(probe: GraphProbe, words: list[str]) -> None:
    for colour, reason in (
        ("mauve", "colour 'mauve': known are red, orange"),
        ("x=0..10,0.9..0.1,0..1", "saturation 0.9..0.1 is inverted"),
        (f"{words[0]}=#102030", f"word '{words[0]}' is the name of a proposal, too"),
    ):
        is_done, said = put(probe, propose_colours=[colour])
        assert not is_done
        assert reason in said
        assert len(said.splitlines()) == 1
    request = SetVocabulary.Request(words=["cyan"])
    answer = probe.call(SetVocabulary, "detector/set_vocabulary", request)
    assert not answer.success  # no word of the model


def put(probe: GraphProbe, **values: object) -> tuple[bool, str]:
    given = [Parameter(name, value=value).to_parameter_msg() for name, value in values.items()]
    request = SetParametersAtomically.Request(parameters=given)
    result = probe.call(SetParametersAtomically, PARAMETERS, request).result
    return result.successful, result.reason
