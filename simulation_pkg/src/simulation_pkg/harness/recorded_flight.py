"""A mission in the simulated world with pixels, recorded as the robot's recorder does.

In simulated time and without ROS, so it is as fast as the machine renders and detects.
"""

from __future__ import annotations

from collections import deque
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ros_support_pkg.core.pose_history import Pose
from semantic_detection_pkg.detector.kernels.crops import crop_for_eyes
from semantic_detection_pkg.recorder.core.events import EventRules
from semantic_detection_pkg.recorder.core.ring import RingRules
from semantic_detection_pkg.recorder.core.topics import Message
from semantic_detection_pkg.recorder.storage.disk import Disk
from semantic_detection_pkg.recorder.storage.session import RecordingSession, SessionSettings
from semantic_detection_pkg.scan.core.decisions import AskRequest, Decision
from semantic_detection_pkg.scan.core.evidence import Box, VlmReply
from semantic_detection_pkg.scan.core.inputs import FrameDetections, GimbalReading, Goal, Input
from semantic_detection_pkg.scan.core.settings import ScanSettings
from simulation_pkg.core.world.things import CLASS_NAMES
from simulation_pkg.harness.rendered_scan import RenderedScan, to_ns
from simulation_pkg.harness.robot import AREA, RenderedFrame
from simulation_pkg.harness.scan_harness import START_NS
from simulation_pkg.harness.scan_recording import messages_of_step, picture_message
from simulation_pkg.harness.scores import Score, Things
from vlm_bridge_pkg.asking import BridgeAsker

_JPEG_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 85]  # the camera's default
_ASK_TIMEOUT_S = 60.0
_SETTINGS = SessionSettings(
    RingRules(1 << 40, 0, 64 << 20, 1e9), EventRules(1 << 40, before_s=1.0, after_s=1.0)
)
_POSE = tuple(field.name for field in fields(Pose))


class RecordedFlight(RenderedScan):
    """A mission that goes round and round, as the demo's, with all that it sees in a bag.

    Stamps inside the journal's inputs are the harness's own: the bag tells what happened and when,
    it does not replay.
    """

    def __init__(
        self, seed: int, folder: Path, vlm: str, later_ns: int, settings: ScanSettings
    ) -> None:
        """Begin a recording.

        Args:
            folder: of the recorder; made.
            vlm: address of the vision-language model.
            later_ns: by which all stamps are later than those of another flight.
        """
        super().__init__(seed, settings)
        self._vlm = BridgeAsker(vlm, "", _ASK_TIMEOUT_S)
        self._later_ns = later_ns
        self._number = 0
        self._pictures: list[Message] = []
        folder.mkdir(parents=True)
        self._session = RecordingSession(folder, _SETTINGS, Disk())
        self._session.open()

    def fly(self, seconds: float) -> Score:
        """Search so long [simulated s]; return what was confirmed, by the world's truth."""
        goal = Goal("flight", AREA, CLASS_NAMES, is_repeating=True)
        self.deliver(goal, START_NS)
        while self.robot.now_s < seconds:
            self.step()
        self._session.close()
        return Things(self.world).score(self.claims, self.robot.now_s, self.questions)

    def step(self) -> Decision:
        """See `ScanHarness`."""
        decision = super().step()
        when = self._number, self.now_ns + self._later_ns
        settings = self.settings if self._number == 0 else None
        inputs = [self._shifted(item) for item in self.inputs]
        messages = [*messages_of_step(when, inputs, decision, settings), *self._pictures]
        self._session.write(deque(messages), 0.0)
        self._pictures.clear()
        self._number += 1
        return decision

    def take_picture(self) -> None:
        """Record a picture, and detect in it unless the GPU is lent."""
        picture = self.robot.capture()
        stamp_ns = to_ns(picture.stamp_s) + self._later_ns
        jpeg = np.asarray(cv2.imencode(".jpg", picture.image, _JPEG_QUALITY)[1], np.uint8)
        self._pictures.append(picture_message("/", stamp_ns, stamp_ns, jpeg))
        if not self.is_lent:
            reading: Any = self._reading()
            self.detect_in(picture, Pose(**{name: getattr(reading, name) for name in _POSE}))

    def reply_to(self, question: AskRequest, picture: RenderedFrame, box_xyxy: Box) -> VlmReply:
        """Ask by the same way as the archive will."""
        said = self._vlm.ask(crop_for_eyes(picture.image, box_xyxy), question.class_name)
        return VlmReply(
            question.request_id,
            said.verdict,
            said.confidence,
            said.confidence_source,
            said.text,
            said.reason,
            said.cause,
            said.question,
            said.prompt_id,
            said.model,
            to_ns(picture.stamp_s),
        )

    def _shifted(self, item: Input) -> Input:
        if isinstance(item, GimbalReading):
            return replace(item, stamp_ns=item.stamp_ns + self._later_ns)
        if isinstance(item, FrameDetections) and item.pose is not None:
            pose = replace(item.pose, stamp_ns=item.pose.stamp_ns + self._later_ns)
            return replace(item, stamp_ns=item.stamp_ns + self._later_ns, pose=pose)
        return item
