"""Leaves that come before any search: losses, operators, pauses, rest."""

from __future__ import annotations

import math

from py_trees.common import Status

from semantic_detection_pkg.scan.core.behaviours.behaviour import Leaf
from semantic_detection_pkg.scan.core.blackboard import NS_PER_S
from semantic_detection_pkg.scan.core.goals import limits_of
from semantic_detection_pkg.scan.core.inputs_and_decisions import Angle, Level


class Safe(Leaf):
    """Something is missing: no commands until it is back."""

    level = Level.SAFE

    def update(self) -> Status:
        scene = self.scene
        moves = scene.mission is not None or scene.operator or scene.resting_since_ns
        reason = scene.losses.gimbal(scene.now_ns) if moves else ""
        if not reason and scene.mission is not None and not self._is_asking():
            reason = scene.losses.pictures(scene.now_ns)
        if not reason:
            return Status.FAILURE
        scene.wish.stand_still()
        scene.forget_commands()
        if scene.mission is not None:
            scene.mission.interrupt()
        return self.running(reason)

    def _is_asking(self) -> bool:
        """While a model answers, it may have the GPU, and nothing is detected."""
        mission = self.scene.mission
        return mission is not None and mission.question is not None


class Operator(Leaf):
    """An operator looks somewhere: go there and stay for a while."""

    def update(self) -> Status:
        scene = self.scene
        if scene.operator is None:
            return Status.FAILURE
        where, until_ns = scene.operator
        if scene.now_ns >= until_ns:
            scene.operator = None
            return Status.FAILURE
        if scene.mission is not None:
            scene.mission.interrupt()
        limits = limits_of(scene.reading, scene.settings.gimbal)
        scene.go_to(Angle(*limits.nearest((where.yaw_rad, where.pitch_rad))))
        left_s = math.ceil((until_ns - scene.now_ns) / NS_PER_S)
        return self.running(f"an operator looks here for {left_s} s more")


class Paused(Leaf):
    """The scan was paused: no commands, so the gimbal stops."""

    def update(self) -> Status:
        scene = self.scene
        if not scene.is_paused or scene.mission is None:
            return Status.FAILURE
        scene.mission.interrupt()
        return self.running("paused")


class Rest(Leaf):
    """No goal is in hand: the gimbal goes to its rest once, zoomed out, and is left alone."""

    def update(self) -> Status:
        scene = self.scene
        if scene.mission is not None:
            return Status.FAILURE
        if not scene.resting_since_ns:
            return self.running("no goal")
        gimbal, reading = scene.settings.gimbal, scene.reading
        limits = limits_of(reading, gimbal)
        yaw, pitch = limits.nearest((gimbal.rest_yaw_rad, gimbal.rest_pitch_rad))
        error = max(abs(reading.yaw_rad - yaw), abs(reading.pitch_rad - pitch))
        is_there = error <= gimbal.rest_tolerance_rad and not reading.zoom > 1.05
        waited_s = (scene.now_ns - scene.resting_since_ns) / NS_PER_S
        if is_there or waited_s >= gimbal.rest_timeout_s:
            scene.resting_since_ns = 0
            return self.running("no goal" if is_there else "no goal; rest was not reached")
        scene.go_to(Angle(yaw, pitch))
        scene.zoom_to(1.0)
        return self.running("goes to rest")
