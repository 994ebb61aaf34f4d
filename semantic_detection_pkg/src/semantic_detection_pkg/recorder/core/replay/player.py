"""Takes recorded steps again, in lock-step: the next one when the last was decided.

Nothing here has a clock. What was recorded best effort may have been written a little after the
step that took it, so a step waits for its messages until enough later steps have come.

Messages are named by their stamps, and several may have the same: the gimbal's state is that of its
newest angles, however often it is published. A step says which by checksums. In recordings without
them the newest are the step's own: what no step names, since nothing was in hand, is older.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from semantic_detection_pkg.scan.core.controller import ScanController
from semantic_detection_pkg.scan.core.inputs import FrameDetections, GimbalReading
from semantic_detection_pkg.scan.core.journal import (
    RecordedStep,
    inputs_from_json,
    reading_checksum,
    with_present_words,
)
from semantic_detection_pkg.scan.core.settings import ScanSettings

#: What a recording of a scan consists of, in the order of recording.
Recorded = GimbalReading | FrameDetections | RecordedStep
Change = Callable[[ScanSettings], ScanSettings]
_Message = GimbalReading | FrameDetections
_Name = tuple[type, int]

_PATIENCE = 100  # later steps, 5 s of them, until a message counts as lost
_SEEN_MAX = 1000  # a recorder that starts again is told the newest steps again
_HELD_MAX = 5000  # messages that no step has named: more than a minute of both topics

BEFORE_START = "the work that it belongs to began before the recording"


@dataclass(frozen=True)
class ReplayedStep:
    """What became of one recorded step.

    Attributes:
        step: as recorded.
        decision: what it comes to now, canonical JSON; None where it cannot be replayed.
        problem: why not; empty otherwise.
        version_notes: of the settings, where a controller began with it; see `StepInputs`.
    """

    step: RecordedStep
    decision: str | None
    problem: str = ""
    version_notes: tuple[str, ...] = ()

    @property
    def is_same(self) -> bool:
        return self.decision == self.step.decision


def replay(
    recorded: Iterable[Recorded], change: Change = lambda same: same
) -> Iterator[ReplayedStep]:
    """Decide all recorded steps again, each with exactly the inputs that it had.

    A controller begins with the first step that holds settings. Where a step or one of its messages
    is missing, the steps up to the next such one cannot be replayed.

    Args:
        change: what to make of the recorded settings.
    """
    player = _Player(change)
    for item in recorded:
        if isinstance(item, RecordedStep):
            player.wait(item)
        else:
            player.hold(item)
        yield from player.take_ready(_PATIENCE)
    yield from player.take_ready(0)


class _Held(NamedTuple):
    """A message that no step has named yet, and of a reading its checksum: asked for repeatedly."""

    item: _Message
    checksum: int | None


class _Player:
    def __init__(self, change: Change) -> None:
        self._waiting: deque[RecordedStep] = deque()
        self._change = change
        self._controller: ScanController | None = None
        self._problem = BEFORE_START
        self._next_number = -1
        self._seen: OrderedDict[tuple[int, int], None] = OrderedDict()
        self._held: OrderedDict[_Name, list[_Held]] = OrderedDict()
        self._held_count = 0

    def hold(self, item: _Message) -> None:
        """Keep a message until a step names it."""
        checksum = reading_checksum(item) if isinstance(item, GimbalReading) else None
        self._held.setdefault((type(item), item.stamp_ns), []).append(_Held(item, checksum))
        self._held_count += 1
        while self._held_count > _HELD_MAX:
            oldest = next(iter(self._held))
            self._let_go(oldest, slice(0, 1))

    def wait(self, step: RecordedStep) -> None:
        """Take a step in its turn, once, its decision in the words of this version."""
        name = (step.number, step.now_ns)
        if name not in self._seen:
            self._seen[name] = None
            if len(self._seen) > _SEEN_MAX:
                self._seen.popitem(last=False)
            self._waiting.append(with_present_words(step))

    def take_ready(self, patience: int) -> Iterator[ReplayedStep]:
        """Take the steps whose messages are there, or for which `patience` later steps wait."""
        while self._waiting:
            missing = self._missing(self._waiting[0])
            if missing and len(self._waiting) <= patience:
                return
            yield self._take(self._waiting.popleft(), missing)

    def _missing(self, step: RecordedStep) -> str:
        for stamp_ns, checksum in _readings_named(step):
            if self._reading(stamp_ns, checksum) is None:
                return f"GimbalReading of {stamp_ns} ns is not in the recording"
        for (kind, stamp_ns), count in Counter(_named(step)).items():
            if len(self._held.get((kind, stamp_ns), ())) < count:
                return f"{kind.__name__} of {stamp_ns} ns is not in the recording"
        return ""

    def _take(self, step: RecordedStep, missing: str) -> ReplayedStep:
        is_gap = step.number != self._next_number
        self._next_number = step.number + 1
        try:
            inputs = inputs_from_json(step.inputs)
        except ValueError as error:
            self._controller, self._problem = None, f"its inputs cannot be read: {error}"
            return ReplayedStep(step, None, self._problem)
        if inputs.settings is not None:
            self._controller = ScanController(self._change(inputs.settings))
        elif is_gap:
            self._stop("steps before it are not in the recording")
        if missing:
            self._stop(missing)
        if self._controller is None:
            return ReplayedStep(step, None, self._problem, inputs.version_notes)
        messages = self._messages(step)
        decision = self._controller.step(step.now_ns, [*messages, *inputs.others])
        return ReplayedStep(step, decision.to_json(), "", inputs.version_notes)

    def _messages(self, step: RecordedStep) -> list[_Message]:
        readings = [self._reading(*name) for name in _readings_named(step)]
        names = _named(step)
        own = {
            name: iter(self._let_go(name, slice(-count, None)))
            for name, count in Counter(names).items()
        }
        return [one for one in readings if one is not None] + [next(own[name]) for name in names]

    def _reading(self, stamp_ns: int, checksum: int) -> GimbalReading | None:
        """Return a reading; it stays, as others with the same content may have been lost."""
        for item, its_checksum in self._held.get((GimbalReading, stamp_ns), ()):
            if isinstance(item, GimbalReading) and its_checksum == checksum:
                return item
        return None

    def _let_go(self, name: _Name, which: slice) -> list[_Message]:
        messages = self._held[name]
        gone = [one.item for one in messages[which]]
        del messages[which]
        self._held_count -= len(gone)
        if not messages:
            del self._held[name]
        return gone

    def _stop(self, problem: str) -> None:
        """Stop: nothing can be replayed up to the next beginning. The first reason counts."""
        if self._controller is not None:
            self._controller, self._problem = None, problem


def _readings_named(step: RecordedStep) -> list[tuple[int, int]]:
    return list(zip(step.gimbal_ns, step.gimbal_checksums, strict=False))


def _named(step: RecordedStep) -> list[_Name]:
    """Return what is named by its stamp alone."""
    return [
        *((GimbalReading, stamp_ns) for stamp_ns in step.gimbal_ns[len(step.gimbal_checksums) :]),
        *((FrameDetections, stamp_ns) for stamp_ns in step.detections_ns),
    ]
