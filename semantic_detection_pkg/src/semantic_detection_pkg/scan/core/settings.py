"""Settings of the scan: frozen, checked, and (`ScanSettings`) part of the journal.

Name, default, unit, range and text of each setting are here and in the settings of the parts that
`ScanSettings` holds; see `ros_support_pkg.core.settings`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields

from ros_support_pkg.core.ranges import check_range
from ros_support_pkg.core.settings import DEGREES, constant, group, setting, settings_of
from semantic_detection_pkg.common.core.settings import wide_hfov_setting
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.checkpoint_settings import CheckpointSettings
from semantic_detection_pkg.scan.core.coverage import CoverageCriteria
from semantic_detection_pkg.scan.core.planning.sweep import SweepSettings
from semantic_detection_pkg.scan.core.planning.view_planning import ViewPlanningSettings
from semantic_detection_pkg.scan.core.pointing import PointingSettings
from semantic_detection_pkg.scan.core.start_goal import StartGoal
from semantic_detection_pkg.scan.core.terrain import TerrainSettings
from semantic_detection_pkg.scan.core.thing_sizes import PodSettings
from semantic_detection_pkg.scan.core.tracking.tracker import TrackerSettings


@dataclass(frozen=True)
class GimbalSettings:
    """What the gimbal's own messages do not say.

    Attributes:
        rest_tolerance_rad: as near as this to its rest position, the gimbal is there.
    """

    # Deliberately low: too high, the axis would overshoot.
    max_rate_rad_s: float = setting(
        90.0,
        "greatest rate of an axis",
        minimum=1.0,
        maximum=360.0,
        scale=DEGREES,
        formerly=("rate_rad_s",),
    )
    max_acceleration_rad_s2: float = setting(
        800.0,
        "acceleration of an axis that is counted on",
        minimum=10.0,
        maximum=5000.0,
        scale=DEGREES,
        formerly=("acceleration_rad_s2",),
    )
    wide_hfov_rad: float = wide_hfov_setting()
    rest_yaw_rad: float = setting(
        0.0, "yaw where no goal is in hand", minimum=-180.0, maximum=180.0, scale=DEGREES
    )
    rest_pitch_rad: float = setting(
        0.0, "pitch where no goal is in hand", minimum=-90.0, maximum=90.0, scale=DEGREES
    )
    rest_tolerance_rad: float = math.radians(1.0)
    rest_timeout_s: float = setting(8.0, "longest way to the rest", minimum=0.5, maximum=60.0)


@dataclass(frozen=True)
class InputTimeouts:
    """How long an input may be silent until it counts as lost."""

    gimbal_timeout_s: float = setting(
        0.6,
        "time without gimbal/state until the gimbal is lost",
        minimum=0.1,
        maximum=10.0,
        formerly=("gimbal_s",),
    )
    detections_timeout_s: float = setting(
        2.0,
        "time without detections until the detector is lost; 1.5 intervals of a slow camera",
        minimum=0.2,
        maximum=60.0,
        formerly=("detections_s",),
    )
    camera_timeout_s: float = setting(
        1.5,
        "time without camera/camera_info until the camera is lost",
        minimum=0.2,
        maximum=60.0,
        formerly=("camera_s",),
    )
    vocabulary_timeout_s: float = constant(3.0, formerly=("vocabulary_s",))


@dataclass(frozen=True)
class CandidateSettings:
    """Which tracks become candidates, and when two of them are one object.

    Attributes:
        association_gate_sizes, association_gate_rad: two bearings of one class are one object
            where, along both axes, they are within this many mean sizes, or this angle.
        association_min_overlap: they are also one object where this share of the smaller box, 0..1,
            lies in the other: a close view shows parts of larger objects.
        area_margin_rad: objects may be this far outside the area.
        gating_max_rad, gating_rate_rad_s: how far an object may have moved while it was not seen:
            at most, and for each second.
        findings_as_seen: a finding is where its thing was last seen, not where it may be by now.
        known_by_sight: what was decided is known again where it was last seen, and what stood
            beside it then is something else.
        kept_max: greatest number of candidates, and of decided ones; the oldest go first.
    """

    min_score: float = setting(
        0.3,
        "mean score from which a track is a candidate",
        minimum=0.0,
        maximum=1.0,
        formerly=("score_min",),
    )
    max_candidate_wait_s: float = setting(
        30.0,
        "a candidate that waits longer interrupts the sweep",
        minimum=0.0,
        maximum=3600.0,
        formerly=("candidate_wait_s", "wait_max_s"),
    )
    cooldown_s: float = setting(
        300.0,
        "what was decided is no candidate again for this long",
        minimum=0.0,
        maximum=86400.0,
    )
    max_open_proposals: int = setting(
        8,
        "what is proposed as an anomaly or for its colour is no candidate while so many of those"
        " are open",
        minimum=0,
        maximum=500,
        before=8,
    )
    association_gate_sizes: float = constant(0.6, formerly=("same_sizes",))
    association_min_overlap: float = constant(0.6, formerly=("same_part",))
    area_margin_rad: float = constant(math.radians(1.0), formerly=("beside_rad",))
    gating_max_rad: float = constant(math.radians(1.8), formerly=("stroll_rad",))
    gating_rate_rad_s: float = constant(math.radians(0.3), formerly=("stroll_rad_s",))
    association_gate_rad: float = constant(math.radians(0.4), formerly=("same_rad",))
    findings_as_seen: bool = constant(True, before=False)
    known_by_sight: bool = constant(True, before=False)
    kept_max: int = 500


@dataclass(frozen=True)
class CloseSettings:
    """How close a close view is, and how long it may take.

    Attributes:
        arrival_share: share of the picture: so near to its bearing a view counts as reached.
        answer_s: [s] from the end of a view until the results of its frames are in; until then its
            candidates get no other view.
        min_view_frames: frames captured in a view that have to be examined for it to count as one
            of `max_views`; 0: it counts whatever the camera did.
        misses_need_tiles: a frame of which the detector looked at tiles speaks against a candidate
            only where one of them showed it.
        refind_zoom: share of the zoom for one wider view, where the candidate is not where it was;
            0: none.
        refind_rad: how far the candidate may have moved.
    """

    # The default is what the demo classifier was trained from.
    min_target_px: float = setting(
        110.0,
        "pixels on target: longer side of a box from which it can be judged",
        minimum=8.0,
        maximum=2000.0,
        formerly=("needs_px",),
    )
    min_target_px_by_class: tuple[tuple[str, float], ...] = setting(
        (("footpath", 140.0),),
        "class=px, for classes that need another size",
        formerly=("needs_px_of",),
    )
    refine_factor: float = setting(
        2.5,
        "magnification of a second view over the first, where that left it unsure",
        unit="x",
        minimum=1.0,
        maximum=10.0,
        formerly=("closer",),
    )
    max_view_motion_blur_px: float = setting(
        4.0,
        "motion blur above which a close picture is not judged",
        minimum=0.1,
        maximum=50.0,
        formerly=("sharp_px",),
    )
    arrival_share: float = 0.1
    approach_timeout_s: float = setting(
        6.0, "longest way to a view", minimum=0.1, maximum=60.0, formerly=("approach_s",)
    )
    # By then enough frames are captured.
    max_dwell_s: float = setting(
        0.25, "longest stay in a view, once there", minimum=0.1, maximum=60.0, formerly=("view_s",)
    )
    answer_s: float = 0.4
    max_views: int = setting(
        3,
        "close views that showed one candidate in frames, then it stays uncertain",
        minimum=1,
        maximum=20,
        formerly=("views_max",),
    )
    min_view_frames: int = constant(2, before=0)
    misses_need_tiles: bool = constant(True, before=False)
    refind_zoom: float = 0.5
    refind_rad: float = math.radians(4.0)


@dataclass(frozen=True)
class TierSettings:
    """When each tier is sure.

    Attributes:
        true_positive_rate, false_positive_rate: chance of a detection in one close frame where
            the object is there, and where it is not.
        error_rate: of the sequential test, both for yes and for no.
        inspections_at_once: greatest number of requests under way.
        detector_accept_score: of the detector, close up, from which Tier 1 alone confirms.
    """

    true_positive_rate: float = constant(0.92, formerly=("hit_if_there",))
    false_positive_rate: float = constant(0.08, formerly=("hit_if_not",))
    error_rate: float = 0.02
    detector_accept_score: float = constant(0.5, before=0.0)
    classifier_accept_threshold: float = setting(
        0.75,
        "the classifier's probability of the class from which Tier 2 says yes",
        minimum=0.01,
        maximum=0.999,
        formerly=("classifier_yes",),
    )
    classifier_reject_threshold: float = setting(
        0.25,
        "the classifier's probability of the class up to which Tier 2 says no",
        minimum=0.001,
        maximum=0.99,
        formerly=("classifier_no",),
    )
    min_inspections: int = setting(
        2,
        "crops of different frames that Tier 2 takes for a verdict",
        minimum=1,
        maximum=20,
        formerly=("inspections_min",),
    )
    max_inspections: int = setting(
        2,
        "crops of one size after which Tier 2 stays unsure",
        minimum=1,
        maximum=20,
        formerly=("inspections_max",),
    )
    inspections_at_once: int = 6
    inspection_timeout_s: float = setting(
        1.0, "longest wait for one crop", minimum=0.05, maximum=30.0
    )
    vlm_policy: str = setting(
        "unsure",
        "when the vision-language model is asked: where Tiers 1 and 2 are unsure, also to confirm"
        " what they found, or never",
        choices=("unsure", "always", "never"),
        formerly=("vlm",),
    )
    vlm_timeout_s: float = setting(
        30.0,
        "longest wait for the vision-language model's answer, the GPU's lease included",
        minimum=0.5,
        maximum=600.0,
    )
    vlm_unavailable_policy: str = setting(
        "uncertain",
        "verdict where it cannot answer: uncertain, or what Tiers 1 and 2 say is more likely",
        choices=("uncertain", "lower"),
        formerly=("without_vlm",),
    )
    path_classes: tuple[str, ...] = setting(
        ("footpath",), "classes whose course is followed; ['']: none", formerly=("path_words",)
    )
    path_timeout_s: float = setting(
        12.0,
        "longest time for following one path",
        minimum=0.0,
        maximum=600.0,
        formerly=("path_budget_s",),
    )


@dataclass(frozen=True)
class ScanSettings:
    """Everything that a scan depends on besides its inputs.

    Raises:
        ConfigurationError: on construction, if values contradict each other.
    """

    sweep_zoom: float = setting(
        1.0, "zoom of goals that name none", unit="x", minimum=1.0, maximum=100.0
    )
    planner: str = setting(
        "auto",
        "how the area is searched: in a sweep at one zoom until all of it was seen; by the"
        " probability of detection, at the zooms and paces that find most in a second, until"
        " wanted_pod; auto: by it where the detector was measured for all that is looked for and"
        " the camera's height is known, else in a sweep",
        choices=("auto", "sweep", "probability"),
        before="sweep",
    )
    wanted_pod: float = setting(
        0.95,
        "probability of detection in the area that is enough, for goals that name none, where the"
        " planner goes by it",
        minimum=0.01,
        maximum=1.0,
    )
    cell_size_rad: float = setting(
        1.0,
        "side of a cell of the coverage map",
        minimum=0.1,
        maximum=20.0,
        scale=DEGREES,
        formerly=("cell_rad",),
    )
    operator_hold_s: float = setting(
        10.0, "how long the scan waits after scan/point_here", minimum=0.1, maximum=3600.0
    )
    ground_height_m: float = setting(
        math.nan, "ground above the ellipsoid, for positions; .nan: none are given"
    )
    gimbal: GimbalSettings = field(default_factory=GimbalSettings)
    input_timeouts: InputTimeouts = group(InputTimeouts, formerly=("losses",))
    candidates: CandidateSettings = field(default_factory=CandidateSettings)
    close: CloseSettings = field(default_factory=CloseSettings)
    view_planning: ViewPlanningSettings = group(ViewPlanningSettings, formerly=("tour",))
    tiers: TierSettings = field(default_factory=TierSettings)
    coverage: CoverageCriteria = group(CoverageCriteria, formerly=("seeing",))
    pod: PodSettings = field(default_factory=PodSettings)
    sweep: SweepSettings = field(default_factory=SweepSettings)
    pointing: PointingSettings = field(default_factory=PointingSettings)
    tracker: TrackerSettings = field(default_factory=TrackerSettings)

    def __post_init__(self) -> None:
        tiers = self.tiers
        rules = settings_of(TierSettings)
        for name in ("vlm_policy", "vlm_unavailable_policy"):
            if not rules[name].allows(getattr(tiers, name)):
                raise ConfigurationError(rules[name].refusal(getattr(tiers, name)))
        planner = settings_of(ScanSettings)["planner"]
        if not planner.allows(self.planner):
            raise ConfigurationError(planner.refusal(self.planner))
        for names, low, high in (
            (
                "false_positive_rate, true_positive_rate",
                tiers.false_positive_rate,
                tiers.true_positive_rate,
            ),
            (
                "classifier_reject_threshold, classifier_accept_threshold",
                tiers.classifier_reject_threshold,
                tiers.classifier_accept_threshold,
            ),
        ):
            if not 0.0 < low < high < 1.0:
                raise ConfigurationError(f"{names} {low:g}, {high:g}: must rise within 0..1")
        for part in (self.input_timeouts, self.gimbal):
            for one in fields(part):
                if one.name.endswith(("_s", "_s2")):
                    value = getattr(part, one.name)
                    check_range(one.name, value, above=0.0, error=ConfigurationError)


@dataclass(frozen=True)
class ScanControllerSettings:
    """Settings of the scan controller node."""

    update_rate_hz: float = setting(
        20.0, "steps in a second", minimum=10.0, maximum=100.0, formerly=("step_hz",)
    )
    base_frame: str = setting("gimbal_base", "frame that bearings are relative to")
    start: StartGoal = field(default_factory=StartGoal)
    checkpoint: CheckpointSettings = field(default_factory=CheckpointSettings)
    terrain: TerrainSettings = field(default_factory=TerrainSettings)
    scan: ScanSettings = field(default_factory=ScanSettings)
    synonyms: tuple[tuple[str, str], ...] = setting(
        (),
        "class=other name, for questions to the vision-language model; ['']: none",
        formerly=("also_called",),
    )

    def names_by_class(self) -> dict[str, list[str]]:
        """Return the other names of each class."""
        names: dict[str, list[str]] = {}
        for word, other in self.synonyms:
            names.setdefault(word, []).append(other)
        return names
