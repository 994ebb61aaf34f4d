"""The behaviour tree of the scan.

A sequence of duties: each is done or has nothing to do before the next one may use the gimbal. It
has no memory, each tick begins again at its first child, so a loss or an operator comes first at
any moment; what was reached is in the mission, and whatever interrupts a close look or a sweep, it
goes on where it was.

SUCCESS lets the next one go on, RUNNING ends the tick, FAILURE is a goal that cannot be carried
out. What has no need of the gimbal, the evaluation of candidates, comes before each tick.
"""

from __future__ import annotations

from py_trees.behaviour import Behaviour
from py_trees.composites import Sequence

from semantic_detection_pkg.scan.core.behaviours.close_look import (
    ApproachView,
    AwaitClassifier,
    ChooseView,
    WatchCandidates,
)
from semantic_detection_pkg.scan.core.behaviours.path import FollowPath
from semantic_detection_pkg.scan.core.behaviours.question import AskVlm
from semantic_detection_pkg.scan.core.behaviours.stand_by import (
    GoToRest,
    HoldStill,
    PointForOperator,
    StayPaused,
)
from semantic_detection_pkg.scan.core.behaviours.sweep import (
    FinishSearch,
    PrepareSearch,
    SweepArea,
)
from semantic_detection_pkg.scan.core.blackboard import Blackboard


def build_tree(blackboard: Blackboard) -> Behaviour:
    """Return the tree over a blackboard."""
    close_look = Sequence(
        "close look",
        memory=False,
        children=[
            ChooseView(blackboard),
            ApproachView(blackboard),
            WatchCandidates(blackboard),
            AwaitClassifier(blackboard),
        ],
    )
    return Sequence(
        "scan",
        memory=False,
        children=[
            HoldStill(blackboard),
            PointForOperator(blackboard),
            StayPaused(blackboard),
            GoToRest(blackboard),
            PrepareSearch(blackboard),
            close_look,
            SweepArea(blackboard),
            FollowPath(blackboard),
            AskVlm(blackboard),
            FinishSearch(blackboard),
        ],
    )
