"""What a page may ask of the robot: the bodies of the requests, and who carries them out.

The models are the one place of names, units and ranges; FastAPI makes its OpenAPI document of them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from semantic_detection_pkg.common.core.event_marks import (
    LABEL_CHARS_MAX,
    LABEL_PATTERN,
    SECONDS_MAX,
)
from semantic_detection_pkg.common.pictures import EXAMPLE_BYTES_MAX
from semantic_detection_pkg.dashboard.core.last_mission import EDGES
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.weights import (
    MAX_PARTS,
    MAX_VERTICES,
    WEIGHT_MAX,
    WeightedArea,
    check_weights,
)

#: [s] that a picture may take on its way and in the example network, on a slow processor.
EXAMPLE_TIMEOUT_S = 30.0
#: More than any model has room for: which were dropped, the detector says.
WORDS_MAX = 1000
#: Of a word with all that it stands for, `coat=raincoat|rain jacket`; of each part the detector
#: says what is too long.
WORD_LETTERS_MAX = 2000
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]")


def _checked_word(word: str) -> str:
    """Return a word that the robot may be asked for; it is named where it is none."""
    shown = repr(word if len(word) <= 40 else f"{word[:40]}...")
    if len(word) > WORD_LETTERS_MAX:
        raise ValueError(f"{shown} has {len(word)} letters, at most {WORD_LETTERS_MAX} are allowed")
    if _CONTROL_CHARACTERS.search(word):
        raise ValueError(f"{shown} has control characters: letters and blanks are allowed")
    return word


Yaw = Annotated[float, Field(ge=-2 * math.pi, le=2 * math.pi, description="[rad] + is left")]
Pitch = Annotated[float, Field(ge=-math.pi, le=math.pi, description="[rad] + is nose down")]
_Rate = Annotated[float, Field(ge=-4.0, le=4.0, description="[rad/s]")]
_Word = Annotated[str, Field(min_length=1), AfterValidator(_checked_word)]
_Zoom = Annotated[float, Field(ge=1.0, le=200.0, description="[x] magnification")]
_Pixels = Annotated[float, Field(ge=-1e6, le=1e6, description="[px]")]
_Seconds = Annotated[float, Field(ge=0.0, le=SECONDS_MAX, description="[s]")]


class Command(BaseModel):
    """Base of all: what is not named is refused, and so are NaN and infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Turn(Command):
    """Turn the gimbal at these rates; the driver stops it 200 ms after the last one."""

    yaw_rate_rad_s: _Rate
    pitch_rate_rad_s: _Rate


class Stop(Command):
    """Stop the gimbal."""


class Center(Command):
    """Point the gimbal to its middle."""


class Point(Command):
    """Point the gimbal to a bearing and stay there."""

    yaw_rad: Yaw
    pitch_rad: Pitch


class PointScan(Point):
    """Have the scan look at a bearing next."""


class Zoom(Command):
    """Zoom to a magnification."""

    zoom: _Zoom


class SetWords(Command):
    """Choose what the detector looks for; no words: all that the model knows."""

    words: Annotated[tuple[_Word, ...], Field(max_length=WORDS_MAX)] = ()


class ForgetExamples(Command):
    """Forget what was shown of a class."""

    name: _Word


class AddExample(Command):
    """Look for what a box on a picture shows; the picture is the request's body."""

    name: _Word
    x_min: _Pixels
    y_min: _Pixels
    x_max: _Pixels
    y_max: _Pixels
    is_negative: bool = Field(False, description="it is not of this class, and lowers it")

    @model_validator(mode="after")
    def _check_box(self) -> AddExample:
        if self.x_min >= self.x_max or self.y_min >= self.y_max:
            raise ValueError(
                f"box {self.x_min:g}, {self.y_min:g}, {self.x_max:g}, {self.y_max:g} px: a box of "
                "some area is needed"
            )
        return self


class ShowExample(AddExample):
    """The same with its picture: JPEG, PNG or WebP."""

    picture: Annotated[bytes, Field(min_length=1, max_length=EXAMPLE_BYTES_MAX, repr=False)]


class SetProposals(Command):
    """Choose what the detector proposes without a word of the model."""

    is_anomaly: bool = False
    colours: Annotated[tuple[_Word, ...], Field(max_length=100)] = ()


