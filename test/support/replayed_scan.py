"""A scan again, by a fresh controller on what its journal holds."""

from __future__ import annotations

import json
from collections.abc import Callable

from semantic_detection_pkg.scan.core.controller import ScanController
from semantic_detection_pkg.scan.core.inputs import (
    FrameDetections,
    Input,
    input_from_plain,
    input_to_plain,
)
from simulation_pkg.harness.exact_scan import ExactScan


def journalled(item: Input) -> Input:
    """Return an input as a journal brings it back; detections come from the recording."""
    if isinstance(item, FrameDetections):
        return item
    return input_from_plain(json.loads(json.dumps(input_to_plain(item))))


def replayed(
    made: ExactScan, through: Callable[[Input], Input] = journalled
) -> tuple[ScanController, list[str]]:
    """Return a controller that took the same steps, and its decisions as JSON.

    Args:
        through: maps each input.
    """
    controller = ScanController(made.settings)
    decisions = [
        controller.step(now_ns, [through(item) for item in items]).to_json()
        for now_ns, items in made.journal
    ]
    return controller, decisions
