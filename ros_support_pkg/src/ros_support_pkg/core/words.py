"""The constants of the messages as enumerations, and their words: the one table of both.

A message's field `link` has the constants LINK_DOWN, LINK_UP, ...: here they are `LinkState`, with
the same names and values (a test compares them). ROS, recordings, evidence pages and, by a
generated file, the dashboard take names and words from here.

A recording may be older than the constants. So `read` goes by the name that the message's own
definition gives a number, not by the number.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum
from functools import cache
from typing import Any, TypeVar


class Worded:
    """A member of an enumeration that has a word for programs and a text for people."""

    name: str

    @property
    def word(self) -> str:
        """Return the name in small letters, as JSON has it."""
        return self.name.lower()

    @property
    def text(self) -> str:
        """Return what people read."""
        return TEXTS.get(self, self.word.replace("_", " "))


class LinkState(Worded, Enum):
    """How far the line to the gimbal can be trusted."""

    DOWN = 0  # not connected
    HANDSHAKE = 1  # connected; the model or the attitude is not known yet
    STALE = 2  # connected, but the newest attitude is too old to steer by
    UP = 3  # the attitude is fresh


class GimbalMode(Worded, Enum):
    """What the gimbal's yaw follows."""

    UNKNOWN = 0
    LOCK = 1  # keeps its heading in the world
    FOLLOW = 2  # yaw follows the vehicle
    FPV = 3  # yaw and roll follow the vehicle


class FocusAction(Worded, Enum):
    """What to do with the focus."""

    STOP = 0
    AUTO = 1
    NEAR = 2
    FAR = 3


class Level(Worded, Enum):
    """What the scan controller is doing."""

    IDLE = 0
    SWEEP = 1
    CLOSE = 2
    SAFE = 3


class Verdict(Worded, Enum):
    """What a tier of the close look says, from the model's answer to the finding."""

    NOT_RUN = 0
    YES = 1
    NO = 2
    UNSURE = 3
    UNCERTAIN = 3  # the name of UNSURE in older recordings of answers

    def negated(self) -> Verdict:
        """Return the verdict on the opposite question."""
        return {Verdict.YES: Verdict.NO, Verdict.NO: Verdict.YES}.get(self, self)


class FindingState(Worded, Enum):
    """What became of a finding."""

    CANDIDATE = 0
    CONFIRMED = 1
    REJECTED = 2
    UNCERTAIN = 3


class TrackState(Worded, Enum):
    """How sure it is that a track is there."""

    TENTATIVE = 0  # seen, not yet often enough
    CONFIRMED = 1
    LOST = 2  # not seen now, still predicted


class CellResult(Worded, IntEnum):
    """What a cell of the coverage map is known to hold."""

    UNSEEN = 0
    EMPTY = 1
    CANDIDATE = 2
    FINDING = 3
    REJECTED = 4


class GpuOwner(Worded, Enum):
    """Who may compute on the GPU."""

    NOBODY = 0
    DETECTOR = 1
    LEASE = 2
    UNKNOWN = 3


class HealthLevel(Worded, Enum):
    """How healthy the machine is."""

    OK = 0
    WARN = 1
    SHED = 2
    CRITICAL = 3


class WordOrigin(Worded, Enum):
    """Where the detector has the meaning of a word from."""

    PREPARED = 0  # a class of the model, or in the vocabulary beside it
    ENCODED = 1  # typed, and encoded by the model's text encoder
    CACHED = 2  # typed, and encoded before
    EXAMPLES = 3  # of examples, in place of what the word says


class WordsCause(Worded, Enum):
    """Why the detector looks for other words than before."""

    CONFIGURED = 0  # the model was loaded
    SET = 1  # they were asked for
    SHOWN = 2  # an example was shown
    FORGOTTEN = 3  # examples were forgotten


class WordActKind(Worded, Enum):
    """What somebody asked of the detector's words."""

    SET = 0  # these and no others
    SHOWN = 1  # one more, by example
    FORGOTTEN = 2  # without these


#: Where the text for people is more than the name.
TEXTS: Mapping[Any, str] = {
    Level.SWEEP: "level 1: sweep",
    Level.CLOSE: "level 2: close look",
    GpuOwner.LEASE: "the VLM",
    HealthLevel.SHED: "loads are shed",
    CellResult.UNSEEN: "not seen",
    CellResult.EMPTY: "seen, nothing",
    WordOrigin.PREPARED: "prepared with the model",
    WordOrigin.ENCODED: "typed",
    WordOrigin.CACHED: "typed before",
    WordOrigin.EXAMPLES: "by example",
}

#: (message type, field) -> its enumeration. `SetFocus` is a service; its request has the field.
FIELDS: Mapping[tuple[str, str], type[Worded]] = {
    ("GimbalState", "link"): LinkState,
    ("GimbalState", "mode"): GimbalMode,
    ("SetFocus_Request", "action"): FocusAction,
    ("ScanState", "level"): Level,
    ("TierResult", "verdict"): Verdict,
    ("VlmAnswer", "verdict"): Verdict,
    ("Finding", "state"): FindingState,
    ("Track", "state"): TrackState,
    ("Coverage", "result"): CellResult,  # the field `results` holds one for each cell
    ("GpuState", "owner"): GpuOwner,
    ("HealthState", "level"): HealthLevel,
    ("WordMeaning", "origin"): WordOrigin,
    ("WordsInForce", "cause"): WordsCause,
    ("WordAct", "kind"): WordActKind,
}

#: What each tier of the close look is.
TIERS: Mapping[int, str] = {1: "detector", 2: "classifier", 3: "VLM"}

WordedT = TypeVar("WordedT", bound=Enum)


def read(message: Any, field: str, default: WordedT) -> WordedT:
    """Return the member that a message's field stands for.

    Args:
        message: of rclpy or of a recording.
        field: a number that the message's type names by constants FIELD_NAME.
        default: of the wanted enumeration: for numbers and names that it does not know.
    """
    kind: Any = type(message)
    name = names_of(kind, field).get(int(getattr(message, field)), "")
    return type(default).__members__.get(name, default)


@cache
def names_of(message_type: type, field: str) -> dict[int, str]:
    """Return the names that a message type gives the numbers of a field: constants FIELD_NAME."""
    prefix = f"{field.upper()}_"
    return {
        value: name.removeprefix(prefix)
        for name in dir(message_type)
        if name.startswith(prefix) and isinstance(value := getattr(message_type, name), int)
    }
