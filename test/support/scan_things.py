"""Things that a scan finds, or that only look like it; scans of them, and what came of those."""

import dataclasses
import math
from typing import Any

from ros_support_pkg.core.words import FindingState
from semantic_detection_pkg.scan.core.settings import InputTimeouts, ScanSettings, TierSettings
from simulation_pkg.harness.exact_scan import ExactScan, Thing

PERSON = Thing(0.3, 0.3, "person", 0.02)
TENT = Thing(-0.4, 0.2, "tent", 0.03)
SCARECROW = Thing(-0.1, 0.4, "person", 0.02, truth="scarecrow")
VAGUE = Thing(0.5, 0.15, "person", 0.02, sureness=0.5)
COURSE = tuple((-0.5 + 0.1 * i, 0.3 + 0.05 * math.sin(i)) for i in range(11))
PATH = Thing(0.0, 0.3, "footpath", 0.012, course=COURSE)
SETTINGS = ScanSettings()


def without_model(**changes: Any) -> ScanSettings:
    """Return settings that wait for the model's answer for a second only."""
    return ScanSettings(tiers=TierSettings(vlm_timeout_s=1.0, **changes))


def exact_scan(*things: Thing, **switches: Any) -> ExactScan:
    """Return a scan with short timeouts, so that tests need few steps."""
    settings = switches.pop("settings", SETTINGS)
    settings = dataclasses.replace(
        settings,
        input_timeouts=InputTimeouts(
            gimbal_timeout_s=0.3, detections_timeout_s=0.5, camera_timeout_s=0.4
        ),
    )
    return ExactScan(list(things), settings=settings, **switches)


def run_to_end(made: ExactScan, seconds: float = 90.0) -> ExactScan:
    """Let time pass until a goal has its result, at most so long; return the same scan."""
    made.run(seconds, until=lambda decision: decision.result is not None)
    return made


def states_of(made: ExactScan) -> dict[str, FindingState]:
    """Return the newest state of each thing that was found, by its truth or else its class."""
    states = {}
    for finding in made.findings.values():
        thing = min(made.things, key=lambda one: abs(one.yaw_rad - finding.yaw_rad))
        states[thing.truth or thing.class_name] = finding.state
    return states
