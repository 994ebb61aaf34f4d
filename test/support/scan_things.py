"""Things that a scan finds, or that only look like it, and what it made of them."""

from ros_support_pkg.core.words import FindingState
from simulation_pkg.harness.exact_scan import ExactScan, Thing

PERSON = Thing(0.3, 0.3, "person", 0.02)
TENT = Thing(-0.4, 0.2, "tent", 0.03)
SCARECROW = Thing(-0.1, 0.4, "person", 0.02, truth="scarecrow")
VAGUE = Thing(0.5, 0.15, "person", 0.02, sureness=0.5)


def run_to_end(made: ExactScan, seconds: float = 60.0) -> ExactScan:
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
