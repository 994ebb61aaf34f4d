"""The leaf that walks along footpaths, after all candidates were looked at."""

from __future__ import annotations

from dataclasses import replace

from py_trees.common import Status

from semantic_detection_pkg.scan.core.behaviours.behaviour import Leaf
from semantic_detection_pkg.scan.core.blackboard import NS_PER_S
from semantic_detection_pkg.scan.core.inputs_and_decisions import Level
from semantic_detection_pkg.scan.core.pointing import Motion


class FollowPath(Leaf):
    """The camera follows the course of a path that was found, to its ends."""

    level = Level.CLOSE
    tier = 2

    def update(self) -> Status:
        scene, mission = self.scene, self.mission
        if not mission.walks:
            return Status.FAILURE
        walk = mission.walks[0]
        if not walk.until_ns:
            budget_ns = round(scene.settings.tiers.path_budget_s * NS_PER_S)
            walk.until_ns = scene.now_ns + budget_ns
        if walk.is_done or scene.now_ns >= walk.until_ns:
            mission.walks = mission.walks[1:]
            path = walk.path()
            if path is not None:
                conclusion = replace(walk.conclusion, path=path)
                scene.wish.findings.append(mission.findings.record(scene.now_ns, conclusion))
            return Status.SUCCESS
        scene.steer(Motion(scene.now_s, *walk.target))
        scene.zoom_to(walk.zoom)
        track = walk.conclusion.track
        return self.running(f"follows {track.class_name} {track.id}")
