"""Settings from a dataclass: flattening, units for people, former names, refusals."""

import dataclasses
import math

import pytest

from ros_support_pkg.core.settings import (
    DEGREES,
    MEGABYTES,
    SettingError,
    check,
    constant,
    make,
    renamed_in,
    setting,
    settings_of,
    values_of,
    with_new_names,
)


@dataclasses.dataclass(frozen=True)
class Axis:
    max_rate_rad_s: float = setting(
        90.0, "greatest rate", minimum=1.0, maximum=360.0, scale=DEGREES, formerly=("rate_rad_s",)
    )
    gate_rad: float = constant(0.5, formerly=("same_rad",))


@dataclasses.dataclass(frozen=True)
class Disk:
    axis: Axis = dataclasses.field(default_factory=Axis)
    ring_bytes: int = setting(8, "size of the ring", minimum=1, maximum=100, scale=MEGABYTES)


@dataclasses.dataclass(frozen=True)
class Whole:
    count: int = setting(3, "how many", minimum=0, maximum=10, formerly=("number",))
    zoom: float = setting(1.0, "magnification", unit="x")
    sizes: tuple[tuple[str, float], ...] = setting((("path", 140.0),), "class=px")
    names: tuple[tuple[str, str], ...] = setting((), "class=name")
    mode: str = setting("slow", "how", choices=("slow", "fast"))
    axis: Axis = dataclasses.field(default_factory=Axis)
    disk: Disk = dataclasses.field(default_factory=Disk)


def test_settings_are_flattened_in_order_and_named_in_the_units_of_people() -> None:
    assert list(settings_of(Whole)) == [
        *("count", "zoom", "sizes", "names", "mode", "max_rate_deg_s", "ring_mb")
    ]


def test_what_is_held_twice_is_one_setting() -> None:
    made = make(Whole, {"max_rate_deg_s": 180.0})
    assert made.axis.max_rate_rad_s == made.disk.axis.max_rate_rad_s == math.pi


def test_defaults_and_values_are_in_the_units_of_people() -> None:
    assert Whole().axis.max_rate_rad_s == math.radians(90.0)
    assert Whole().disk.ring_bytes == 8_000_000
    shown = {name: one.default for name, one in settings_of(Whole).items()}
    assert shown == values_of(Whole())
    assert shown["max_rate_deg_s"] == 90.0
    assert shown["ring_mb"] == 8
    assert shown["sizes"] == ("path=140",)
    assert make(Whole, shown) == Whole()


@pytest.mark.parametrize(("name", "unit"), [("max_rate_deg_s", "deg/s"), ("ring_mb", "MB")])
def test_units_come_from_the_names(name: str, unit: str) -> None:
    one = settings_of(Whole)[name]
    assert one.unit == unit
    assert one.document.startswith(f"[{unit}] ")


def test_a_unit_may_be_said_and_may_be_missing() -> None:
    assert settings_of(Whole)["zoom"].document == "[x] magnification"
    assert settings_of(Whole)["count"].document == "how many"


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"count": 11}, "parameter 'count' is 11, allowed is a whole number from 0 to 10"),
        ({"mode": "x"}, "parameter 'mode' is 'x', allowed is one of slow, fast"),
        ({"sizes": ("path",)}, "parameter 'sizes' has 'path', word=number is allowed"),
        ({"sizes": ("path=x",)}, "parameter 'sizes' has 'path=x', word=number is allowed"),
        ({"names": ("=x",)}, "parameter 'names' has '=x', word=text is allowed"),
        (
            {"max_rate_deg_s": math.nan},
            "parameter 'max_rate_deg_s' is nan, allowed is a decimal number (write 1.0, not 1)"
            " from 1 to 360",
        ),
    ],
)
def test_what_is_not_allowed_is_one_line(values: dict[str, object], line: str) -> None:
    with pytest.raises(SettingError) as caught:
        make(Whole, values)  # type: ignore[arg-type]
    assert str(caught.value) == line


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(SettingError, match="parameter 'x' is not known, known are count, zoom"):
        make(Whole, {"x": 1})


def test_a_dataclass_checks_itself() -> None:
    check(Axis())
    with pytest.raises(SettingError, match="'max_rate_deg_s' is 400.0, allowed is"):
        check(Axis(max_rate_rad_s=math.radians(400.0)))


def test_former_names_are_in_the_units_of_people() -> None:
    assert renamed_in(settings_of(Whole).values()) == {
        "number": "count",
        "rate_deg_s": "max_rate_deg_s",
    }


def test_plain_fields_are_read_under_their_former_names() -> None:
    plain = {"number": 5, "axis": {"rate_rad_s": 1.0, "same_rad": 2.0}, "gone": 1}
    assert with_new_names(Whole, plain) == {
        "count": 5,
        "axis": {"max_rate_rad_s": 1.0, "gate_rad": 2.0},
        "gone": 1,
    }


def test_mistakes_of_who_writes_a_dataclass() -> None:
    with pytest.raises(ValueError, match="both bounds"):
        setting(1.0, "x", minimum=0.0)

    @dataclasses.dataclass(frozen=True)
    class WithoutUnit:
        angle: float = setting(1.0, "x", scale=DEGREES)

    with pytest.raises(ValueError, match="setting angle: its name must end with its unit"):
        settings_of(WithoutUnit)

    @dataclasses.dataclass(frozen=True)
    class Twice:
        whole: Whole = dataclasses.field(default_factory=Whole)
        count: int = setting(1, "another")

    with pytest.raises(TypeError, match="two settings are called 'count'"):
        settings_of(Twice)

    @dataclasses.dataclass(frozen=True)
    class Taken:
        new: int = setting(1, "x", formerly=("old",))
        old: int = setting(1, "y")

    with pytest.raises(TypeError, match="'old', which 'new' was called, is taken"):
        settings_of(Taken)