class Vertex(Command):
    """A corner of a part of the area."""

    yaw_rad: Yaw
    pitch_rad: Pitch


class WeightedPart(Command):
    """A part of the area, and how likely what is sought stands there, against 1 elsewhere."""

    vertices: Annotated[tuple[Vertex, ...], Field(min_length=3, max_length=MAX_VERTICES)]
    weight: Annotated[float, Field(ge=0.0, le=WEIGHT_MAX)]
    origin: Annotated[
        str, Field(max_length=80, description="drawn, or the file that it is of; for people")
    ] = ""

    @property
    def as_weight(self) -> WeightedArea:
        """Return the same as the scan has it."""
        corners = tuple((one.yaw_rad, one.pitch_rad) for one in self.vertices)
        return WeightedArea(corners, self.weight)


class ToBearings(Command):
    """Tell where places on the ground lie as seen from the robot."""

    latitudes_deg: tuple[float, ...]
    longitudes_deg: tuple[float, ...]


class StartScan(Command):
    """Search an area for what the words name."""

    yaw_min_rad: Yaw = math.radians(-60)
    yaw_max_rad: Yaw = math.radians(60)
    pitch_min_rad: Pitch = math.radians(-5)
    pitch_max_rad: Pitch = math.radians(35)
    words: Annotated[tuple[_Word, ...], Field(min_length=1, max_length=WORDS_MAX)]
    zoom: Annotated[float, Field(ge=0.0, le=200.0, description="[x] 0: the controller's own")] = 0.0
    is_repeated: bool = False
    weights: Annotated[tuple[WeightedPart, ...], Field(max_length=MAX_PARTS)] = ()
    planner: Annotated[
        Literal["", "auto", "sweep", "probability"],
        Field(description="empty: the controller's own"),
    ] = ""
    wanted_pod: Annotated[
        float,
        Field(ge=0.0, le=1.0, description="probability of detection; 0: the controller's own"),
    ] = 0.0

    @model_validator(mode="after")
    def _check_order(self) -> StartScan:
        if self.yaw_min_rad >= self.yaw_max_rad or self.pitch_min_rad >= self.pitch_max_rad:
            raise ValueError("the least yaw and pitch must be below the greatest")
        area = Area(self.yaw_min_rad, self.yaw_max_rad, self.pitch_min_rad, self.pitch_max_rad)
        check_weights([one.as_weight for one in self.weights], area)
        return self

    def as_goal(self) -> dict[str, Any]:
        """Return it as the page's section `goal` has it."""
        plain = self.model_dump(mode="json")
        return {"area": {edge: plain.pop(edge) for edge in EDGES}, **plain}


class PauseScan(Command):
    """Hold the scan where it is, or go on."""

    is_paused: bool


class StopScan(Command):
    """End the scan."""


class MarkEvent(Command):
    """Keep what happened around now beyond the recorder's ring."""

    label: Annotated[str, Field(min_length=1, max_length=LABEL_CHARS_MAX, pattern=LABEL_PATTERN)]
    before_s: _Seconds = 10.0
    after_s: _Seconds = 5.0


class CommandStatus(Enum):
    """How a command ended."""

    DONE = "done"
    REFUSED = "refused"
    ABSENT = "absent"  # nobody there who could do it
    LATE = "late"  # no answer in time


@dataclass(frozen=True)
class Outcome:
    """How a command ended, and what the robot said.

    Attributes:
        bearings: (yaw, pitch) [rad] that it was asked for.
    """

    status: CommandStatus
    message: str = ""
    bearings: tuple[tuple[float, float], ...] = ()


class Robot(Protocol):
    """Carries out commands. Every method may be called by any thread and returns at once."""

    def send(self, command: Command, done: Callable[[Outcome], None]) -> None:
        """Carry out a command; `done` is called once, by any thread."""

    def turn(self, command: Turn) -> None:
        """Turn the gimbal: the newest rate replaces one that has not been sent yet."""

    def watch_pictures(self, is_watched: bool) -> None:
        """Say whether anybody looks at pictures; without, none need be made."""

    def watch_place(self, is_watched: bool) -> None:
        """Say whether anybody looks at a map; without, nobody need hear where the robot is."""

    def announce_operator(self, name: str, done: Callable[[], None]) -> None:
        """Say who holds control; empty: nobody. `done` is called once, by any thread.

        The next announcement comes only after that.
        """
