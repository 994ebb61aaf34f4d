"""From a goal as it was asked for to one that can be carried out, or the reason why it cannot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ros_support_pkg.core.settings import settings_of
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.area import Area, GimbalLimits, check_area, cut_to_limits
from semantic_detection_pkg.scan.core.inputs import GimbalReading, Goal
from semantic_detection_pkg.scan.core.settings import GimbalSettings, ScanSettings
from semantic_detection_pkg.scan.core.weights import check_weights

_FULL_TURN_RAD = math.radians(359.0)


@dataclass(frozen=True)
class Word:
    """A word of the goal: `shelter=tent` is called shelter and known to models as tent."""

    name: str
    label: str


def parse_words(words: tuple[str, ...]) -> tuple[Word, ...]:
    """Return the words of a goal.

    Raises:
        ConfigurationError: there is none, or one is empty.
    """
    if not words:
        raise ConfigurationError("words: none is given, at least one is needed")
    read = []
    for text in words:
        name, _, label = text.partition("=")
        if not name.strip():
            raise ConfigurationError(f"words: '{text}' has no name, a word is needed")
        read.append(Word(name.strip(), label.strip() or name.strip()))
    return tuple(read)


def class_labels(words: tuple[str, ...], names: Sequence[str] = ()) -> dict[str, str]:
    """Return what models call each class of a goal, by the name that detections have.

    Args:
        names: of the detector's answer: its spelling of the words, in their order, without the last
            where it had no room for them, and what it knows besides.
    """
    labels = {}
    for place, word in enumerate(parse_words(words)):
        is_spelled_otherwise = word.name not in names and place < len(names)
        name = names[place] if is_spelled_otherwise else word.name
        labels[name] = name if word.label == word.name else word.label
    return labels


def check_goal(goal: Goal) -> None:
    """Check what can be checked without the gimbal.

    Raises:
        ConfigurationError: words are missing, or ranges or zoom contradict themselves, or weights
            or the wanted POD are out of their range, or there is no such planner.
    """
    parse_words(goal.words)
    check_area(goal.area)
    check_weights(goal.weights, goal.area)
    if not 0.0 <= goal.wanted_pod <= 1.0:
        raise ConfigurationError(
            f"wanted_pod {goal.wanted_pod:g}: allowed is 0..1, 0 for the default"
        )
    planner = settings_of(ScanSettings)["planner"]
    if goal.planner and not planner.allows(goal.planner):
        raise ConfigurationError(planner.refusal(goal.planner))
    if goal.zoom != 0.0 and not 1.0 <= goal.zoom < math.inf:
        raise ConfigurationError(f"zoom {goal.zoom:g}: allowed is 1 or more, or 0 for the default")


def gimbal_limits(reading: GimbalReading, settings: GimbalSettings) -> GimbalLimits:
    """Return how far and how fast the gimbal turns."""
    yaw = (reading.yaw_min_rad, reading.yaw_max_rad)
    return GimbalLimits(
        yaw_rad=yaw,
        pitch_rad=(
            max(reading.pitch_min_rad, -math.pi / 2),
            min(reading.pitch_max_rad, math.pi / 2),
        ),
        is_endless=not yaw[1] - yaw[0] < _FULL_TURN_RAD,
        rate_rad_s=settings.max_rate_rad_s,
        acceleration_rad_s2=settings.max_acceleration_rad_s2,
    )


def fit_goal(goal: Goal, reading: GimbalReading, settings: ScanSettings) -> tuple[Area, float, str]:
    """Return the area within the gimbal's limits, the sweep's zoom, and what was cut, in words.

    Raises:
        ConfigurationError: nothing of the area can be reached, or the gimbal has no such zoom.
    """
    area, cut = cut_to_limits(goal.area, gimbal_limits(reading, settings.gimbal))
    if goal.zoom > 0.0 and goal.zoom > reading.zoom_max * (1.0 + 1e-6):
        raise ConfigurationError(
            f"zoom {goal.zoom:g}: allowed is 1..{reading.zoom_max:g}, the range of this gimbal"
        )
    zoom = goal.zoom or settings.sweep_zoom
    return area, min(zoom, max(reading.zoom_max, 1.0)), cut
