"""Positions as people write them down and read them over a radio: degrees, UTM, MGRS, plain text.

UTM comes from the library `utm`; the grid square's letters are those of MGRS with the WGS 84
ellipsoid (NGA.STND.0037, appendix A). Digits of MGRS are cut off, not rounded: they name the square
that a point lies in. Both grids end at 80 degrees south and 84 degrees north.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import utm

from semantic_detection_pkg.common.core.position import Position

DEGREE_DIGITS = 7  # a centimetre
#: A circle of this many 1-sigma major axes holds at least 95 % (chi-squared of two dimensions).
SIGMAS_OF_95_PERCENT = math.sqrt(-2.0 * math.log(0.05))

_SOUTHMOST_DEG, _NORTHMOST_DEG = -80.0, 84.0
#: Columns of 100 km by zone, rows of 100 km; I and O are left out of all of them.
_COLUMNS = ("ABCDEFGH", "JKLMNPQR", "STUVWXYZ")
_ROWS = "ABCDEFGHJKLMNPQRSTUV"
_SQUARE_M = 100_000
_NEARLY_M = 1e-4  # what rounding may have taken from a coordinate that lies on a line of the grid
_SPOKEN_DIGITS = 5  # of MGRS: a square of a metre

#: How letters are said over a radio (ICAO).
_SPELLED = {
    word[0]: word
    for word in (
        *("Alfa", "Bravo", "Charlie", "Delta", "Echo", "Foxtrot", "Golf", "Hotel", "India"),
        *("Juliett", "Kilo", "Lima", "Mike", "November", "Oscar", "Papa", "Quebec", "Romeo"),
        *("Sierra", "Tango", "Uniform", "Victor", "Whiskey", "Xray", "Yankee", "Zulu"),
    )
}


@dataclass(frozen=True)
class Utm:
    """Universal Transverse Mercator, WGS 84.

    Attributes:
        zone: 1..60.
        band: C..X, of latitude; from N on the northern hemisphere.
        easting_m, northing_m: with the false origins of the hemisphere.
    """

    zone: int
    band: str
    easting_m: float
    northing_m: float

    def __str__(self) -> str:
        """Return it as on a map, to the metre."""
        return f"{self.zone}{self.band} {self.easting_m:.0f} {self.northing_m:.0f}"


def wrapped_longitude(longitude_deg: float) -> float:
    """Return the same meridian in -180..180, 180 itself excluded."""
    if -180.0 <= longitude_deg < 180.0:
        return longitude_deg  # as it was, to the last bit
    return (longitude_deg + 180.0) % 360.0 - 180.0


def utm_of(latitude_deg: float, longitude_deg: float) -> Utm | None:
    """Return UTM coordinates; None near the poles, where there are none."""
    if not _SOUTHMOST_DEG <= latitude_deg <= _NORTHMOST_DEG:
        return None
    longitude_deg = wrapped_longitude(longitude_deg)
    easting_m, northing_m, zone, band = utm.from_latlon(latitude_deg, longitude_deg)
    return Utm(int(zone), str(band), float(easting_m), float(northing_m))


def mgrs_of(latitude_deg: float, longitude_deg: float, digits: int = _SPOKEN_DIGITS) -> str:
    """Return the grid reference, `32TMT 65432 10987`; empty near the poles.

    Args:
        digits: 1..5 of each direction; 5: a square of a metre, 4: of ten.
    """
    place = utm_of(latitude_deg, longitude_deg)
    if place is None:
        return ""
    east, north = int(place.easting_m + _NEARLY_M), int(place.northing_m + _NEARLY_M)
    column = _COLUMNS[(place.zone - 1) % 3][east // _SQUARE_M - 1]
    shift = 0 if place.zone % 2 else 5  # rows of even zones begin at F
    row = _ROWS[(north // _SQUARE_M + shift) % len(_ROWS)]
    cut = 10 ** (5 - digits)
    numbers = " ".join(f"{one % _SQUARE_M // cut:0{digits}d}" for one in (east, north))
    return f"{place.zone}{place.band}{column}{row} {numbers}"


def degrees_and_minutes(latitude_deg: float, longitude_deg: float) -> str:
    """Return `47°22.1234'N 008°32.4567'E`, as search and rescue write it; 0.2 m."""
    longitude_deg = wrapped_longitude(longitude_deg)
    parts = ((latitude_deg, 2, "NS"), (longitude_deg, 3, "EW"))
    return " ".join(_minutes(value, width, sides) for value, width, sides in parts)


def radius_95_m(position: Position) -> float:
    """Return the radius [m] of a circle that holds the thing with at least 95 %."""
    return SIGMAS_OF_95_PERCENT * position.ellipse_major_m


def accuracy_text(position: Position) -> str:
    """Return how sure a position is, in words; 1 sigma and 95 %."""
    heading = math.degrees(position.ellipse_heading_rad) % 180.0
    return (
        f"1 sigma {_metres(position.ellipse_major_m)} by {_metres(position.ellipse_minor_m)}, "
        f"long axis {heading:.0f} deg from north; 95 % within {_metres(radius_95_m(position))}"
    )


def radio_text(name: str, position: Position) -> str:
    """Return a position as one reads it over a radio: digits one by one, letters spelled.

    The grid comes with as many digits as its accuracy deserves; the accuracy always follows.
    """
    latitude_deg, longitude_deg = position.latitude_deg, position.longitude_deg
    words = [f"{name}."]
    grid = mgrs_of(latitude_deg, longitude_deg, digits_worth(position))
    if grid:
        square, *numbers = grid.split()
        zone, letters = square[:-3], square[-3:]
        spelled = " ".join(_SPELLED[letter] for letter in letters)
        words.append(f"Grid {' '.join(zone)} {spelled}, {', '.join(map(' '.join, numbers))}.")
    sides = ((latitude_deg, "north", "south"), (wrapped_longitude(longitude_deg), "east", "west"))
    spoken = []
    for value, plus, minus in sides:
        whole, thousandths = divmod(round(abs(value) * 60_000.0), 60_000)
        minutes, rest = divmod(thousandths, 1000)
        digits = " ".join(f"{rest:03d}")
        degrees = " ".join(str(whole))
        side = minus if value < 0.0 else plus
        spoken.append(f"{degrees} degrees {' '.join(str(minutes))} decimal {digits} minutes {side}")
    words.append(f"Latitude {spoken[0]}, longitude {spoken[1]}.")
    words.append(f"Accurate to {_metres(radius_95_m(position))}, 95 percent.")
    return " ".join(words)


def digits_worth(position: Position) -> int:
    """Return how many digits of MGRS the accuracy deserves, 3..5: the square is not finer."""
    if position.ellipse_major_m > 100.0:
        return 3
    return 4 if position.ellipse_major_m > 10.0 else _SPOKEN_DIGITS


def _minutes(value_deg: float, width: int, sides: str) -> str:
    # Rounded before it is taken apart: there are no 60 minutes.
    degrees, parts = divmod(round(abs(value_deg) * 600_000.0), 600_000)
    return f"{degrees:0{width}d}°{parts / 10_000.0:07.4f}'{sides[value_deg < 0.0]}"


def _metres(length_m: float) -> str:
    """Return a length as people say it."""
    return f"{length_m:.1f} m" if length_m < 10.0 else f"{length_m:.0f} m"
