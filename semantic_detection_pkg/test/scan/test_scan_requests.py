"""What the scan controller asks of other nodes comes back as an input, or is given up in words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
import rclpy
from builtin_interfaces.msg import Time
from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.context import Context
from two_nodes import TwoNodes

from interfaces_pkg.action import AskVlm
from interfaces_pkg.msg import VlmAnswer
from interfaces_pkg.srv import InspectFrame
from ros_support_pkg.core.words import Verdict
from ros_support_pkg.edge import refused_by
from semantic_detection_pkg.scan.core.decisions import AskRequest, Decision, InspectRequest
from semantic_detection_pkg.scan.core.evidence import VlmReply
from semantic_detection_pkg.scan.core.inputs import InspectionResult
from semantic_detection_pkg.scan.ros import requests as scan_requests
from semantic_detection_pkg.scan.ros.requests import ScanRequests

LOOK = InspectRequest(request_id=1, frame_ns=5, box_xyxy=(0.0, 0.0, 8.0, 8.0))
ASK = AskRequest(request_id=2, inspection_id=1, class_name="tent", timeout_s=60.0)


class RequestsHarness(TwoNodes):
    """The controller's requests, and a node that classifies and answers while it is spun."""

    def __init__(self, context: Context) -> None:
        super().__init__(context, "scanner")
        self.inputs: list[Any] = []
        self.requests = ScanRequests(self.node, self.inputs.append, {})
        self.questions: list[ServerGoalHandle] = []
        self.answer = VlmAnswer()
        self.other.create_service(InspectFrame, "detector/inspect", self._inspect)
        self.action = ActionServer(
            self.other,
            AskVlm,
            "vlm/ask",
            execute_callback=self._answer,
            handle_accepted_callback=self.questions.append,  # and left without an answer
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )

    def _answer(self, handle: ServerGoalHandle) -> AskVlm.Result:
        handle.succeed()
        return AskVlm.Result(answer=self.answer)

    def _inspect(
        self, request: InspectFrame.Request, response: InspectFrame.Response
    ) -> InspectFrame.Response:
        response.success = True
        response.inspection.frame = request.frame
        response.inspection.crop.data = b"a picture"
        return response


@pytest.fixture
def harness(ros_domain: dict[str, str]) -> Iterator[RequestsHarness]:
    context = Context()
    rclpy.init(context=context)
    harness = RequestsHarness(context)
    harness.spin_until(
        lambda: (
            harness.requests._inspect.service_is_ready() and harness.requests._vlm.server_is_ready()
        )
    )
    yield harness
    harness.destroy()
    context.try_shutdown()


def test_a_question_whose_acceptance_never_comes_is_unsure_and_cancelled(
    harness: RequestsHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan_requests, "_ACCEPT_TIMEOUT_S", 0.2)
    harness.requests.carry_out(Decision(inspect=(LOOK,)), "")
    harness.spin_until(lambda: harness.inputs)
    assert harness.inputs == [InspectionResult(1, 5)]
    harness.requests.carry_out(Decision(ask=(ASK,)), "")
    harness.spin_until(lambda: len(harness.inputs) > 1, is_answered=False)
    cause = "vlm/ask: no answer within 0.2 s"
    assert harness.inputs[1:] == [VlmReply(2, Verdict.UNSURE, cause=cause)]
    harness.spin_until(lambda: harness.questions and harness.questions[0].is_cancel_requested)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"confidence": math.nan}, "answer.confidence is nan: numbers must be finite"),
        ({"confidence": -math.inf}, "answer.confidence is -inf"),
        ({"latency_s": math.inf}, "answer.latency_s is inf"),
        ({"verdict": 9}, "answer.verdict is 9, allowed are"),
        ({"frame": Time(sec=-1)}, "answer.frame is -1 s"),
    ],
)
def test_an_answer_that_cannot_be_used_is_unsure_and_named(
    harness: RequestsHarness, wrong: dict[str, Any], said: str
) -> None:
    """A finding takes the confidence for its score: everybody would refuse the finding."""
    fields = {"verdict": VlmAnswer.VERDICT_YES, "confidence": 0.9, **wrong}
    harness.answer = VlmAnswer(**fields)
    harness.requests.carry_out(Decision(inspect=(LOOK,)), "")
    harness.spin_until(lambda: harness.inputs)
    harness.requests.carry_out(Decision(ask=(ASK,)), "")
    harness.spin_until(lambda: harness.questions)
    harness.questions[0].execute()
    harness.spin_until(lambda: len(harness.inputs) > 1)
    (reply,) = harness.inputs[1:]
    assert reply == VlmReply(2, Verdict.UNSURE, cause=reply.cause)
    assert reply.cause.startswith(f"vlm/ask: {said}")
    assert refused_by(harness.node)["vlm/ask"].count == 1


def test_an_inspection_without_an_answer_is_given_up(
    harness: RequestsHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scan_requests, "_ANSWER_TIMEOUT_S", 0.2)
    lines: list[str] = []
    monkeypatch.setattr(
        harness.node.get_logger().__class__, "warning", lambda _, line: lines.append(line)
    )
    harness.requests.carry_out(Decision(inspect=(LOOK,)), "")
    harness.spin_until(lambda: lines, is_answered=False)
    assert lines == ["detector/inspect: no answer within 0.2 s"]
    assert not harness.requests._inspect._pending_requests
    assert harness.inputs == []
