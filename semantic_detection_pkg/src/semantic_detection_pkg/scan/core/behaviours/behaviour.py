"""What all behaviours share: they read the blackboard, and say in the decision who runs and why."""

from __future__ import annotations

import re
from abc import abstractmethod

from py_trees.behaviour import Behaviour
from py_trees.common import Status

from ros_support_pkg.core.words import Level
from semantic_detection_pkg.scan.core.blackboard import Blackboard
from semantic_detection_pkg.scan.core.search import Search


class ScanBehaviour(Behaviour):
    """A behaviour of the scan.

    SUCCESS: it has nothing to do, the next one may. RUNNING: it has the gimbal, or it changed what
    comes first and has the tree begin again. FAILURE: the goal cannot be carried out.

    Behaviours keep nothing between ticks: what was reached is in the mission, so one that was
    interrupted by a loss or an operator goes on where it was.
    """

    level = Level.IDLE
    tier = 0

    def __init__(self, blackboard: Blackboard) -> None:
        """Take the name from the class: ScanState and journals know `GoToRest` as "go to rest"."""
        super().__init__(re.sub(r"(?<!^)(?=[A-Z])", " ", type(self).__name__).lower())
        self.blackboard = blackboard

    def running(self, reason: str) -> Status:
        """Take the gimbal for this step, for this reason."""
        self.blackboard.decision.set_status(self.level, self.tier, self.name, reason)
        return Status.RUNNING

    def again(self) -> Status:
        """Have the tree ticked again within this step: what was done changes what comes first."""
        self.blackboard.wants_tick = True
        return Status.RUNNING


class SearchBehaviour(ScanBehaviour):
    """A behaviour that needs a mission with a plan; without one it has nothing to do."""

    def update(self) -> Status:
        mission = self.blackboard.mission
        if mission is None or mission.search is None:
            return Status.SUCCESS
        return self.advance(mission.search)

    @abstractmethod
    def advance(self, search: Search) -> Status:
        """Do the next piece of it."""
