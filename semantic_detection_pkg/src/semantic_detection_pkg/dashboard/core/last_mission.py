"""The mission that the page shows: the goal in hand or, until another is given, the last one.

What is told of it comes from the robot's own states, so it is the same on every page, whoever gave
the goal, and after a reload.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Plain = dict[str, Any]

EDGES = ("yaw_min_rad", "yaw_max_rad", "pitch_min_rad", "pitch_max_rad")
_NUMBERS = ("pod", "wanted_pod", "coverage", "findings")
_OF_CLASS = ("class_name", "pod", "least_pod", "is_measured")
_NS_PER_S = 1_000_000_000
#: Fields of what is kept of a mission, and their types.
_FIELDS: dict[str, Any] = {
    "goal_id": str,
    "begun_ns": str,
    "is_ended": bool,
    "outcome": str,
    "planner": str,
    "elapsed_s": (int, float),
    "classes": list,
    "weight_shares": list,
    **dict.fromkeys(_NUMBERS, (int, float)),
}


class LastMission:
    """Follows the states of a scan controller.

    Attributes:
        goal: area [rad], words, weights, planner and wanted POD as they were asked for; None: none
            was given yet.
        mission: what came of it; None: none was given yet.
    """

    def __init__(self, goal: Plain | None = None, mission: Plain | None = None) -> None:
        """Begin with what is known from an earlier life."""
        self.goal, self.mission = goal, mission
        self._sent: Plain | None = None
        self._is_sent = True  # the goal is what a page asked for

    def send(self, goal: Plain) -> None:
        """Note a goal that is being sent: the next one that the robot has is this one."""
        self._sent = goal

    def drop_sent(self) -> None:
        """Note that what was being sent was not taken."""
        self._sent = None

    def take_state(self, state: Mapping[str, Any], weights: Callable[[], list[Plain]]) -> bool:
        """Take in a state, msg/ScanState as JSON; return whether a goal was begun or has ended.

        Args:
            weights: called for the goal's parts where they are needed.
        """
        goal_id, is_in_hand = state["goal_id"], bool(state["words"])
        if not goal_id or not (is_in_hand or state["outcome"]):
            return False
        mission, is_new = self.mission, False
        if mission is None or mission["goal_id"] != goal_id:
            self._begin_goal(state, weights)
            mission, is_new = _begun(state), True
        self.mission = mission = dict(mission)
        if is_in_hand:
            self._follow(mission, state)
        elif not mission["is_ended"]:
            mission["is_ended"], mission["outcome"] = True, state["outcome"]
            return True
        return is_new

    def take_result(self, is_success: bool, message: str) -> bool:
        """Take in how a goal ended, where no state has said it; return whether that is news."""
        mission = self.mission
        if mission is None or mission["outcome"]:
            return False
        outcome = f"{'succeeded' if is_success else 'not completed'}: {message}"
        self.mission = {**mission, "is_ended": True, "outcome": outcome}
        return True

    def take_classes(
        self, stamp_ns: int, classes: Sequence[Plain], *, is_range_assumed: bool
    ) -> None:
        """Take in the POD of each class; the last one comes with the end of a goal.

        Args:
            stamp_ns: [ns] of the map that it is of.
        """
        mission = self.mission
        if mission is None or not classes or stamp_ns < int(mission["begun_ns"]):
            return
        told = [{name: one[name] or 0 for name in _OF_CLASS} for one in classes]
        self.mission = {**mission, "classes": told, "is_range_assumed": is_range_assumed}
        if not (self.goal or {}).get("is_repeated"):  # else the state has that of the round in hand
            self.mission["pod"] = sum(one["pod"] for one in told) / len(told)

    def take_shares(self, shares: Sequence[Plain]) -> None:
        """Take in what the weights of the goal come to, part by part, then elsewhere."""
        if self.mission is not None:
            self.mission = {**self.mission, "weight_shares": list(shares)}

    def _begin_goal(self, state: Mapping[str, Any], weights: Callable[[], list[Plain]]) -> None:
        sent, self._sent = self._sent, None
        self._is_sent = sent is not None
        if sent is not None:
            self.goal = sent
        elif state["words"]:
            self.goal = {
                "area": {edge: state["area"][edge] for edge in EDGES},
                "words": list(state["words"]),
                "zoom": state["zoom"],
                "is_repeated": state["repeat"],
                "weights": weights(),
                "wanted_pod": state["wanted_pod"],
                "planner": state["planner"],
            }

    def _follow(self, mission: Plain, state: Mapping[str, Any]) -> None:
        mission.update({name: state[name] or 0 for name in _NUMBERS})
        mission["planner"] = state["planner"]
        mission["elapsed_s"] = _elapsed_s(state)
        mission["is_ended"], mission["outcome"] = False, ""
        if mission["forecast"] is None and state["forecast"]:
            mission["forecast"] = {
                "text": state["forecast"],
                "pod": state["forecast_pod"],
                "duration_s": state["forecast_s"],
            }
        if not self._is_sent and self.goal is not None and state["planner"]:
            self.goal = {
                **self.goal,
                "planner": state["planner"],
                "wanted_pod": state["wanted_pod"],
            }


def is_mission(value: Any) -> bool:
    """Return whether a JSON value is what is kept of a mission."""
    return (
        isinstance(value, dict)
        and all(isinstance(value.get(name), kind) for name, kind in _FIELDS.items())
        and value["begun_ns"].isascii()
        and value["begun_ns"].isdigit()
        and all(isinstance(one, dict) for one in (*value["classes"], *value["weight_shares"]))
        and "forecast" in value
    )


def is_goal(value: Any) -> bool:
    """Return whether a JSON value is what is kept of a goal."""
    if not isinstance(value, dict) or not isinstance(value.get("area"), dict):
        return False
    edges = [value["area"].get(edge) for edge in EDGES]
    kinds = {"words": list, "weights": list, "planner": str, "is_repeated": bool}
    return all(isinstance(edge, int | float) for edge in edges) and all(
        isinstance(value.get(name), kind) for name, kind in kinds.items()
    )


def _begun(state: Mapping[str, Any]) -> Plain:
    return {
        "goal_id": state["goal_id"],
        "begun_ns": state["goal_begun"],
        "is_ended": False,
        "outcome": "",
        "planner": state["planner"],
        "forecast": None,
        "elapsed_s": 0.0,
        **dict.fromkeys(_NUMBERS, 0),
        "classes": [],
        "is_range_assumed": False,
        "weight_shares": [],
    }


def _elapsed_s(state: Mapping[str, Any]) -> float:
    return max(0.0, round((int(state["stamp_ns"]) - int(state["goal_begun"])) / _NS_PER_S, 1))
