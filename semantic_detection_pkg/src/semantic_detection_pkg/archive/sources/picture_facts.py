"""When and where a picture was taken, and where the camera looked: EXIF, and what drones add.

EXIF 2.32 (CIPA DC-008): 4.6.5 times and lens, 4.6.6 GPS. DJI's drones write the gimbal's angles and
the height above the take-off into XMP, as attributes of the namespace `drone-dji`: yaw from north,
clockwise, and pitch from the horizon, nose up positive, in degrees.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from PIL import Image

from ros_support_pkg.core.pose_history import Pose
from semantic_detection_pkg.archive.sources.source import known_time_ns
from semantic_detection_pkg.scan.core.inputs import BaseAttitude, Fix

_EXIF, _GPS = 0x8769, 0x8825
_TIME, _SUBSECONDS, _OFFSET, _FOCAL_35_MM = 0x9003, 0x9291, 0x9011, 0xA405
_LATITUDE, _LONGITUDE, _ALTITUDE = (1, 2), (3, 4), (5, 6)
_CLOCK, _ERROR_M, _DATE = 7, 31, 29
_FILM_MM = 36.0  # width of the film that focal lengths are told for
_XMP_BYTES = 400_000  # XMP stands before the picture
_DJI = re.compile(rb"drone-dji:(\w+)(?:=\"|>)([^\"<]{1,40})")
_LENGTH_MAX_M = 1e5  # of heights: what says more is none
_SIGMA_M, _SIGMA_ANGLE_RAD = 3.0, math.radians(2.0)
#: Turns x ahead, y left, z up into east, north, up so that x is north.
_NORTH = (0.0, 0.0, math.sqrt(0.5), math.sqrt(0.5))
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class PictureFacts:
    """What a picture file tells.

    Attributes:
        stamp_ns: of its capture; without a time in it that of the file.
        hfov_rad: 0: not told.
        fix: where the camera was; None: not told.
        pose, attitude: where it looked, of a base that looks north; None: not told.
        ground_m: height of the ground, counted as the fix's; NaN: not told.
    """

    stamp_ns: int
    hfov_rad: float = 0.0
    fix: Fix | None = None
    pose: Pose | None = None
    attitude: BaseAttitude | None = None
    ground_m: float = math.nan


def read_facts(path: Path) -> PictureFacts:
    """Return what a picture file tells; of a file that nobody can read, its own time."""
    try:
        file_ns = known_time_ns(path.stat().st_mtime_ns)
    except OSError:  # it is gone
        return PictureFacts(known_time_ns())
    try:
        with Image.open(path) as picture:
            tags = picture.getexif()
            exif, gps = dict(tags.get_ifd(_EXIF)), dict(tags.get_ifd(_GPS))
        with path.open("rb") as file:
            drone = {
                name.decode(): value.decode("ascii", "replace")
                for name, value in _DJI.findall(file.read(_XMP_BYTES))
            }
    except Exception:  # decoders raise whatever they like on bytes from outside
        return PictureFacts(file_ns)
    stamp_ns = known_time_ns(_gps_time_ns(gps), _time_ns(exif), file_ns)
    focal_mm = _number(exif.get(_FOCAL_35_MM))
    hfov_rad = 2.0 * math.atan(_FILM_MM / 2.0 / focal_mm) if focal_mm > 0.0 else 0.0
    fix = _fix(gps, stamp_ns)
    return _with_drone(PictureFacts(stamp_ns, hfov_rad, fix), drone)


def _with_drone(facts: PictureFacts, told: dict[str, str]) -> PictureFacts:
    """Return the facts with what a drone tells of its gimbal, where that is enough."""
    names = ("GimbalYawDegree", "GimbalPitchDegree", "RelativeAltitude")
    yaw_deg, pitch_deg, height_m = (_number(told.get(name)) for name in names)
    is_told = all(map(math.isfinite, (yaw_deg, pitch_deg, height_m)))
    if facts.fix is None or not is_told or not facts.hfov_rad:
        return facts
    roll = _number(told.get("GimbalRollDegree"))
    pose = Pose(
        facts.stamp_ns,
        math.remainder(-math.radians(yaw_deg), math.tau),
        -math.radians(pitch_deg),
        math.radians(roll) if math.isfinite(roll) else 0.0,
        hfov_rad=facts.hfov_rad,
    )
    attitude = BaseAttitude(facts.stamp_ns, _NORTH, _SIGMA_ANGLE_RAD)
    ground_m = facts.fix.altitude_m - height_m
    return PictureFacts(facts.stamp_ns, facts.hfov_rad, facts.fix, pose, attitude, ground_m)


def _fix(gps: dict[int, Any], stamp_ns: int) -> Fix | None:
    latitude = _degrees(gps, _LATITUDE, b"S")
    longitude = _degrees(gps, _LONGITUDE, b"W")
    if not (abs(latitude) <= 90.0 and abs(longitude) <= 180.0):
        return None
    reference, value = gps.get(_ALTITUDE[0]), _number(gps.get(_ALTITUDE[1]))
    is_below = reference in (1, b"\x01")
    altitude_m = (-value if is_below else value) if abs(value) < _LENGTH_MAX_M else 0.0
    sigma_m = _number(gps.get(_ERROR_M))
    return Fix(stamp_ns, latitude, longitude, altitude_m, sigma_m if sigma_m > 0.0 else _SIGMA_M)


def _degrees(gps: dict[int, Any], tags: tuple[int, int], negative: bytes) -> float:
    """Return a latitude or longitude [deg]; NaN: not told."""
    parts = gps.get(tags[1], ())
    try:
        values = [_number(part) for part in parts]
    except TypeError:
        return math.nan
    if len(values) != 3 or not (values[0] >= 0.0 and _is_sixtieth(values[1:])):
        return math.nan
    degrees = values[0] + values[1] / 60.0 + values[2] / 3600.0
    reference = gps.get(tags[0], "")
    text = reference if isinstance(reference, bytes) else str(reference).encode()
    return -degrees if text.strip(b"\0 ").upper() == negative else degrees


def _is_sixtieth(parts: Sequence[float]) -> bool:
    return all(0.0 <= part <= 60.0 for part in parts)  # 60: rounded


def _gps_time_ns(gps: dict[int, Any]) -> int:
    """Return the satellites' time [ns], UTC; 0: not told."""
    try:
        year, month, day = (int(part) for part in str(gps[_DATE]).strip("\0 ").split(":"))
        hours, minutes, seconds = (_number(part) for part in gps[_CLOCK])
        moment = datetime(year, month, day, tzinfo=timezone.utc)
        moment += timedelta(hours=hours, minutes=minutes, seconds=seconds)
    except (KeyError, ValueError, TypeError, OverflowError):
        return 0
    return _to_ns(moment)


def _time_ns(exif: dict[int, Any]) -> int:
    """Return the camera's time [ns], UTC where it does not tell its zone; 0: not told."""
    try:
        text = str(exif[_TIME]).strip("\0 ")
        zone = str(exif.get(_OFFSET, "")).strip("\0 ").replace("Z", "+00:00") or "+00:00"
        moment = datetime.strptime(f"{text} {zone}", "%Y:%m:%d %H:%M:%S %z")
        part = str(exif.get(_SUBSECONDS, "")).strip("\0 ")
        moment += timedelta(seconds=float(f"0.{part}")) if part.isdigit() else timedelta()
    except (KeyError, ValueError, OverflowError):
        return 0
    return _to_ns(moment)


def _to_ns(moment: datetime) -> int:
    since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return max(0, (since // timedelta(microseconds=1)) * 1000)


def _number(value: Any) -> float:
    """Return a number out of a file; NaN where it is none."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return math.nan
    return number if math.isfinite(number) else math.nan
