"""What goes into a step of the scan controller, as data, and its form in a journal.

`ScanController.step(now_ns, inputs) -> Decision` is the whole interface. The same steps with the
same inputs give the same decisions, bit for bit, so a journal of inputs is a recording of the scan.
Angles are REP 103 from the gimbal's base: yaw + is left, pitch + is nose down. Stamps are
nanoseconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass

from ros_support_pkg.core.pose_history import Pose
from ros_support_pkg.core.settings import constant
from semantic_detection_pkg.common.core.detection_curve import DetectionCurves
from semantic_detection_pkg.common.core.detections import Detections
from semantic_detection_pkg.common.core.looks import Look
from semantic_detection_pkg.common.core.serialization import from_plain, to_plain
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.detector_words import WordsInForce
from semantic_detection_pkg.scan.core.evidence import VlmReply
from semantic_detection_pkg.scan.core.terrain import Terrain
from semantic_detection_pkg.scan.core.weights import WeightedArea


@dataclass(frozen=True)
class GimbalReading(Pose):
    """Where the gimbal pointed at `stamp_ns`; a `gimbal/state` message.

    Attributes:
        zoom_max: greatest zoom of this model; NaN while unknown.
        link: "up", "stale", "handshake" or "down".
        yaw_min_rad .. pitch_max_rad: soft limits in force.
    """

    zoom_max: float = 1.0
    link: str = "up"
    yaw_min_rad: float = -3.2
    yaw_max_rad: float = 3.2
    pitch_min_rad: float = -1.6
    pitch_max_rad: float = 1.6

    @property
    def is_up(self) -> bool:
        """Return whether the line is up and the angles fresh; otherwise only `link` counts."""
        return self.link == "up"

    @property
    def is_usable(self) -> bool:
        """Return whether it is a pose: the line is up and a gimbal can have these angles."""
        return self.is_up and super().is_usable


@dataclass(frozen=True, eq=False)
class FrameDetections:
    """What the detector found in the frame captured at `stamp_ns`; a `detections` message.

    Attributes:
        pose: at the capture, as the detector looked it up; None: nobody knew, or the recording is
            from before it was published.
        looks: what was looked at, and how finely; empty: the whole picture, as in recordings from
            before it was published.
        proposed_classes: so many of the last of the vocabulary are no words of the model: what has
            such a class was proposed for its colour or as an anomaly.
        proposer: the settings by which they were made, as JSON; empty: nothing is proposed.
        words_since_ns: stamp of the `detector/words` message with the words' meanings; 0: it was
            not told, as in recordings from before it was published.
    """

    stamp_ns: int
    detections: Detections
    vocabulary: tuple[str, ...]
    model: str = ""
    pose: Pose | None = None
    looks: tuple[Look, ...] = ()
    proposed_classes: int = 0
    proposer: str = ""
    words_since_ns: int = 0

    @property
    def words(self) -> tuple[str, ...]:
        """Return the model's words in the vocabulary."""
        return self.vocabulary[: len(self.vocabulary) - self.proposed_classes]

    @property
    def proposed_names(self) -> frozenset[str]:
        """Return the classes of proposals in the vocabulary."""
        return frozenset(self.vocabulary[len(self.vocabulary) - self.proposed_classes :])


@dataclass(frozen=True)
class Goal:
    """Search an area for what the words name.

    Attributes:
        goal_id: of the caller; the result names it.
        area: as asked for, not checked yet.
        zoom: of the sweep; 0: the settings' default, or as the planner chooses.
        is_repeating: begin again when the area is covered, until cancelled.
        weights: where what is sought is likelier, not checked yet; empty: alike everywhere.
        wanted_pod: 0..1, probability of detection in the area that is enough; 0: the settings'.
        planner: "sweep" or "probability"; empty: the settings'.
    """

    goal_id: str
    area: Area
    words: tuple[str, ...]
    zoom: float = 0.0
    is_repeating: bool = False
    weights: tuple[WeightedArea, ...] = constant((), before=())
    wanted_pod: float = constant(0.0, before=0.0)
    planner: str = constant("", before="")


@dataclass(frozen=True)
class Cancel:
    """End the goal in hand; the gimbal goes to rest."""

    goal_id: str


@dataclass(frozen=True)
class PointHere:
    """An operator looks somewhere; the scan goes on after the settings' hold."""

    yaw_rad: float
    pitch_rad: float


@dataclass(frozen=True)
class Pause:
    """Stand still, or go on."""

    is_paused: bool


@dataclass(frozen=True)
class Resume:
    """Go on with the mission of a controller that ended; the first input of a new controller.

    Attributes:
        checkpoint: of that mission; see `checkpoint_encoding.to_text`.
        elapsed_ns: [ns] since the checkpoint; 0 where nobody knows.
        reasons_to_ask: why an operator must agree first, in words; empty: it goes on at once.
    """

    checkpoint: str
    elapsed_ns: int = 0
    reasons_to_ask: tuple[str, ...] = ()


