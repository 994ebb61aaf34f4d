"""All numbers of the scan controller: frozen, checked, and part of the journal."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field

from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.coverage import SeeingNeeds
from semantic_detection_pkg.scan.core.planning.sweep import SweepSettings
from semantic_detection_pkg.scan.core.planning.view_planning import TourCosts
from semantic_detection_pkg.scan.core.pointing import PointingSettings
from semantic_detection_pkg.scan.core.tracking.tracker import TrackerSettings


@dataclass(frozen=True)
class GimbalSettings:
    """What the gimbal's own messages do not tell.

    Attributes:
        rate_rad_s, acceleration_rad_s2: greatest of an axis; cautious figures.
        hfov_wide_rad: at zoom 1, for gimbals that do not tell.
        rest_yaw_rad, rest_pitch_rad: where it goes when no goal is in hand.
        rest_tolerance_rad, rest_timeout_s: when it is there, and when it need not come any more.
    """

    rate_rad_s: float = math.radians(90.0)
    acceleration_rad_s2: float = math.radians(800.0)
    hfov_wide_rad: float = math.radians(62.0)
    rest_yaw_rad: float = 0.0
    rest_pitch_rad: float = 0.0
    rest_tolerance_rad: float = math.radians(1.0)
    rest_timeout_s: float = 8.0


@dataclass(frozen=True)
class LossSettings:
    """After how long without a message something counts as lost. [s]"""

    gimbal_s: float = 0.6
    detections_s: float = 2.0
    camera_s: float = 1.5
    vocabulary_s: float = 3.0


@dataclass(frozen=True)
class CandidateSettings:
    """Which tracks are looked at, and what counts as one thing.

    Attributes:
        score_min: mean score of a track that is worth a look.
        wait_max_s: a candidate that waits longer interrupts the sweep.
        cooldown_s: what was decided is not looked at again for this long.
        same_sizes, same_rad: two bearings of one class are one thing where, along both axes, they
            are within so many of their mean size, or this angle.
        same_part: they are also one where so much of the smaller box, 0..1, lies in the other: a
            close view shows parts of what is larger than it.
        beside_rad: so far beside the area something may stand.
        stroll_rad, stroll_rad_s: what is seen so near to where another was last seen may be that
            one: at most, and for each second since then.
        kept_max: of candidates and of decisions; the oldest go first.
    """

    score_min: float = 0.3
    wait_max_s: float = 30.0
    cooldown_s: float = 300.0
    same_sizes: float = 0.6
    same_part: float = 0.6
    beside_rad: float = math.radians(1.0)
    stroll_rad: float = math.radians(1.8)
    stroll_rad_s: float = math.radians(0.3)
    same_rad: float = math.radians(0.4)
    kept_max: int = 500


@dataclass(frozen=True)
class CloseSettings:
    """How close a closer look is, and how long it takes at most.

    Attributes:
        needs_px: [px] longer side of a box from which it can be judged; the default is what the
            demo classifier was trained from.
        needs_px_of: the same for single classes, by the label that models know.
        closer: by how much closer a second look is, where the first left it unsure.
        sharp_px: [px] a frame that is smeared by more is not judged.
        arrival_share: of the picture, within which the view's middle is reached.
        approach_s: longest way to a view.
        view_s: longest stay in a view, once there: enough frames are captured then.
        answer_s: from there until all that they show is told; until then it is no candidate for
            another view.
        views_max: of one candidate, then it stays uncertain.
        refind_zoom: share of the zoom for one look around, where the candidate is not where it
            was; 0: none.
        refind_rad: how far it may have gone.
    """

    needs_px: float = 110.0
    needs_px_of: tuple[tuple[str, float], ...] = (("footpath", 140.0),)
    closer: float = 2.5
    sharp_px: float = 4.0
    arrival_share: float = 0.1
    approach_s: float = 6.0
    view_s: float = 0.25
    answer_s: float = 0.4
    views_max: int = 3
    refind_zoom: float = 0.5
    refind_rad: float = math.radians(4.0)


@dataclass(frozen=True)
class TierSettings:
    """What convinces.

    Attributes:
        hit_if_there, hit_if_not: chance that the detector sees in one close frame what is there,
            and what is not.
        error_rate: of the sequential test, either way.
        classifier_yes, classifier_no: probability of the word from which Tier 2 says yes, and up
            to which it says no; between them it is not sure.
        inspections_min: crops of different frames that Tier 2 takes at least.
        inspections_max: crops of one size after which it stays unsure.
        inspections_at_once: requests under way.
        inspection_timeout_s: for one of them.
        vlm: "unsure": Tier 3 is asked when Tiers 1 and 2 are not sure; "always": also to confirm
            what they found; "never".
        vlm_timeout_s: for its answer, lease of the GPU included.
        without_vlm: verdict when Tier 3 cannot answer: "uncertain", or "lower": what Tiers 1 and 2
            say is more likely.
        path_words: classes whose course is followed.
        path_budget_s: for following one.
    """

    hit_if_there: float = 0.92
    hit_if_not: float = 0.08
    error_rate: float = 0.02
    classifier_yes: float = 0.75
    classifier_no: float = 0.25
    inspections_min: int = 2
    inspections_max: int = 2
    inspections_at_once: int = 6
    inspection_timeout_s: float = 1.0
    vlm: str = "unsure"
    vlm_timeout_s: float = 30.0
    without_vlm: str = "uncertain"
    path_words: tuple[str, ...] = ("footpath",)
    path_budget_s: float = 12.0


@dataclass(frozen=True)
class ScanSettings:
    """Everything a scan depends on beside its inputs.

    Attributes:
        sweep_zoom: of goals that name none.
        tour: what close views cost; its zoom_max is never exceeded, whatever the gimbal can.
        cell_rad: side of a cell of the coverage map.
        operator_hold_s: how long the scan waits after `point here`.
        ground_height_m: above the ellipsoid, for positions; NaN: unknown, then there are none.
    """

    sweep_zoom: float = 1.0
    cell_rad: float = math.radians(1.0)
    operator_hold_s: float = 10.0
    ground_height_m: float = math.nan
    gimbal: GimbalSettings = field(default_factory=GimbalSettings)
    losses: LossSettings = field(default_factory=LossSettings)
    candidates: CandidateSettings = field(default_factory=CandidateSettings)
    close: CloseSettings = field(default_factory=CloseSettings)
    tour: TourCosts = field(default_factory=TourCosts)
    tiers: TierSettings = field(default_factory=TierSettings)
    seeing: SeeingNeeds = field(default_factory=SeeingNeeds)
    sweep: SweepSettings = field(default_factory=SweepSettings)
    pointing: PointingSettings = field(default_factory=PointingSettings)
    tracker: TrackerSettings = field(default_factory=TrackerSettings)

    def __post_init__(self) -> None:
        tiers = self.tiers
        _check_choice("vlm", tiers.vlm, ("unsure", "always", "never"))
        _check_choice("without_vlm", tiers.without_vlm, ("uncertain", "lower"))
        for name, low, high in (
            ("hit_if_not, hit_if_there", tiers.hit_if_not, tiers.hit_if_there),
            ("classifier_no, classifier_yes", tiers.classifier_no, tiers.classifier_yes),
        ):
            if not 0.0 < low < high < 1.0:
                raise ConfigurationError(f"{name} {low:g}, {high:g}: must rise within 0..1")
        for part in (self.losses, self.gimbal):
            for one in dataclasses.fields(part):
                if one.name.endswith(("_s", "_s2")) and not getattr(part, one.name) > 0.0:
                    raise ConfigurationError(
                        f"{one.name} {getattr(part, one.name):g} must be above 0"
                    )


def _check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigurationError(f"{name} '{value}' is unknown, allowed: {', '.join(allowed)}")
