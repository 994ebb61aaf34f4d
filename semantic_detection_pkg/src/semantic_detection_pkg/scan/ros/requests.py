"""What the scan controller asks of other nodes, without waiting: answers come back as inputs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.action.client import ClientGoalHandle
from rclpy.client import Client
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage

from interfaces_pkg.action import AskVlm
from interfaces_pkg.srv import InspectFrame, SetVocabulary, SetZoom
from ros_support_pkg.core.message_rules import check_message
from ros_support_pkg.core.words import Verdict
from ros_support_pkg.edge import refuse
from ros_support_pkg.requests import Requests
from ros_support_pkg.stamps import from_time, to_time
from semantic_detection_pkg.scan.core.decisions import (
    AskRequest,
    Decision,
    InspectRequest,
    VocabularyRequest,
)
from semantic_detection_pkg.scan.core.evidence import VlmReply
from semantic_detection_pkg.scan.core.from_messages import from_vlm_answer
from semantic_detection_pkg.scan.core.inputs import Input, InspectionResult, VocabularyReply

#: Crops that wait for a question: a few for each candidate of a crowded scene, some 10 MB.
_CROPS_MAX = 300
#: So long an answer may take: the controller asks again sooner where it matters.
_ANSWER_TIMEOUT_S = 10.0
#: Whether a question is accepted is answered at once, before any of it is carried out.
_ACCEPT_TIMEOUT_S = 5.0
_ANSWERED = (GoalStatus.STATUS_SUCCEEDED, GoalStatus.STATUS_CANCELED, GoalStatus.STATUS_ABORTED)


class ScanRequests:
    """Carries out the requests of decisions; pixels stay here, the controller knows numbers.

    Attributes:
        proposed: classes of proposals: of what has one it is asked what it is.
    """

    def __init__(
        self, node: Node, tell: Callable[[Input], None], aliases: Mapping[str, Sequence[str]]
    ) -> None:
        """Create the clients.

        Args:
            tell: called with each answer, in the node's executor.
            aliases: other names of a word, for questions.
        """
        self.proposed: frozenset[str] = frozenset()
        self._node = node
        self._tell = tell
        self._aliases = aliases
        self._vocabulary = node.create_client(SetVocabulary, "detector/set_vocabulary")
        self._inspect = node.create_client(InspectFrame, "detector/inspect")
        self._zoom = node.create_client(SetZoom, "gimbal/set_zoom")
        self._vlm = ActionClient(node, AskVlm, "vlm/ask")
        self._crops: OrderedDict[int, CompressedImage] = OrderedDict()
        self._goals: dict[int, Any] = {}  # of questions; None until accepted
        self._requests = Requests(node)

    def carry_out(self, decision: Decision, mission: str) -> None:
        """Send the requests of a decision; `mission`: whose words the detector is told."""
        if decision.zoom is not None:
            self._call(self._zoom, SetZoom.Request(zoom=decision.zoom), lambda _: None)
        if decision.vocabulary is not None:
            self._set_vocabulary(decision.vocabulary, mission)
        for request in decision.inspect:
            self._inspect_frame(request)
        for ask in decision.ask:
            self._ask(ask)
        for request_id in decision.cancel_asks:
            goal = self._goals.pop(request_id, None)
            if goal is not None:
                goal.cancel_goal_async()  # one that is not accepted yet is cancelled then

    def forget(self) -> None:
        """Drop the crops of a mission that has ended."""
        self._crops.clear()

    def _set_vocabulary(self, request: VocabularyRequest, mission: str) -> None:
        def answer(response: SetVocabulary.Response) -> None:
            self._tell(
                VocabularyReply(
                    request.request_id,
                    response.success,
                    response.message,
                    tuple(response.vocabulary),
                    from_time(response.words_since),
                )
            )

        message = SetVocabulary.Request(words=list(request.words), mission=mission)
        self._call(self._vocabulary, message, answer)

    def _inspect_frame(self, request: InspectRequest) -> None:
        def answer(response: InspectFrame.Response) -> None:
            self._tell(self._inspected(request, response))

        message = InspectFrame.Request(
            frame=to_time(request.frame_ns),
            box_xyxy=[float(value) for value in request.box_xyxy],
        )
        self._call(self._inspect, message, answer)

    def _inspected(
        self, request: InspectRequest, response: InspectFrame.Response
    ) -> InspectionResult:
        if not response.success:
            return InspectionResult(
                request.request_id, request.frame_ns, error=response.message, has_crop=False
            )
        inspection = response.inspection
        self._crops[request.request_id] = inspection.crop
        while len(self._crops) > _CROPS_MAX:
            self._crops.popitem(last=False)
        return InspectionResult(
            request.request_id,
            from_time(inspection.frame),
            model=inspection.model,
            labels=tuple(inspection.labels),
            probabilities=tuple(float(value) for value in inspection.probabilities),
            has_crop=len(inspection.crop.data) > 0,
        )

    def _ask(self, ask: AskRequest) -> None:
        crop = self._crops.get(ask.inspection_id)
        if crop is None:
            self._fail(ask, "the picture is not held any more")
            return
        if not self._vlm.server_is_ready():
            self._fail(ask, "nobody offers vlm/ask")
            return
        goal = AskVlm.Goal(
            crop=crop,
            class_name=ask.class_name,
            words=list(self._aliases.get(ask.class_name, ())),
            is_proposal=ask.class_name in self.proposed,
            timeout_s=ask.timeout_s,
        )
        self._goals[ask.request_id] = None
        self._requests.send_goal(
            self._vlm,
            "vlm/ask",
            goal,
            _ACCEPT_TIMEOUT_S,
            partial(self._accepted, ask),
            partial(self._refused, ask),
        )

    def _refused(self, ask: AskRequest, cause: str) -> None:
        self._goals.pop(ask.request_id, None)
        self._fail(ask, cause)

    def _accepted(self, ask: AskRequest, handle: ClientGoalHandle) -> None:
        if not handle.accepted:
            self._refused(ask, "the question was refused")
            return
        if ask.request_id not in self._goals:
            handle.cancel_goal_async()
            return
        self._goals[ask.request_id] = handle
        handle.get_result_async().add_done_callback(partial(self._answered, ask))

    def _answered(self, ask: AskRequest, future: Any) -> None:
        self._goals.pop(ask.request_id, None)
        result = future.result()
        if result is None or result.status not in _ANSWERED:
            self._fail(ask, "the bridge ended")
            return
        try:
            check_message(result.result)
        except ValueError as error:
            refuse(self._node, "vlm/ask", str(error))
            self._fail(ask, f"vlm/ask: {error}")
            return
        self._tell(from_vlm_answer(ask.request_id, result.result.answer))

    def _fail(self, ask: AskRequest, cause: str) -> None:
        self._tell(VlmReply(ask.request_id, Verdict.UNSURE, cause=cause))

    def _call(self, client: Client, request: Any, then: Callable[[Any], None]) -> None:
        """Call a service if it is there; the controller asks again where no answer comes."""
        if not client.service_is_ready():
            return
        self._requests.call(
            client, request, _ANSWER_TIMEOUT_S, then, self._node.get_logger().warning
        )
