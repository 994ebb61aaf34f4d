"""The behaviour that follows footpaths, after all candidates were looked at."""

from __future__ import annotations

from dataclasses import replace

from py_trees.common import Status

from ros_support_pkg.core.words import Level
from semantic_detection_pkg.scan.core.behaviours.behaviour import SearchBehaviour
from semantic_detection_pkg.scan.core.blackboard import NS_PER_S
from semantic_detection_pkg.scan.core.pointing import BearingState
from semantic_detection_pkg.scan.core.search import Search


class FollowPath(SearchBehaviour):
    """Follow the course of a path that was found to its ends, within a budget of time."""

    level = Level.CLOSE
    tier = 2

    def advance(self, search: Search) -> Status:
        blackboard = self.blackboard
        if not search.followers:
            return Status.SUCCESS
        follower = search.followers[0]
        if not follower.until_ns:
            budget_ns = round(blackboard.settings.tiers.path_timeout_s * NS_PER_S)
            follower.until_ns = blackboard.now_ns + budget_ns
        if follower.is_done or blackboard.now_ns >= follower.until_ns:
            search.followers = search.followers[1:]
            path = follower.path()
            if path is not None:
                conclusion = replace(follower.conclusion, path=path)
                finding = search.findings.record(blackboard.now_ns, conclusion)
                blackboard.decision.findings.append(finding)
            return self.again()
        blackboard.point_at(BearingState(blackboard.now_s, *follower.target))
        blackboard.zoom_to(follower.zoom)
        track = follower.conclusion.track
        return self.running(f"following {track.class_name} {track.id}")
