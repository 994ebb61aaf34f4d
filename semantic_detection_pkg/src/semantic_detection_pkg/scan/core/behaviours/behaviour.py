"""What all leaves share: they see a `Scene`, and say in the wish who runs and why."""

from __future__ import annotations

from py_trees.behaviour import Behaviour
from py_trees.common import Status

from semantic_detection_pkg.scan.core.blackboard import Scene
from semantic_detection_pkg.scan.core.inputs_and_decisions import Level
from semantic_detection_pkg.scan.core.mission import Mission


class Leaf(Behaviour):
    """A leaf over a scene. RUNNING: it has the gimbal; FAILURE: nothing to do; SUCCESS: done.

    Leaves keep nothing between ticks: what was reached stands in the mission, so a leaf that was
    interrupted by a loss or an operator goes on where it was.
    """

    level = Level.IDLE
    tier = 0

    def __init__(self, name: str, scene: Scene) -> None:
        super().__init__(name)
        self.scene = scene

    @property
    def mission(self) -> Mission:
        """The mission in hand; the leaf `rest` keeps others from running without one."""
        assert self.scene.mission is not None, f"{self.name} runs without a mission"
        return self.scene.mission

    def running(self, reason: str) -> Status:
        """It has the gimbal, for this reason."""
        wish = self.scene.wish
        wish.level, wish.tier, wish.leaf, wish.reason = self.level, self.tier, self.name, reason
        return Status.RUNNING
