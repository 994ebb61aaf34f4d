"""The signs of the wire, per protocol and model: the only place that knows them.

Every factor turns a REP 103 value into the wire's and back: wire = factor * value. REP 103: yaw +
is left, pitch + is nose down, roll + is right side down.

| quantity | wire | source |
|---|---|---|
| SIYI yaw: reported, angle | + left | five drivers negate it for NED, though the vendor says NED |
| SIYI yaw rate command | + RIGHT | ArduPilot, MAVProxy, mzahana/siyi_sdk |
| SIYI pitch: all | + up | the vendor's facing-down example is -90.0 |
| SIYI roll | + right side down | ArduPilot |
| Viewpro yaw: all | + right | all sources |
| Viewpro pitch: angle, status | + down | the vendor's example tilts down to 90; ArduPilot |
| Viewpro pitch rate | + up | the vendor's label and SDK header |
| the same on the Q30TIR | + down | ArduPilot's hardware test |
| MAVLink | yaw + right, pitch + up | gimbal protocol v2 |
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Signs:
    """Factors, each 1 or -1."""

    report_yaw: int
    report_pitch: int
    report_roll: int
    angle_yaw: int
    angle_pitch: int
    rate_yaw: int
    rate_pitch: int

    def turned_over(self) -> Signs:
        """Return the signs of a gimbal that hangs upside down: its own left and up are reversed."""
        return Signs(
            -self.report_yaw,
            -self.report_pitch,
            self.report_roll,
            -self.angle_yaw,
            -self.angle_pitch,
            -self.rate_yaw,
            -self.rate_pitch,
        )


_SIGNS = {
    ("siyi", ""): Signs(+1, -1, +1, angle_yaw=+1, angle_pitch=-1, rate_yaw=-1, rate_pitch=-1),
    ("viewpro", ""): Signs(-1, +1, +1, angle_yaw=-1, angle_pitch=+1, rate_yaw=-1, rate_pitch=-1),
    ("viewpro", "q30tir"): Signs(
        -1, +1, +1, angle_yaw=-1, angle_pitch=+1, rate_yaw=-1, rate_pitch=+1
    ),
    ("mavlink", ""): Signs(-1, -1, +1, angle_yaw=-1, angle_pitch=-1, rate_yaw=-1, rate_pitch=-1),
}


def signs_of(protocol: str, model: str = "") -> Signs:
    """Return the signs of `protocol`, or those of `model` where they differ."""
    return _SIGNS.get((protocol, model), _SIGNS[protocol, ""])
