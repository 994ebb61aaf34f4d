"""What a person would say of the robot's streams: silent, slow, late. Pure; time is an argument."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ros_support_pkg.core.settings import setting
from semantic_detection_pkg.common.core.settings import max_latency_setting
from semantic_detection_pkg.health.core.rates import WINDOW_S, RateMeter

#: Stamps that lie further ahead are of another clock [s].
_AHEAD_S = 0.5


@dataclass(frozen=True)
class StreamLimits:
    """What the streams must hold; all thresholds of rates and delays stand here."""

    camera_min_hz: float = setting(
        5.0, "a slower camera is a warning; 0: no camera", minimum=0.0, maximum=240.0
    )
    detections_min_hz: float = setting(
        3.0, "slower detections are a warning; 0: no detector", minimum=0.0, maximum=240.0
    )
    gimbal_min_hz: float = setting(
        10.0, "a slower attitude is a warning; 0: no gimbal", minimum=0.0, maximum=240.0
    )
    camera_max_latency_s: float = max_latency_setting("pictures")
    detections_max_latency_s: float = max_latency_setting("detections")


@dataclass
class Stream:
    """One topic.

    Attributes:
        name: what people call what it carries, in the plural.
        min_hz: slower is a warning.
        max_latency_s: later is a warning; infinite: it does not matter.
    """

    name: str
    min_hz: float
    max_latency_s: float
    meter: RateMeter

    def count(self, now_s: float, latency_s: float) -> None:
        """Note that a message came, so long after its capture [s]."""
        self.meter.count(now_s, latency_s)

    def excuse(self, now_s: float) -> None:
        """Begin anew: what was not sent so far was not due."""
        self.meter = RateMeter(now_s)

    def complaint(self, now_s: float) -> str:
        """Return what is wrong, in words; empty: nothing, or it is too early to tell."""
        if self.meter.is_new(now_s):
            return ""
        rate_hz, latency_s = self.meter.rate_hz(now_s), self.meter.latency_s(now_s)
        if rate_hz == 0.0:
            return f"no {self.name} for {WINDOW_S:.0f} s"
        said = []
        if rate_hz < self.min_hz:
            said.append(f"slow, {rate_hz:.1f} a second, at least {self.min_hz:g} are wanted")
        if latency_s > self.max_latency_s:
            said.append(
                f"late, {latency_s:.1f} s after the capture, at most {self.max_latency_s:g} s "
                "is wanted"
            )
        elif latency_s < -_AHEAD_S:
            said.append(f"stamped {-latency_s:.1f} s in the future: clocks differ")
        return f"{self.name} are {' and '.join(said)}" if said else ""

    def figures(self, topic: str, now_s: float) -> Mapping[str, str]:
        """Return rate and delay for the diagnostics."""
        meter = self.meter
        found = {
            f"{topic}_hz": f"{meter.rate_hz(now_s):.1f}",
            f"{topic}_age_s": f"{meter.age_s(now_s):.2f}",
        }
        if math.isfinite(self.max_latency_s):
            found[f"{topic}_latency_s"] = f"{meter.latency_s(now_s):.2f}"
        return found


#: Topics that are watched.
CAMERA, DETECTIONS, GIMBAL = "camera/camera_info", "detections", "gimbal/state"


def streams_of(limits: StreamLimits, now_s: float) -> dict[str, Stream]:
    """Return the streams that are expected, by topic."""
    every = {
        CAMERA: ("pictures", limits.camera_min_hz, limits.camera_max_latency_s),
        DETECTIONS: ("detections", limits.detections_min_hz, limits.detections_max_latency_s),
        GIMBAL: ("attitudes of the gimbal", limits.gimbal_min_hz, math.inf),
    }
    return {
        topic: Stream(name, min_hz, max_latency_s, RateMeter(now_s))
        for topic, (name, min_hz, max_latency_s) in every.items()
        if min_hz > 0.0
    }
