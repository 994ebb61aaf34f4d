"""The journal of a scan as messages: the inputs and the decision of each step."""

from __future__ import annotations

from collections.abc import Sequence

from std_msgs.msg import Header

from interfaces_pkg.msg import ScanJournal
from ros_support_pkg.stamps import to_time
from semantic_detection_pkg.scan.core.controller import in_order
from semantic_detection_pkg.scan.core.decisions import Decision
from semantic_detection_pkg.scan.core.inputs import (
    FrameDetections,
    GimbalReading,
    Input,
    OtherInput,
)
from semantic_detection_pkg.scan.core.journal import (
    inputs_to_json,
    is_told_again,
    reading_checksum,
)
from semantic_detection_pkg.scan.core.settings import ScanSettings


def to_journal(
    step: int,
    now_ns: int,
    settings: ScanSettings | None,
    inputs: Sequence[Input],
    decision: Decision,
    in_force: ScanSettings | None = None,
) -> ScanJournal:
    """Return the message of one step.

    Args:
        settings: where a new controller began with this step.
        in_force: of the controller that goes on; told again now and then.
    """
    others: list[OtherInput] = []
    gimbal: list[GimbalReading] = []
    detections_ns = []
    for item in in_order(inputs):
        if isinstance(item, GimbalReading):
            gimbal.append(item)
        elif isinstance(item, FrameDetections):
            detections_ns.append(item.stamp_ns)
        else:
            others.append(item)
    return ScanJournal(
        header=Header(stamp=to_time(now_ns)),
        step=step,
        gimbal_stamps=[to_time(item.stamp_ns) for item in gimbal],
        gimbal_checksums=[reading_checksum(item) for item in gimbal],
        detections_stamps=[to_time(stamp_ns) for stamp_ns in detections_ns],
        inputs=inputs_to_json(settings, others, in_force if is_told_again(step) else None),
        decision=decision.to_json(),
    )
