"""The behaviour tree. What stands first goes first; each step begins again at the root.

Composites have no memory: what was reached stands in the mission, so whatever interrupts a close
look or a sweep, it goes on where it was.
"""

from __future__ import annotations

from py_trees.behaviour import Behaviour
from py_trees.composites import Selector, Sequence

from semantic_detection_pkg.scan.core.behaviours.close_look import (
    Approach,
    Ask,
    ChooseView,
    Classifier,
    Detector,
    Weigh,
)
from semantic_detection_pkg.scan.core.behaviours.search import Finish, Prepare, Sweep
from semantic_detection_pkg.scan.core.behaviours.standing import Operator, Paused, Rest, Safe
from semantic_detection_pkg.scan.core.behaviours.walking import FollowPath
from semantic_detection_pkg.scan.core.blackboard import Scene


def build_tree(scene: Scene) -> Behaviour:
    """The tree over a scene."""
    closer = Sequence(
        "closer look",
        memory=False,
        children=[
            ChooseView("choose view", scene),
            Approach("approach", scene),
            Detector("tier 1 detector", scene),
            Classifier("tier 2 classifier", scene),
        ],
    )
    return Selector(
        "scan",
        memory=False,
        children=[
            Safe("safe", scene),
            Operator("operator", scene),
            Paused("paused", scene),
            Rest("rest", scene),
            Prepare("prepare", scene),
            Weigh("weigh", scene),
            closer,
            Sweep("sweep", scene),
            FollowPath("follow path", scene),
            Ask("tier 3 model", scene),
            Finish("finish", scene),
        ],
    )
