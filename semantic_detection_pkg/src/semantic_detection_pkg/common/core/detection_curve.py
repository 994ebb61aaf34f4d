"""How likely a detector reports a thing in one look, by the thing's apparent size.

The curve is logistic in the logarithm of the size, as acquisition models are (the target transfer
probability function of Johnson's criteria has the same form):

    p(size) = p_max / (1 + exp(-(ln size - ln size_50) / width))

The size is the longer side of the thing's box in pixels of the network's input: what counts is what
the network gets, so that full pictures, tiles and zooms are one curve. Motion blur of `smear` such
pixels takes resolution away; it adds to the detector's own blur in quadrature, so the size counts
as size / sqrt(1 + (smear / blur_px)^2).

Looks at one thing are not independent. A share `ceiling` of the things can be reported at all, and
with p / ceiling that is so in one look. A look adds the exposure -ln(1 - p / ceiling); looks that
follow each other closely are a group, which adds its best look and `within` of the rest, of which
no more counts than that of `GROUP_LOOKS` looks like the best: so many were measured, and things
that so many do not find the next ones do not find, either. Groups add up to the best one and
`between` of the rest. With the sum E the probability of detection (POD)
is ceiling * (1 - exp(-E)), as Koopman's with his coverage factor in place of E (B. O. Koopman,
Search and Screening, 1946). With `within` = 0 and one group it is p of the best look.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ros_support_pkg.core.ranges import check_range
from ros_support_pkg.core.settings import constant
from semantic_detection_pkg.common.core.looks import WayOfLooking

#: Looks of a group that count.
GROUP_LOOKS = 3
#: Exposures end here: a POD within 1e-7 of the ceiling.
EXPOSURE_MAX = 16.0


@dataclass(frozen=True)
class DetectionCurve:
    """Chance of one look at a thing of one class, at one confidence threshold.

    Attributes:
        p_max: 0..1, of things as large as can be.
        size_50_px: [px] of the network's input, > 0: size at which it is half of that.
        width: > 0, of the rise: a step of the natural logarithm of the size.
        ceiling: p_max..1, share of the things that are reported sooner or later.
        blur_px: [px] of the network's input, > 0: smear at which a size counts as 0.71 of it.

    Raises:
        ValueError: on construction, if a value is out of its range.
    """

    p_max: float
    size_50_px: float
    width: float
    ceiling: float = 1.0
    blur_px: float = 4.0

    def __post_init__(self) -> None:
        check_range("p_max", self.p_max, 0.0, 1.0)
        check_range("size_50_px", self.size_50_px, above=0.0, maximum=1e5)
        check_range("width", self.width, 1e-3, 10.0)
        check_range("ceiling", self.ceiling, self.p_max, 1.0)
        check_range("blur_px", self.blur_px, above=0.0, maximum=1e5)

    def probability(self, size_px: float, smear_px: float = 0.0) -> float:
        """Return 0..1 that one look reports a thing.

        Args:
            size_px: longer side [px] of the network's input, >= 0.
            smear_px: motion blur [px] of the network's input, >= 0.
        """
        if size_px <= 0.0:
            return 0.0
        rise = (math.log(size_px / self.size_50_px) - self.log_blur(smear_px)) / self.width
        return self.p_max / (1.0 + math.exp(-max(min(rise, 60.0), -60.0)))

    def log_blur(self, smear_px: float) -> float:
        """Return the natural logarithm by which motion blur lessens a size, >= 0."""
        return 0.5 * math.log1p((smear_px / self.blur_px) ** 2)

    def exposure(self, probability: float) -> float:
        """Return what a look of this probability adds: 0..`EXPOSURE_MAX`."""
        if self.ceiling <= 0.0:
            return 0.0
        left = 1.0 - probability / self.ceiling
        return min(-math.log(left), EXPOSURE_MAX) if left > 0.0 else EXPOSURE_MAX

    def pod(self, exposure: float) -> float:
        """Return the probability of detection of an exposure, 0..`ceiling`."""
        return -self.ceiling * math.expm1(-exposure)


#: For detectors that nobody has measured. A cautious look at what a COCO model finds of persons in
#: aerial pictures: nearly nothing under 25 px, about a third of those of 40 to 70 px.
ASSUMED = DetectionCurve(p_max=0.7, size_50_px=60.0, width=0.35, ceiling=0.8, blur_px=2.0)


@dataclass(frozen=True)
class Dependence:
    """How looks at one thing hang together.

    Attributes:
        within: 0..1, share of its exposure that a look adds to that of the best of its group.
        between: 0..1, the same of groups.
        group_s: [s] looks within this time from the first are a group; 1..86400, as within less
            hardly as many looks follow each other as a report takes.

    Raises:
        ValueError: on construction, if a value is out of its range.
    """

    within: float = 0.0
    between: float = 0.1
    group_s: float = 10.0

    def __post_init__(self) -> None:
        check_range("within", self.within, 0.0, 1.0)
        check_range("between", self.between, 0.0, 1.0)
        check_range("group_s", self.group_s, 1.0, 86400.0)

    def group_exposure(self, best: float, total: float) -> float:
        """Return the exposure of a group by its best look's and the sum of all."""
        return best + self.within * min(total - best, (GROUP_LOOKS - 1) * best)

    def exposure(self, best: float, total: float) -> float:
        """Return the exposure of all groups by the best one's and the sum of all."""
        return best + self.between * (total - best)


@dataclass(frozen=True)
class ClassCurve:
    """The curve of one class.

    Attributes:
        is_measured: False: it is assumed, nobody has measured it for this class and model.
        things: that it was measured on; 0: assumed.
        false_alarms_per_look: of this class at this confidence; NaN: not known.
    """

    class_name: str
    curve: DetectionCurve
    is_measured: bool
    things: int = 0
    false_alarms_per_look: float = math.nan


@dataclass(frozen=True)
class DetectionCurves:
    """All curves of a detector at one confidence threshold.

    Attributes:
        model: name of the model's file.
        confidence: that scores are greater than.
        dependence: of looks.
        is_dependence_measured: False: it is assumed.
        classes: those that are known; others are assumed, see `of`.
        ways: of looking at pictures that the detector can be asked for; empty: it has its own.
    """

    model: str
    confidence: float
    dependence: Dependence = Dependence()
    is_dependence_measured: bool = False
    classes: tuple[ClassCurve, ...] = ()
    ways: tuple[WayOfLooking, ...] = constant((), before=())

    def of(self, class_name: str) -> ClassCurve:
        """Return the curve of a class; one that is not known is assumed."""
        known = (one for one in self.classes if one.class_name == class_name)
        return next(known, ClassCurve(class_name, ASSUMED, is_measured=False))

    def with_classes(self, class_names: Iterable[str]) -> DetectionCurves:
        """Return the same with these classes only, each known or assumed."""
        classes = tuple(self.of(name) for name in dict.fromkeys(class_names))
        return replace(self, classes=classes)


def assumed_curves(model: str = "", confidence: float = 0.25) -> DetectionCurves:
    """Return what is assumed of a detector that nobody has measured."""
    return DetectionCurves(model, confidence)
