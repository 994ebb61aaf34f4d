"""The journal of a scan: what each step was given, and what it decided."""

from __future__ import annotations

from collections.abc import Sequence

from std_msgs.msg import Header

from interfaces_pkg.msg import ScanJournal
from ros_support_pkg.stamps import to_time
from semantic_detection_pkg.core.scan.codec import canonical, to_plain
from semantic_detection_pkg.core.scan.controller import in_order
from semantic_detection_pkg.core.scan.settings import ScanSettings
from semantic_detection_pkg.core.scan.steps import (
    Decision,
    FrameDetections,
    GimbalReading,
    Input,
    input_to_plain,
)
from semantic_detection_pkg.ros.scan_inputs import SETTINGS_TYPE


def to_journal(
    step: int,
    now_ns: int,
    settings: ScanSettings | None,
    inputs: Sequence[Input],
    decision: Decision,
) -> ScanJournal:
    """One step.

    Args:
        settings: where a new controller began with this step.
    """
    plain: list[object] = []
    if settings is not None:
        plain.append({"type": SETTINGS_TYPE, **to_plain(settings)})
    gimbal_ns, detections_ns = [], []
    for item in in_order(inputs):
        if isinstance(item, GimbalReading):
            gimbal_ns.append(item.stamp_ns)
        elif isinstance(item, FrameDetections):
            detections_ns.append(item.stamp_ns)
        else:
            plain.append(input_to_plain(item))
    return ScanJournal(
        header=Header(stamp=to_time(now_ns)),
        step=step,
        gimbal_stamps=[to_time(stamp_ns) for stamp_ns in gimbal_ns],
        detections_stamps=[to_time(stamp_ns) for stamp_ns in detections_ns],
        inputs=canonical(plain),
        decision=decision.to_json(),
    )
