"""A scan whose controller crashes: another one goes on from its checkpoint, over the same robot."""

from typing import Any

from semantic_detection_pkg.scan.core.checkpoint_encoding import CheckpointEncoder, to_text
from semantic_detection_pkg.scan.core.controller import ScanController
from semantic_detection_pkg.scan.core.inputs import Resume
from simulation_pkg.harness.exact_scan import ExactScan
from simulation_pkg.harness.scan_harness import STEP_NS

S = 1_000_000_000


def body_of(made: ExactScan) -> bytes:
    """Return the body of the checkpoint that the controller has now."""
    checkpoint = made.controller.checkpoint()
    assert checkpoint is not None
    return CheckpointEncoder().body(checkpoint)


def crash(made: ExactScan, *, gap_s: float = 0.0, **resume: Any) -> Resume:
    """Take a checkpoint, lose the controller, let time pass, and begin with another one."""
    item = Resume(to_text(body_of(made)), round(gap_s * S), **resume)
    resume_from(made, item, gap_s)
    return item


def resume_from(made: ExactScan, item: Resume, gap_s: float = 0.0) -> None:
    """Lose the controller, let time pass, and begin with another one that is told this."""
    made.controller = ScanController(made.settings)
    made.now_ns += round(gap_s * S / STEP_NS) * STEP_NS
    made.inbox.append(item)
    made._later.clear()  # answers to the one that ended