@dataclass(frozen=True)
class SweepPlanned:
    """The plan of the sweep that was waited for is made; see `SweepTask.number`."""

    number: int


@dataclass(frozen=True)
class VocabularyReply:
    """The detector's answer to `VocabularyRequest` `request_id`.

    Attributes:
        since_ns: of the `WordsInForce` that tells of it, or, where it is refused for the sake of
            newer words, of these; 0: not told, as in recordings from before it was answered.
    """

    request_id: int
    is_ok: bool
    message: str = ""
    vocabulary: tuple[str, ...] = ()
    since_ns: int = constant(0, before=0)


@dataclass(frozen=True)
class InspectionResult:
    """The classifier's answer to `InspectRequest` `request_id`.

    Attributes:
        error: why there is none; empty: there is one.
        labels, probabilities: by falling probability; both empty where there is no classifier.
        has_crop: there is a picture that a question can be put about.
    """

    request_id: int
    frame_ns: int
    error: str = ""
    model: str = ""
    labels: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()
    has_crop: bool = True


@dataclass(frozen=True)
class Fix:
    """Where the gimbal's base is, WGS 84; sigmas are 1-sigma [m]."""

    stamp_ns: int
    latitude_deg: float
    longitude_deg: float
    altitude_m: float
    sigma_horizontal_m: float = 3.0
    sigma_vertical_m: float = 5.0


@dataclass(frozen=True)
class BaseAttitude:
    """How the gimbal's base is turned: unit quaternion from the base to east-north-up (REP 103)."""

    stamp_ns: int
    quaternion_xyzw: tuple[float, float, float, float]
    sigma_rad: float = 0.02


@dataclass(frozen=True)
class BaseLost:
    """Where the base is, or how it is turned, is not known any more; `what`: "fix" or "imu"."""

    what: str


@dataclass(frozen=True)
class GpuStatus:
    """Who may use the GPU; a `gpu/state` message.

    Attributes:
        is_lent: somebody other than the detector has it: no detections come, which is no fault.
        is_degraded: Tier 3 is off.
    """

    is_lent: bool
    is_degraded: bool
    reason: str = ""


@dataclass(frozen=True)
class CameraBeat:
    """The camera gave a frame captured at `stamp_ns`; tells a lost camera from a lost detector."""

    stamp_ns: int


OtherInput = (
    Goal
    | Cancel
    | PointHere
    | Pause
    | SweepPlanned
    | Resume
    | VocabularyReply
    | WordsInForce
    | InspectionResult
    | VlmReply
    | Fix
    | BaseAttitude
    | BaseLost
    | GpuStatus
    | CameraBeat
    | DetectionCurves
    | Terrain
)
Input = GimbalReading | FrameDetections | OtherInput

#: Kinds of inputs by their names in journals, which stay when a class is renamed.
_KINDS: dict[str, type] = {
    "GimbalReading": GimbalReading,
    "Goal": Goal,
    "Cancel": Cancel,
    "PointHere": PointHere,
    "Pause": Pause,
    "SweepPlanned": SweepPlanned,
    "Resume": Resume,
    "VocabularyReply": VocabularyReply,
    "WordsInForce": WordsInForce,
    "InspectionResult": InspectionResult,
    "VlmReply": VlmReply,
    "Fix": Fix,
    "Attitude": BaseAttitude,
    "BaseLost": BaseLost,
    "GpuStatus": GpuStatus,
    "CameraBeat": CameraBeat,
    "DetectionCurves": DetectionCurves,
    "Terrain": Terrain,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def kind_name(kind: type) -> str:
    """Return the name of a kind of inputs in journals."""
    return _NAMES[kind]


def input_to_plain(item: Input) -> dict[str, object]:
    """Return an input other than detections as a JSON object with its `type`.

    Raises:
        ValueError: detections are too long for a journal; it names them by their stamp.
    """
    name = _NAMES.get(type(item))
    if name is None:
        kind = type(item).__name__
        raise ValueError(f"{kind} is not journalled, journalled are {', '.join(_KINDS)}")
    return {"type": name, **to_plain(item)}


def input_from_plain(plain: dict[str, object]) -> Input:
    """Return the input that `input_to_plain` wrote, bit for bit.

    Raises:
        ValueError: the type is unknown or a field does not fit.
    """
    fields = dict(plain)
    name = str(fields.pop("type", ""))
    if name not in _KINDS:
        raise ValueError(f"input of type '{name}' is unknown, known are {', '.join(_KINDS)}")
    item: Input = from_plain(_KINDS[name], fields)
    return item
