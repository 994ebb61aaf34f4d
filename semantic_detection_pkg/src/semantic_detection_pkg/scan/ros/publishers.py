"""Publishers of the scan controller: state, tracks, coverage, findings, journal, markers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic, thread_time

from rclpy.node import Node
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from interfaces_pkg.msg import (
    Coverage,
    Finding,
    ScanJournal,
    ScanState,
    SearchNeed,
    Tracks,
)
from ros_support_pkg.core.share_of_time import ShareOfTime
from ros_support_pkg.edge import advertise
from ros_support_pkg.qos import EVENT, RECORD, STATE
from ros_support_pkg.timers import every
from semantic_detection_pkg.scan.core import evidence
from semantic_detection_pkg.scan.core.controller import ScanController
from semantic_detection_pkg.scan.core.coverage import CoverageMap
from semantic_detection_pkg.scan.core.decisions import Decision
from semantic_detection_pkg.scan.core.inputs import BaseAttitude, Fix
from semantic_detection_pkg.scan.core.pod_map import PodMap
from semantic_detection_pkg.scan.ros import outputs as scan_outputs
from semantic_detection_pkg.scan.ros.markers import scan_markers

_SHOWN_EVERY_S = 1.0  # what changes all the time: coverage, markers
#: Of the time of the thread that steers. A whole area with the POD of six classes takes tenths of
#: a second, as rclpy converts its points one by one: each second, that is half of all it does.
_MARKERS_SHARE = 0.05


class ScanPublishers:
    """Publishes what changed after each step, the rest once a second, large markers less often."""

    def __init__(self, node: Node, base_frame: str, on_state: Callable[[ScanState], None]) -> None:
        """Create the publishers; `on_state` is called with each state, too."""
        self._node = node
        self._base_frame = base_frame
        self._on_state = on_state
        self._controller = ScanController()
        self._decision = Decision()
        self._told = ""
        self._run = scan_outputs.GoalRun()
        self._maps: tuple[CoverageMap, PodMap | None, tuple[Fix, BaseAttitude] | None] | None
        self._maps = None  # of the goal in hand
        self._frame_ns = 0
        self._state = advertise(node, ScanState, "scan/state", STATE)
        self._coverage = advertise(node, Coverage, "scan/coverage", STATE)
        self._need = advertise(node, SearchNeed, "scan/need", STATE)
        self._is_need_told = False
        self._tracks = advertise(node, Tracks, "scan/tracks", EVENT)
        self._findings = advertise(node, Finding, "findings", RECORD)
        # A recorder that is found late must have the first step: a replay begins there.
        self._journal = advertise(node, ScanJournal, "scan/journal", RECORD)
        self._markers = advertise(node, MarkerArray, "scan/markers", STATE)
        self._markers_share = ShareOfTime(_MARKERS_SHARE)
        every(node, _SHOWN_EVERY_S, self._show)

    def header(self) -> Header:
        """Return a header with the present time and the base frame."""
        return Header(stamp=self._node.get_clock().now().to_msg(), frame_id=self._base_frame)

    def after_step(self, controller: ScanController, decision: Decision) -> None:
        """Publish what a step changed."""
        self._controller, self._decision = controller, decision
        if controller.frame_ns != self._frame_ns:
            self._frame_ns = controller.frame_ns
            self._publish_tracks()
            self._publish_need()
        status = decision.status
        self._follow_goal(controller, decision)
        self._show_end(controller, decision)
        told = (
            f"{status.level} {controller.is_paused} {status.reason} {status.findings} {self._run}"
        )
        if told != self._told:
            self._told = told
            self._publish_state()

    def _follow_goal(self, controller: ScanController, decision: Decision) -> None:
        """Note which goal is in hand, or how the last one ended."""
        goal, ended = controller.goal, decision.result
        if goal is not None:
            self._run = scan_outputs.GoalRun(goal.goal_id, controller.goal_begun_ns)
        elif ended is not None:
            begun_ns = self._run.begun_ns if self._run.goal_id == ended.goal_id else 0
            outcome = f"{ended.outcome}: {ended.message}"
            self._run = scan_outputs.GoalRun(ended.goal_id, begun_ns, outcome)

    def _show_end(self, controller: ScanController, decision: Decision) -> None:
        """Publish the coverage of a goal that has ended once more: what its end says is of it."""
        if controller.coverage is not None:
            self._maps = controller.coverage, controller.pod, controller.base
        elif decision.result is not None and self._maps is not None:
            coverage, pod, base = self._maps
            self._maps = None
            self._coverage.publish(
                scan_outputs.to_coverage(coverage, controller.now_s, self.header(), pod, base)
            )

    def publish_findings(self, findings: Sequence[evidence.Finding]) -> None:
        """Publish findings; those that were told before may be told again."""
        for finding in findings:
            self._findings.publish(scan_outputs.to_finding(finding, self._base_frame))

    def write_journal(self, journal: ScanJournal) -> None:
        """Publish one step of the journal."""
        self._journal.publish(journal)

    def _publish_tracks(self) -> None:
        controller = self._controller
        self._tracks.publish(
            scan_outputs.to_tracks(
                controller.tracks, controller.frame_ns, controller.pose_delay_s, self._base_frame
            )
        )

    def _publish_need(self) -> None:
        """Tell with every frame where fine looks are wanted, and once that nobody searches."""
        coverage, needs = self._controller.coverage, self._controller.needs
        if coverage is not None or self._is_need_told:
            looking = self._controller.looking
            self._need.publish(scan_outputs.to_search_need(coverage, needs, self.header(), looking))
        self._is_need_told = coverage is not None

    def _publish_state(self) -> None:
        controller = self._controller
        state = scan_outputs.to_scan_state(
            self._decision.status,
            controller.goal,
            self.header(),
            is_paused=controller.is_paused,
            progress=controller.progress,
            run=self._run,
        )
        self._state.publish(state)
        self._on_state(state)

    def _show(self) -> None:
        controller, header = self._controller, self.header()
        now_s = controller.now_s
        self._publish_state()
        if controller.coverage is not None:
            self._coverage.publish(
                scan_outputs.to_coverage(
                    controller.coverage, now_s, header, controller.pod, controller.base
                )
            )
        if self._markers.get_subscription_count() and self._markers_share.is_due(monotonic()):
            begun_s = thread_time()
            self._markers.publish(scan_markers(header, now_s, controller))
            self._markers_share.done(thread_time() - begun_s, monotonic())
