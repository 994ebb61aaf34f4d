"""Recorder node: a ring of MCAP segments on the disk, and events that are kept beyond it.

Messages are recorded as they come, serialised; nothing is unpacked but what the tables show. The
disk is the business of a thread of its own: no callback waits for it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rclpy.node import Node

from interfaces_pkg.msg import Finding, RecorderStatus
from interfaces_pkg.srv import MarkEvent
from ros_support_pkg.diagnostics import Health, publish_diagnostics
from ros_support_pkg.edge import advertise, refuse, serve
from ros_support_pkg.parameters import declare_parameters
from ros_support_pkg.qos import STATE
from ros_support_pkg.running import NodeProgram
from ros_support_pkg.stamps import to_time
from ros_support_pkg.timers import every
from semantic_detection_pkg.common.core.event_marks import check_event_mark
from semantic_detection_pkg.errors import SemanticDetectionError
from semantic_detection_pkg.recorder.core.events import FindingMark
from semantic_detection_pkg.recorder.core.settings import RecorderSettings
from semantic_detection_pkg.recorder.core.topics import Message
from semantic_detection_pkg.recorder.evidence.evidence_writer import EvidenceWriter
from semantic_detection_pkg.recorder.ros.findings import confirmed_finding, read_finding
from semantic_detection_pkg.recorder.ros.raw_subscriptions import RawSubscriptions
from semantic_detection_pkg.recorder.ros.rows import TableRows
from semantic_detection_pkg.recorder.ros.topics import FINDINGS, Source, bag_format, sources
from semantic_detection_pkg.recorder.storage.recorder import Recorder
from semantic_detection_pkg.recorder.storage.session import SessionSettings

_MB = 1_000_000
_PERIOD_S = 1.0


class RecorderNode(Node):
    """Subscriptions in, a `Recorder` behind them."""

    def __init__(self, **options: Any) -> None:
        super().__init__("recorder", **options)
        self._config = declare_parameters(self, RecorderSettings)
        self._recorder = Recorder(
            Path(self._config.output_dir),
            _session_settings(self._config),
            self._config.queue_bytes,
            rows_of=TableRows(),
            finding_of=confirmed_finding,
        )
        self._evidence_writer = EvidenceWriter(Path(self._config.output_dir))
        wanted = sources(
            with_frames=self._config.frames == "compressed", extra=self._config.extra_topics
        )
        self._findings_seen: set[str] = set()
        self._status = advertise(self, RecorderStatus, "recorder/status", STATE)
        serve(self, MarkEvent, "recorder/mark_event", self._mark)
        publish_diagnostics(self, self._check)
        self._recorder.start()
        self._evidence_writer.start()
        self._inputs = RawSubscriptions(self, wanted, self._take, self._recorder.lose)
        every(self, _PERIOD_S, self._look_around)

    def destroy_node(self) -> None:
        self._evidence_writer.stop()
        self._recorder.stop()
        super().destroy_node()

    def _take(self, source: Source, message: Message) -> None:
        self._recorder.offer(message, is_frame=source.is_frame)
        if source.name == FINDINGS:
            try:
                finding = read_finding(message)
            except ValueError as error:  # recorded as it is; an event of it nobody could read
                refuse(self, FINDINGS, str(error))
                return
            self._keep_if_confirmed(finding, message)

    def _keep_if_confirmed(self, finding: Finding, message: Message) -> None:
        """Make an event of the first revision that confirms a finding, around the time it was sent.

        Later ones replace the finding in it. Who starts late is told of older findings, too: the
        ring may still hold their time.
        """
        if finding.state != Finding.STATE_CONFIRMED and finding.id not in self._findings_seen:
            return
        try:
            self._recorder.keep_finding(FindingMark(finding.id, finding.class_name, message))
        except SemanticDetectionError as error:  # its next revision is another chance
            self.get_logger().error(f"finding {finding.id} is not kept: {error}")
            return
        self._findings_seen.add(finding.id)

    def _mark(self, request: MarkEvent.Request, response: MarkEvent.Response) -> MarkEvent.Response:
        check_event_mark(request.label, request.before_s, request.after_s)
        # Not the node's clock, which may be simulated: bags go by the time of receiving.
        now_ns = time.time_ns()
        try:
            folder = self._recorder.mark(request.label, now_ns, request.before_s, request.after_s)
        except SemanticDetectionError as error:
            response.message = str(error)
            return response
        response.success, response.message = True, "kept"
        response.directory = str(folder.absolute())
        return response

    def _look_around(self) -> None:
        self._inputs.adapt()
        state = self._recorder.state
        message = RecorderStatus(
            is_recording=not state.fault,
            directory=str((Path(self._config.output_dir) / "ring").absolute()),
            bytes_used=state.bytes_used,
            bytes_budget=self._config.ring.max_ring_bytes,
            bytes_events=state.bytes_events,
            bytes_free=state.bytes_free,
            oldest=to_time(state.oldest_ns),
            segments=state.segments,
            events=state.events,
            messages=state.written,
            dropped=state.dropped.total(),
            drop_reason=state.drop_reason,
        )
        message.header.stamp = self.get_clock().now().to_msg()
        self._status.publish(message)

    def _check(self) -> Health:
        state = self._recorder.state
        figures = {
            "written": state.written,
            "used_mb": state.bytes_used // _MB,
            "free_mb": state.bytes_free // _MB,
            "events": state.events,
            "queue_kb": state.queue_bytes // 1000,
            "events_waiting": state.events_waiting,
        }
        for (topic, reason), count in state.dropped.items():
            figures[f"dropped {topic}: {reason}"] = count
        if state.fault:
            return Health.error(state.fault, **figures)
        if state.dropped:
            return Health.warn(f"messages were dropped: {state.drop_reason}", **figures)
        return Health.ok("recording", **figures)


def _session_settings(settings: RecorderSettings) -> SessionSettings:
    """Return what the storage is to do."""
    return SessionSettings(
        settings.ring,
        settings.events,
        settings.compression,
        bag_format(settings.ros_distro),
        settings.flush_period_s,
    )


main = NodeProgram(RecorderNode, (SemanticDetectionError,))
