"""Parameters of the scan controller node, and what they build."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ros_support_pkg.parameters import parameter
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.coverage import SeeingNeeds
from semantic_detection_pkg.scan.core.planning.sweep import SweepSettings
from semantic_detection_pkg.scan.core.planning.view_planning import TourCosts
from semantic_detection_pkg.scan.core.pointing import PointingSettings
from semantic_detection_pkg.scan.core.settings import (
    CandidateSettings,
    CloseSettings,
    GimbalSettings,
    LossSettings,
    ScanSettings,
    TierSettings,
)

_DEFAULT = ScanSettings()


def _number(
    part: object, name: str, document: str, minimum: float, maximum: float, is_angle: bool = False
) -> Any:
    """A parameter that is a number of the settings, with its default there."""
    value = getattr(part, name)
    default = round(math.degrees(value), 6) if is_angle else value
    return parameter(default, document, minimum=minimum, maximum=maximum)


def _angle(part: object, name: str, document: str, minimum: float, maximum: float) -> Any:
    return _number(part, name, f"[deg] {document}", minimum, maximum, is_angle=True)


def _pairs(texts: tuple[str, ...], name: str) -> list[tuple[str, str]]:
    """`key=value` texts.

    Raises:
        ConfigurationError: one has another form.
    """
    pairs = [text.partition("=") for text in texts]
    for key, equals, value in pairs:
        if not (key.strip() and equals and value.strip()):
            raise ConfigurationError(
                f"parameter '{name}' has '{key}{equals}{value}', word=value is allowed"
            )
    return [(key.strip(), value.strip()) for key, _, value in pairs]


@dataclass(frozen=True)
class ScanParameters:
    """Parameters of the scan controller node."""

    step_hz: float = parameter(20.0, "[Hz] of steps", minimum=10.0, maximum=100.0)
    base_frame: str = parameter("gimbal_base", "frame that bearings are relative to")
    # The goal at the start, where nobody else gives one.
    autostart: bool = parameter(False, "start a scan with the area, words and zoom below")
    area_yaw_min_deg: float = parameter(-60.0, "[deg] right end", minimum=-360.0, maximum=360.0)
    area_yaw_max_deg: float = parameter(60.0, "[deg] left end", minimum=-360.0, maximum=360.0)
    area_pitch_min_deg: float = parameter(2.0, "[deg] upper end", minimum=-90.0, maximum=90.0)
    area_pitch_max_deg: float = parameter(40.0, "[deg] lower end", minimum=-90.0, maximum=90.0)
    words: tuple[str, ...] = parameter((), "what to look for; ['']: all that the detector knows")
    zoom: float = parameter(0.0, "[x] of the sweep; 0: `sweep_zoom`", minimum=0.0, maximum=100.0)
    repeat: bool = parameter(False, "begin again when the area is covered")
    # The sweep.
    sweep_zoom: float = _number(_DEFAULT, "sweep_zoom", "[x] of goals without zoom", 1.0, 100.0)
    cell_deg: float = _angle(_DEFAULT, "cell_rad", "side of a cell of the map", 0.1, 20.0)
    looks: int = _number(_DEFAULT.seeing, "looks", "sharp pictures that make a cell seen", 1, 20)
    exposure_s: float = _number(_DEFAULT.seeing, "exposure_s", "[s] of the shutter", 0.0, 0.1)
    smear_px: float = _number(
        _DEFAULT.seeing, "smear_px", "[px] more smeared pictures do not count", 0.1, 50.0
    )
    frame_rate_hz: float = _number(
        _DEFAULT.sweep, "frame_rate_hz", "[Hz] pictures detected in a second", 0.5, 120.0
    )
    settle_s: float = _number(
        _DEFAULT.sweep, "settle_s", "[s] from a capture to its detections", 0.0, 5.0
    )
    # The gimbal.
    rate_deg_s: float = _angle(_DEFAULT.gimbal, "rate_rad_s", "per s, greatest", 1.0, 360.0)
    acceleration_deg_s2: float = _angle(
        _DEFAULT.gimbal, "acceleration_rad_s2", "per s2, that is counted on", 10.0, 5000.0
    )
    latency_s: float = _number(
        _DEFAULT.pointing, "latency_s", "[s] from a command to the motion", 0.0, 1.0
    )
    wide_hfov_deg: float = _angle(
        _DEFAULT.gimbal, "hfov_wide_rad", "field of view at zoom 1, if unknown", 1.0, 150.0
    )
    rest_yaw_deg: float = _angle(_DEFAULT.gimbal, "rest_yaw_rad", "of the rest", -180.0, 180.0)
    rest_pitch_deg: float = _angle(_DEFAULT.gimbal, "rest_pitch_rad", "of the rest", -90.0, 90.0)
    rest_timeout_s: float = _number(
        _DEFAULT.gimbal, "rest_timeout_s", "[s] for the way to rest", 0.5, 60.0
    )
    operator_hold_s: float = _number(
        _DEFAULT, "operator_hold_s", "[s] the scan waits after `scan/point_here`", 0.1, 3600.0
    )
    # Losses.
    gimbal_timeout_s: float = _number(
        _DEFAULT.losses, "gimbal_s", "[s] without gimbal/state", 0.1, 10.0
    )
    detections_timeout_s: float = _number(
        _DEFAULT.losses, "detections_s", "[s] without detections", 0.2, 60.0
    )
    camera_timeout_s: float = _number(
        _DEFAULT.losses, "camera_s", "[s] without camera/camera_info", 0.2, 60.0
    )
    # Candidates and close views.
    score_min: float = _number(
        _DEFAULT.candidates, "score_min", "mean score of what is worth a look", 0.0, 1.0
    )
    candidate_wait_s: float = _number(
        _DEFAULT.candidates, "wait_max_s", "[s] until a candidate interrupts the sweep", 0.0, 3600.0
    )
    cooldown_s: float = _number(
        _DEFAULT.candidates, "cooldown_s", "[s] until a bearing is looked at again", 0.0, 86400.0
    )
    needs_px: float = _number(
        _DEFAULT.close, "needs_px", "[px] side of a box that can be judged", 8.0, 2000.0
    )
    needs_px_of: tuple[str, ...] = parameter(
        tuple(f"{word}={value:g}" for word, value in _DEFAULT.close.needs_px_of),
        "word=px, for words that need another size",
    )
    closer: float = _number(
        _DEFAULT.close, "closer", "[x] the second look, where the first was unsure", 1.0, 10.0
    )
    sharp_px: float = _number(
        _DEFAULT.close, "sharp_px", "[px] more smeared pictures are not judged", 0.1, 50.0
    )
    approach_s: float = _number(_DEFAULT.close, "approach_s", "[s] longest way", 0.1, 60.0)
    view_s: float = _number(_DEFAULT.close, "view_s", "[s] longest stay in a view", 0.1, 60.0)
    views_max: int = _number(_DEFAULT.close, "views_max", "close views of a candidate", 1, 20)
    zoom_max: float = _number(_DEFAULT.tour, "zoom_max", "[x] never beyond", 1.0, 100.0)
    zoom_per_s: float = _number(_DEFAULT.tour, "zoom_per_s", "[x/s] of the gimbal", 0.1, 100.0)
    # The tiers.
    classifier_yes: float = _number(
        _DEFAULT.tiers, "classifier_yes", "probability of the word that is a yes", 0.01, 0.999
    )
    classifier_no: float = _number(
        _DEFAULT.tiers, "classifier_no", "probability up to which it is a no", 0.001, 0.99
    )
    inspections_min: int = _number(_DEFAULT.tiers, "inspections_min", "crops for a verdict", 1, 20)
    inspections_max: int = _number(
        _DEFAULT.tiers, "inspections_max", "crops until it stays unsure", 1, 20
    )
    inspection_timeout_s: float = _number(
        _DEFAULT.tiers, "inspection_timeout_s", "[s] for one crop", 0.05, 30.0
    )
    vlm: str = parameter(
        _DEFAULT.tiers.vlm,
        "when the vision-language model is asked",
        choices=("unsure", "always", "never"),
    )
    vlm_timeout_s: float = _number(
        _DEFAULT.tiers, "vlm_timeout_s", "[s] for its answer", 0.5, 600.0
    )
    without_vlm: str = parameter(
        _DEFAULT.tiers.without_vlm,
        "verdict where it cannot answer: uncertain, or what the lower tiers say",
        choices=("uncertain", "lower"),
    )
    also_called: tuple[str, ...] = parameter((), "word=other name, for its questions; ['']: none")
    path_words: tuple[str, ...] = parameter(
        _DEFAULT.tiers.path_words, "words whose course is followed; ['']: none"
    )
    path_budget_s: float = _number(
        _DEFAULT.tiers, "path_budget_s", "[s] for following one", 0.0, 600.0
    )
    ground_height_m: float = parameter(
        math.nan, "[m] of the ground above the ellipsoid, for positions; .nan: none are given"
    )

    def settings(self) -> ScanSettings:
        """The part that the core knows.

        Raises:
            ConfigurationError: values contradict each other.
        """
        return ScanSettings(
            sweep_zoom=self.sweep_zoom,
            cell_rad=math.radians(self.cell_deg),
            operator_hold_s=self.operator_hold_s,
            ground_height_m=self.ground_height_m,
            gimbal=GimbalSettings(
                rate_rad_s=math.radians(self.rate_deg_s),
                acceleration_rad_s2=math.radians(self.acceleration_deg_s2),
                hfov_wide_rad=math.radians(self.wide_hfov_deg),
                rest_yaw_rad=math.radians(self.rest_yaw_deg),
                rest_pitch_rad=math.radians(self.rest_pitch_deg),
                rest_timeout_s=self.rest_timeout_s,
            ),
            losses=LossSettings(
                gimbal_s=self.gimbal_timeout_s,
                detections_s=self.detections_timeout_s,
                camera_s=self.camera_timeout_s,
            ),
            candidates=CandidateSettings(
                score_min=self.score_min,
                wait_max_s=self.candidate_wait_s,
                cooldown_s=self.cooldown_s,
            ),
            close=self._close(),
            tour=TourCosts(zoom_per_s=self.zoom_per_s, zoom_max=self.zoom_max),
            tiers=self._tiers(),
            seeing=SeeingNeeds(
                exposure_s=self.exposure_s, smear_px=self.smear_px, looks=self.looks
            ),
            pointing=PointingSettings(latency_s=self.latency_s),
            sweep=SweepSettings(frame_rate_hz=self.frame_rate_hz, settle_s=self.settle_s),
        )

    def _close(self) -> CloseSettings:
        needs = _pairs(self.needs_px_of, "needs_px_of")
        try:
            needs_px_of = tuple((word, float(value)) for word, value in needs)
        except ValueError as error:
            raise ConfigurationError(f"parameter 'needs_px_of': {error}") from None
        return CloseSettings(
            needs_px=self.needs_px,
            needs_px_of=needs_px_of,
            closer=self.closer,
            sharp_px=self.sharp_px,
            approach_s=self.approach_s,
            view_s=self.view_s,
            views_max=self.views_max,
        )

    def _tiers(self) -> TierSettings:
        return TierSettings(
            classifier_yes=self.classifier_yes,
            classifier_no=self.classifier_no,
            inspections_min=self.inspections_min,
            inspections_max=self.inspections_max,
            inspection_timeout_s=self.inspection_timeout_s,
            vlm=self.vlm,
            vlm_timeout_s=self.vlm_timeout_s,
            without_vlm=self.without_vlm,
            path_words=self.path_words,
            path_budget_s=self.path_budget_s,
        )

    def area(self) -> Area:
        """Of the goal at the start."""
        return Area(
            math.radians(self.area_yaw_min_deg),
            math.radians(self.area_yaw_max_deg),
            math.radians(self.area_pitch_min_deg),
            math.radians(self.area_pitch_max_deg),
        )

    def aliases(self) -> dict[str, list[str]]:
        """Other names of each word.

        Raises:
            ConfigurationError: an entry has another form.
        """
        names: dict[str, list[str]] = {}
        for word, alias in _pairs(self.also_called, "also_called"):
            names.setdefault(word, []).append(alias)
        return names
