"""What a message may hold, and that the exceptions are those that the types' own comments name."""

import math
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from builtin_interfaces.msg import Time
from sensor_msgs.msg import NavSatFix
from std_msgs.msg import Header

from interfaces_pkg import msg, srv
from ros_support_pkg.core.message_rules import MAY_BE_UNKNOWN, MessageError, check_message

INTERFACES = Path(__file__).resolve().parents[2] / "interfaces_pkg" / "msg"
TRACK = msg.Track(bearing=msg.Bearing(covariance=[0.0, math.inf, 0.0]))


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (msg.GimbalState(yaw_min_rad=math.nan), "yaw_min_rad is nan: numbers must be finite"),
        (msg.GimbalState(pitch_rad=1e9), "pitch_rad is 1e+09: numbers must be finite and at most"),
        (msg.GimbalState(pitch_min_rad=2.0), "pitch_min_rad is 2, pitch_max_rad is 0: they must"),
        (msg.GimbalState(link=9), "link is 9, allowed are 0 (DOWN), 1 (HANDSHAKE), 2 (STALE), 3"),
        (msg.Detections(scores=[0.5, math.nan]), "scores: numbers must be finite"),
        (msg.Detections(pose=msg.PoseAtCapture(yaw_rad=math.inf)), "pose.yaw_rad is inf"),
        (msg.Tracks(tracks=[TRACK]), "tracks.bearing.covariance: numbers must be finite"),
        (msg.Coverage(columns=2, rows=2), "age_s 0, results 0, columns x rows 4: there must be"),
        (msg.Finding(track_stamps=[Time()]), "track_bearings 0, track_stamps 1: there must be"),
        (msg.GimbalRate(header=Header(stamp=Time(sec=-1))), "header.stamp is -1 s and 0 ns"),
        (srv.SetZoom.Request(zoom=math.nan), "zoom is nan"),
        (srv.SetFocus.Request(action=7), "action is 7, allowed are 0 (STOP), 1 (AUTO)"),
    ],
)
def test_what_no_message_may_hold_is_named(message: Any, line: str) -> None:
    with pytest.raises(MessageError) as error:
        check_message(message)
    assert str(error.value).startswith(line)


@pytest.mark.parametrize(
    "message",
    [
        msg.GimbalState(zoom=math.nan, hfov_rad=math.nan, age_s=math.inf),
        msg.Coverage(columns=1, rows=1, age_s=[math.inf], results=[0]),
        msg.Coverage(columns=1, rows=1, age_s=[0.0], results=[1], pixels_per_rad=[31950.0]),
        msg.HealthState(gpu_load=math.nan),
        NavSatFix(altitude=math.nan),  # sensor_msgs: "NaN if no altitude is available"
    ],
)
def test_what_is_not_known_may_be_said(message: Any) -> None:
    check_message(message)


def test_the_exceptions_are_those_of_the_types() -> None:
    said = {
        (path.stem, match[1])
        for path in INTERFACES.glob("*.msg")
        for match in re.finditer(
            r"^float\d+(?:\[\d*\])? (\w+) +#.*\b(?:NaN|infinite)\b", path.read_text(), re.MULTILINE
        )
    }
    assert said == MAY_BE_UNKNOWN


@pytest.mark.parametrize("path", sorted(INTERFACES.glob("*.msg")), ids=lambda path: path.stem)
def test_every_type_can_be_checked(path: Path) -> None:
    check_message(getattr(import_module("interfaces_pkg.msg"), path.stem)())
