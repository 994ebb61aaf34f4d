"""Coordinates as people write and read them: against GEOTRANS (mgrs) and PROJ (rasterio)."""

import math
import re

import mgrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rasterio.warp import transform

from semantic_detection_pkg.common.core.coordinates import (
    accuracy_text,
    degrees_and_minutes,
    digits_worth,
    mgrs_of,
    radio_text,
    radius_95_m,
    utm_of,
    wrapped_longitude,
)
from semantic_detection_pkg.common.core.position import Position

LATITUDES = st.floats(-80.0, 84.0, exclude_max=True)
LONGITUDES = st.floats(-180.0, 180.0, exclude_max=True)
#: Around the odd zones of Norway and Svalbard, the equator, the date line, both ends.
PLACES = [
    (60.39, 5.32), (58.0, 3.5), (78.22, 15.65), (74.0, 8.99), (73.0, 33.0), (0.0, 0.0),
    (-0.0001, 179.99999), (-33.86, 151.21), (-54.8, -68.3), (83.99, -30.0), (-79.99, 12.0),
    (47.3, 8.5), (40.0, -120.0),
]  # fmt: skip


def position(latitude_deg=47.3, longitude_deg=8.5, major_m=12.0, minor_m=4.0, heading_rad=0.5):
    return Position(latitude_deg, longitude_deg, 500.0, 120.0, major_m, minor_m, heading_rad)


def epsg_of(place):
    return f"EPSG:{326 if place.band >= 'N' else 327}{place.zone:02d}"


@pytest.mark.parametrize(("latitude", "longitude"), PLACES)
def test_utm_is_that_of_proj_to_1e_7_degrees(latitude, longitude):
    place = utm_of(latitude, longitude)
    (back_longitude,), (back_latitude,) = transform(
        epsg_of(place), "EPSG:4326", [round(place.easting_m, 3)], [round(place.northing_m, 3)]
    )
    assert back_latitude == pytest.approx(latitude, abs=1e-7)
    assert math.remainder(back_longitude - longitude, 360.0) == pytest.approx(0.0, abs=1e-7)


def test_mgrs_names_the_square_that_geotrans_names():
    geotrans = mgrs.MGRS()
    for latitude, longitude in PLACES:
        wanted = geotrans.toMGRS(latitude, longitude, MGRSPrecision=5)
        assert mgrs_of(latitude, longitude).replace(" ", "") == wanted, (latitude, longitude)


@given(LATITUDES, LONGITUDES)
@example(0.0, 3.0)  # on the meridian in the middle of a zone: easting 500,000 to the last bit
@example(-80.0, -180.0)
@example(83.999999, 179.999999)
def test_mgrs_of_any_place_leads_back_to_it(latitude, longitude):
    text = mgrs_of(latitude, longitude)
    assert re.fullmatch(r"\d{1,2}[C-X][A-Z]{2} \d{5} \d{5}", text)
    back = mgrs.MGRS().toLatLon(text.replace(" ", ""))
    metres = 111_320.0
    assert abs(back[0] - latitude) * metres < 1.6
    off = math.remainder(back[1] - longitude, 360.0) * metres * math.cos(math.radians(latitude))
    assert abs(off) < 1.6


@pytest.mark.parametrize("digits", [1, 2, 3, 4, 5])
def test_digits_are_cut_off_not_rounded(digits):
    whole, short = mgrs_of(47.3, 8.5), mgrs_of(47.3, 8.5, digits)
    square, *numbers = whole.split()
    assert short.split() == [square, *(number[:digits] for number in numbers)]


@pytest.mark.parametrize("latitude", [84.01, -80.01, 90.0, -90.0])
def test_the_poles_have_no_grid(latitude):
    assert utm_of(latitude, 10.0) is None
    assert mgrs_of(latitude, 10.0) == ""
    assert "Grid" not in radio_text("1 person", position(latitude_deg=latitude))
    assert "Latitude" in radio_text("1 person", position(latitude_deg=latitude))


@pytest.mark.parametrize(
    ("given_deg", "wanted_deg"),
    [(0.0, 0.0), (180.0, -180.0), (-180.0, -180.0), (190.0, -170.0), (-190.0, 170.0), (360.0, 0.0)],
)
def test_longitudes_are_wrapped(given_deg, wanted_deg):
    assert wrapped_longitude(given_deg) == wanted_deg
    assert utm_of(10.0, given_deg) == utm_of(10.0, wanted_deg)


@pytest.mark.parametrize(
    ("latitude", "longitude", "wanted"),
    [
        (47.370390, 8.540943, "47°22.2234'N 008°32.4566'E"),
        (-33.5, -151.25, "33°30.0000'S 151°15.0000'W"),
        (59.9999999999, 0.0, "60°00.0000'N 000°00.0000'E"),  # never 60 minutes
        (-0.00000001, -0.00000001, "00°00.0000'S 000°00.0000'W"),
    ],
)
def test_degrees_and_minutes(latitude, longitude, wanted):
    assert degrees_and_minutes(latitude, longitude) == wanted


@given(LATITUDES, LONGITUDES)
def test_degrees_and_minutes_lead_back(latitude, longitude):
    text = degrees_and_minutes(latitude, longitude)
    numbers = re.fullmatch(r"(\d+)°([\d.]+)'([NS]) (\d+)°([\d.]+)'([EW])", text)
    signs = {"N": 1, "S": -1, "E": 1, "W": -1}
    parts = numbers.groups()
    for value, (degrees, minutes, side) in ((latitude, parts[:3]), (longitude, parts[3:])):
        assert float(minutes) < 60.0
        read = signs[side] * (int(degrees) + float(minutes) / 60.0)
        assert read == pytest.approx(value, abs=0.5001e-4 / 60.0)


def test_what_is_read_over_a_radio_has_digits_one_by_one_and_the_accuracy():
    text = radio_text("3 tent", position(47.370390, 8.540943, major_m=4.0))
    grid = mgrs_of(47.370390, 8.540943)
    square, east, north = grid.split()
    assert square == "32TMT"
    assert f"Grid 3 2 Tango Mike Tango, {' '.join(east)}, {' '.join(north)}." in text
    assert "Latitude 4 7 degrees 2 2 decimal 2 2 3 minutes north" in text
    assert "longitude 8 degrees 3 2 decimal 4 5 7 minutes east" in text
    assert text.endswith("Accurate to 9.8 m, 95 percent.")
    assert text.startswith("3 tent. ")


@pytest.mark.parametrize(("major_m", "digits"), [(3.0, 5), (10.0, 5), (30.0, 4), (300.0, 3)])
def test_the_grid_is_not_finer_than_the_position_is_sure(major_m, digits):
    assert digits_worth(position(major_m=major_m)) == digits


def test_accuracy_says_1_sigma_and_95_percent():
    assert accuracy_text(position(heading_rad=-math.pi / 4)) == (
        "1 sigma 12 m by 4.0 m, long axis 135 deg from north; 95 % within 29 m"
    )


def test_the_circle_of_95_percent_holds_so_many():
    import numpy as np

    rng = np.random.default_rng(3)
    for minor_m in (12.0, 6.0, 0.1):
        points = rng.normal(size=(40_000, 2)) * (12.0, minor_m)
        inside = (np.hypot(*points.T) <= radius_95_m(position(minor_m=minor_m))).mean()
        assert inside >= 0.948
