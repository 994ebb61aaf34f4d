"""The journal of a scan: what each step was given, what it decided, and the same steps again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from std_msgs.msg import Header

from interfaces_pkg.msg import Detections, GimbalState, ScanJournal
from ros_support_pkg.stamps import from_time, to_time
from semantic_detection_pkg.core.scan.codec import canonical, to_plain
from semantic_detection_pkg.core.scan.controller import ScanController, in_order
from semantic_detection_pkg.core.scan.settings import ScanSettings
from semantic_detection_pkg.core.scan.steps import (
    Decision,
    FrameDetections,
    GimbalReading,
    Input,
    input_to_plain,
)
from semantic_detection_pkg.ros.scan_inputs import (
    SETTINGS_TYPE,
    from_detections,
    from_gimbal_state,
    from_journal,
)

_HELD_MAX = 5000  # messages that no step has named yet: more than a minute of both topics


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


class ScanReplay:
    """Takes the recorded steps again: the same inputs must give the same decisions."""

    def __init__(self) -> None:
        """Nothing is known; steps before the first with settings cannot be taken."""
        self._controller: ScanController | None = None
        self._held: OrderedDict[tuple[type, int], Input] = OrderedDict()

    def take(self, message: GimbalState | Detections) -> None:
        """Hold a message until a step names it; give those before the step that does.

        Raises:
            FrameError: its arrays do not fit together.
        """
        item: Input
        if isinstance(message, GimbalState):
            item = from_gimbal_state(message)
        else:
            item = from_detections(message)
        self._held[type(item), from_time(message.header.stamp)] = item
        while len(self._held) > _HELD_MAX:
            self._held.popitem(last=False)

    def step(self, journal: ScanJournal) -> str | None:
        """The decision that this step comes to now; None before the first with settings.

        Raises:
            LookupError: a message that the step names was not given.
            ValueError: it is not a journal of this version.
        """
        settings, others = from_journal(journal)
        if settings is not None:
            self._controller = ScanController(settings)
        if self._controller is None:
            return None
        named = [
            *((GimbalReading, from_time(stamp)) for stamp in journal.gimbal_stamps),
            *((FrameDetections, from_time(stamp)) for stamp in journal.detections_stamps),
        ]
        for kind, stamp_ns in named:
            if (kind, stamp_ns) not in self._held:
                raise LookupError(f"step {journal.step}: no {kind.__name__} of {stamp_ns} ns")
        inputs = [self._held.pop(name) for name in named]
        decision = self._controller.step(from_time(journal.header.stamp), [*inputs, *others])
        return decision.to_json()
