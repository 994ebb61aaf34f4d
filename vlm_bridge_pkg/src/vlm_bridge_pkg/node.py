"""VLM bridge node: a question about a picture in, a verdict with its provenance out."""

from __future__ import annotations

import os
import threading
from typing import Any

from builtin_interfaces.msg import Time
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node

from interfaces_pkg.action import AskVlm
from interfaces_pkg.msg import VlmAnswer
from ros_support_pkg.diagnostics import Health, publish_diagnostics
from ros_support_pkg.edge import advertise, refuse, serve_goals
from ros_support_pkg.parameters import declare_parameters
from ros_support_pkg.qos import EVENT
from ros_support_pkg.running import NodeProgram, tolerating_shutdown
from ros_support_pkg.shedding import TIER3, Shedding
from semantic_detection_pkg.errors import SemanticDetectionError
from semantic_detection_pkg.gpu import owners
from vlm_bridge_pkg.answer_forms import AnswerForms
from vlm_bridge_pkg.core.advice import ADVICE
from vlm_bridge_pkg.core.questions import make_questions
from vlm_bridge_pkg.core.settings import VlmBridgeSettings
from vlm_bridge_pkg.errors import ServiceError
from vlm_bridge_pkg.kernels.crop import fit_square
from vlm_bridge_pkg.ros.gpu_lease import RosGpu
from vlm_bridge_pkg.session import AskResult, Service, Session
from vlm_bridge_pkg.transport.client import read_health

#: Goals at a time: one at the model, one whose lease is under way.
_MAX_GOALS = 2
_THREADS = 3 + _MAX_GOALS


class VlmBridgeNode(Node):
    """Runs a `Session` for each goal of `vlm/ask`."""

    def __init__(self, **options: Any) -> None:
        super().__init__("vlm_bridge", **options)
        self._config = declare_parameters(self, VlmBridgeSettings)
        config = self._config
        self._service = Service(
            config.socket,
            config.model,
            config.gpu_lock_file,
            owners.robot(self.get_namespace()),
            config.max_tokens,
        )
        self._forms = AnswerForms(self.get_logger().warning)
        # Of this process only: after a restart the old lease belongs to somebody else.
        self._holder = f"{self.get_fully_qualified_name()}-{os.getpid()}"
        self._sessions: dict[bytes, Session] = {}
        self._guard = threading.Lock()
        self._gpus = [
            RosGpu(self, f"{self._holder}-{number}", config.gpu_priority)
            for number in range(_MAX_GOALS)
        ]
        self._answered = 0
        self._last_cause = ""
        self._shedding = Shedding(self)
        self._answers = advertise(self, VlmAnswer, "vlm/answers", EVENT)
        publish_diagnostics(self, self._check)
        self._server = serve_goals(
            ActionServer,
            self,
            AskVlm,
            "vlm/ask",
            self._execute,
            refusal=_refusal,
            callback_group=ReentrantCallbackGroup(),
            goal_callback=self._accept,
            cancel_callback=self._cancel,
        )

    def destroy_node(self) -> None:
        with self._guard:
            for session in self._sessions.values():
                session.cancel()
        self._server.destroy()
        super().destroy_node()

    def _accept(self, goal: AskVlm.Goal) -> GoalResponse:
        if not 0.0 < goal.timeout_s <= 600.0:
            why = f"timeout_s is {goal.timeout_s:g}, allowed is more than 0 up to 600"
            refuse(self, "vlm/ask", why)
            return GoalResponse.REJECT
        with self._guard:
            is_full = not self._gpus
        if is_full:
            self.get_logger().warning(f"a question is refused: {_MAX_GOALS} are under way")
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _cancel(self, goal: ServerGoalHandle) -> CancelResponse:
        with self._guard:
            session = self._sessions.get(bytes(goal.goal_id.uuid))
        if session is not None:
            session.cancel()
        return CancelResponse.ACCEPT

    def _execute(self, goal: ServerGoalHandle) -> AskVlm.Result:
        if TIER3 in self._shedding:
            goal.abort()
            return AskVlm.Result(answer=_unsure(goal.request, "shed"))
        key = bytes(goal.goal_id.uuid)
        with self._guard:
            gpu = self._gpus.pop() if self._gpus else None
            if gpu is not None:
                session = self._sessions[key] = Session(self._service, gpu, self._forms)
        if gpu is None:  # accepted in the same moment as another
            goal.abort()
            return AskVlm.Result(answer=_unsure(goal.request, "busy"))
        if goal.is_cancel_requested:
            session.cancel()
        try:
            answer = self._ask(session, goal)
        finally:
            with self._guard:
                del self._sessions[key]
                self._gpus.append(gpu)
        self._answered += 1
        self._last_cause = answer.cause
        with tolerating_shutdown(self):
            self._answers.publish(answer)
        if goal.is_cancel_requested:
            goal.canceled()
        else:
            goal.succeed()
        return AskVlm.Result(answer=answer)

    def _ask(self, session: Session, goal: ServerGoalHandle) -> VlmAnswer:
        request = goal.request
        questions = make_questions(
            request.class_name,
            request.question,
            request.words,
            self._config.prompt_variants,
            is_proposal=request.is_proposal,
        )
        picture = fit_square(bytes(request.crop.data), self._config.image_size_px)

        def tell(stage: str, text: str) -> None:
            goal.publish_feedback(AskVlm.Feedback(partial_text=text, stage=stage))

        outcome = session.run(questions, picture, request.timeout_s, tell)
        return _answer(request, questions[0].prompt, outcome)

    def _check(self) -> Health:
        figures = {"answers": self._answered, "last_cause": self._last_cause}
        try:
            status = read_health(self._config.socket)["status"]
        except ServiceError as error:
            return Health.warn(str(error), **figures)
        if status != "ok":
            return Health.warn(status, **figures)
        advice = ADVICE.get(self._last_cause)
        return Health.warn(advice, **figures) if advice else Health.ok("ready", **figures)


def _answer(request: AskVlm.Goal, prompt: str, outcome: AskResult) -> VlmAnswer:
    combined = outcome.combined
    return VlmAnswer(
        verdict=combined.verdict.value,
        confidence=combined.confidence,
        confidence_source=combined.source,
        text=outcome.text,
        reason=combined.reason,
        cause=combined.cause,
        question=prompt,
        prompt_id=outcome.prompt_id,
        model=outcome.model,
        frame=request.crop.header.stamp,
        latency_s=outcome.latency_s,
        lease_epoch=outcome.epoch,
    )


def _unsure(request: AskVlm.Goal, cause: str) -> VlmAnswer:
    return VlmAnswer(
        verdict=VlmAnswer.VERDICT_UNSURE,
        confidence_source="none",
        cause=cause,
        question=request.question,
        frame=request.crop.header.stamp,
    )


def _refusal(request: AskVlm.Goal, reason: str) -> AskVlm.Result:
    """Return the result of a question that cannot be put; its stamp may be what is wrong."""
    answer = _unsure(request, "bad_request")
    answer.reason, answer.frame = reason, Time()
    return AskVlm.Result(answer=answer)


main = NodeProgram(
    VlmBridgeNode, (SemanticDetectionError,), lambda: MultiThreadedExecutor(num_threads=_THREADS)
)
