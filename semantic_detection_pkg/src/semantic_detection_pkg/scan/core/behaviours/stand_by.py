"""Behaviours that come before any search: lost inputs, operators, pauses, rest."""

from __future__ import annotations

import math

from py_trees.common import Status

from ros_support_pkg.core.words import Level
from semantic_detection_pkg.scan.core.behaviours.behaviour import ScanBehaviour
from semantic_detection_pkg.scan.core.blackboard import NS_PER_S
from semantic_detection_pkg.scan.core.decisions import AngleCommand
from semantic_detection_pkg.scan.core.goals import gimbal_limits


class HoldStill(ScanBehaviour):
    """Give no commands while an input is missing."""

    level = Level.SAFE

    def update(self) -> Status:
        blackboard = self.blackboard
        reason = blackboard.why_hold()
        if not reason:
            return Status.SUCCESS
        blackboard.decision.stand_still()
        blackboard.repeat_commands()
        if blackboard.mission is not None:
            blackboard.mission.interrupt()
        return self.running(reason)


class PointForOperator(ScanBehaviour):
    """Point where an operator wants to look, and stay there for a while."""

    def update(self) -> Status:
        blackboard = self.blackboard
        if blackboard.operator is None:
            return Status.SUCCESS
        where, until_ns = blackboard.operator
        if blackboard.now_ns >= until_ns:
            blackboard.operator = None
            return Status.SUCCESS
        if blackboard.mission is not None:
            blackboard.mission.interrupt()
        limits = gimbal_limits(blackboard.reading, blackboard.settings.gimbal)
        blackboard.go_to_angle(AngleCommand(*limits.nearest((where.yaw_rad, where.pitch_rad))))
        left_s = math.ceil((until_ns - blackboard.now_ns) / NS_PER_S)
        return self.running(f"an operator has the camera for {left_s} s more")


class StayPaused(ScanBehaviour):
    """Give no commands while the scan is paused, so that the gimbal stops."""

    def update(self) -> Status:
        blackboard = self.blackboard
        if not blackboard.is_paused or blackboard.mission is None:
            return Status.SUCCESS
        blackboard.mission.interrupt()
        return self.running(blackboard.pause_reason or "paused")


class GoToRest(ScanBehaviour):
    """Without a goal, bring the gimbal to its rest once, zoomed out, and leave it alone."""

    def update(self) -> Status:
        blackboard = self.blackboard
        if blackboard.mission is not None:
            return Status.SUCCESS
        if not blackboard.resting_since_ns:
            return self.running("no goal")
        gimbal, reading = blackboard.settings.gimbal, blackboard.reading
        limits = gimbal_limits(reading, gimbal)
        yaw, pitch = limits.nearest((gimbal.rest_yaw_rad, gimbal.rest_pitch_rad))
        error = max(abs(reading.yaw_rad - yaw), abs(reading.pitch_rad - pitch))
        is_there = error <= gimbal.rest_tolerance_rad and not reading.zoom > 1.05
        waited_s = (blackboard.now_ns - blackboard.resting_since_ns) / NS_PER_S
        if is_there or waited_s >= gimbal.rest_timeout_s:
            blackboard.resting_since_ns = 0
            return self.running(
                "no goal" if is_there else "no goal; the rest position was not reached"
            )
        blackboard.go_to_angle(AngleCommand(yaw, pitch))
        blackboard.zoom_to(1.0)
        return self.running("returning to rest")
