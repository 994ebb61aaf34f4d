"""Describe a setting once, in a field of a frozen dataclass: default, unit, range and text.

    @dataclass(frozen=True)
    class PointingSettings:
        max_rate_rad_s: float = setting(
            90.0, "greatest rate of an axis", minimum=1.0, maximum=360.0, scale=DEGREES
        )

ROS parameters, parameter files, the JSON schema of `config.yaml` and `docs/ros_api.md` are made
from these fields. People give degrees and megabytes, the code computes in radians and bytes: with a
`scale` the numbers above are the people's, the field's value is the code's, and the name that
people see follows from the field's name (here `max_rate_deg_s`).

A dataclass may hold others; their settings are flattened, so a name is used once. Fields that are
not made by `setting` are constants of the code: no parameter sets them.
"""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
#: What people give: a ROS parameter, a value in a YAML file.
Shown = bool | int | float | str | tuple[str, ...]

_KEY = "setting"
_FORMERLY = "formerly"
_BEFORE = "before"
_NUMBERS = tuple[tuple[str, float], ...]
_WORDS = tuple[tuple[str, str], ...]
_ALLOWED = {
    bool: "true or false",
    int: "a whole number",
    float: "a decimal number (write 1.0, not 1)",
    str: "a text",
    tuple[str, ...]: "a list of texts",
    _NUMBERS: "a list of word=number",
    _WORDS: "a list of word=text",
}
#: Ends of names, longest first, and the unit that each stands for.
_UNITS = {
    "_deg_s2": "deg/s2",
    "_deg_s": "deg/s",
    "_per_s": "1/s",
    "_deg": "deg",
    "_hz": "Hz",
    "_mb": "MB",
    "_px": "px",
    "_s": "s",
    "_m": "m",
}


class SettingError(ValueError):
    """Say that a setting's value is not allowed: one line with its name, value and what is."""


@dataclasses.dataclass(frozen=True)
class Scale:
    """Convert between what people give and what the code computes with.

    Attributes:
        suffixes: (the code's, the people's) ends of names, longest first.
        to_code: people's number -> code's number.
        to_people: the inverse; rounded, so that 90 degrees do not become 90.00000000000001.
    """

    suffixes: tuple[tuple[str, str], ...]
    to_code: Callable[[Any], Any]
    to_people: Callable[[Any], Any]

    def name_for_people(self, name: str) -> str:
        """Return the name with the people's unit.

        Raises:
            ValueError: the name does not end with the code's unit.
        """
        for ours, theirs in self.suffixes:
            if name.endswith(ours):
                return name.removesuffix(ours) + theirs
        raise ValueError(f"setting {name}: its name must end with its unit, {self.suffixes}")


DEGREES = Scale(
    (("_rad_s2", "_deg_s2"), ("_rad_s", "_deg_s"), ("_rad", "_deg")),
    math.radians,
    lambda value: round(math.degrees(value), 6),
)
MEGABYTES = Scale(
    (("_bytes", "_mb"),), lambda value: value * 1_000_000, lambda value: value // 1_000_000
)


@dataclasses.dataclass(frozen=True)
class SettingRules:
    """What a field says about its setting. Bounds are inclusive and in the people's unit."""

    text: str
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    is_runtime: bool = False
    scale: Scale | None = None
    formerly: tuple[str, ...] = ()


def setting(
    default: Any,
    text: str,
    *,
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    choices: Sequence[str] = (),
    is_runtime: bool = False,
    scale: Scale | None = None,
    formerly: Sequence[str] = (),
    before: Any = dataclasses.MISSING,
) -> Any:
    """Make a dataclass field that people can set.

    Args:
        default: in the people's unit, as the bounds are.
        text: what it is, without its unit.
        unit: where the name does not end with it.
        is_runtime: it may be changed while the node runs.
        formerly: names that the field had; a parameter that is given under one of them is refused
            with the new name, a journal that holds one is read.
        before: in the code's unit, what journals without the field were written with; left out:
            the default.

    Raises:
        ValueError: only one bound is given; ROS knows ranges, not half-lines.
    """
    if (minimum is None) != (maximum is None):
        raise ValueError("a setting has both bounds or none")
    rules = SettingRules(
        text, unit, minimum, maximum, tuple(choices), is_runtime, scale, tuple(formerly)
    )
    value = scale.to_code(default) if scale else default
    metadata: dict[str, Any] = {_KEY: rules, _FORMERLY: rules.formerly}
    if before is not dataclasses.MISSING:
        metadata[_BEFORE] = before
    return dataclasses.field(default=value, metadata=metadata)


def constant(
    default: Any, *, formerly: Sequence[str] = (), before: Any = dataclasses.MISSING
) -> Any:
    """Make a dataclass field that no parameter sets, but that journals know in another way.

    Args:
        formerly: names that the field had in journals.
        before: what journals that do not have the field were written with; left out: the default.
    """
    metadata: dict[str, Any] = {_FORMERLY: tuple(formerly)}
    if before is not dataclasses.MISSING:
        metadata[_BEFORE] = before
    return dataclasses.field(default=default, metadata=metadata)


def group(kind: type[T], *, formerly: Sequence[str]) -> T:
    """Make a dataclass field that holds the settings of a part, and had other names in journals."""
    made: Any = dataclasses.field(default_factory=kind, metadata={_FORMERLY: tuple(formerly)})
    return typing.cast(T, made)


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting of a dataclass, as people see it.

    Attributes:
        name: of the parameter.
        paths: where the value goes: names of fields from the outer dataclass inwards. More than one
            where the dataclass holds an inner one twice.
        kind: type of the field: bool, int, float, str or a tuple.
        rules: of its field.
        default: in the people's form.
        owner: the dataclass whose field it is.
    """

    name: str
    paths: tuple[tuple[str, ...], ...]
    kind: Any
    rules: SettingRules
    default: Shown
    owner: type

    @property
    def unit(self) -> str:
        """Return the unit, "" where there is none."""
        ends = (unit for end, unit in _UNITS.items() if self.name.endswith(end))
        return self.rules.unit or next(ends, "")

    @property
    def document(self) -> str:
        """Return the text with its unit in front."""
        return f"[{self.unit}] {self.rules.text}" if self.unit else self.rules.text

    @property
    def former_names(self) -> tuple[str, ...]:
        """Return the names that people knew it by, in their unit."""
        scale = self.rules.scale
        return tuple(scale.name_for_people(name) if scale else name for name in self.rules.formerly)

    @property
    def shown_kind(self) -> Any:
        """Return the type of what people give: pairs are texts with a `=` between."""
        return tuple[str, ...] if typing.get_origin(self.kind) is tuple else self.kind

    @property
    def allowed(self) -> str:
        """Return what is allowed, in words."""
        rules = self.rules
        if rules.choices:
            return "one of " + ", ".join(rules.choices)
        words = _ALLOWED[self.kind]
        if rules.minimum is not None:
            words += f" from {rules.minimum:g} to {rules.maximum:g}"
        return words

    def allows(self, value: Shown) -> bool:
        """Return whether a value of the right type is allowed; within bounds NaN is not."""
        if self.rules.choices:
            return value in self.rules.choices
        if self.rules.minimum is None or self.rules.maximum is None:
            return True
        return self.rules.minimum <= value <= self.rules.maximum  # type: ignore[operator]

    def refusal(self, value: object) -> str:
        """Return the line that refuses a value."""
        return f"parameter '{self.name}' is {value!r}, allowed is {self.allowed}"

    def to_people(self, value: Any) -> Shown:
        """Return a field's value as people give it."""
        if self.kind in (_NUMBERS, _WORDS):
            ending = ":g" if self.kind == _NUMBERS else ""
            return tuple(f"{{}}={{{ending}}}".format(word, one) for word, one in value)
        shown: Shown = self.rules.scale.to_people(value) if self.rules.scale else value
        return shown

    def to_code(self, value: Shown) -> Any:
        """Return what people give as the field's value.

        Raises:
            SettingError: it is a list of pairs, and one of them has another form.
        """
        if self.kind in (_NUMBERS, _WORDS):
            return tuple(self._pair(text) for text in typing.cast(tuple[str, ...], value))
        return self.rules.scale.to_code(value) if self.rules.scale else value

    def _pair(self, text: str) -> tuple[str, float | str]:
        word, equals, value = (part.strip() for part in text.partition("="))
        try:
            if word and equals and value:
                return word, float(value) if self.kind == _NUMBERS else value
        except ValueError:
            pass
        form = "word=number" if self.kind == _NUMBERS else "word=text"
        raise SettingError(f"parameter '{self.name}' has {text!r}, {form} is allowed")


def settings_of(kind: type) -> dict[str, Setting]:
    """Return all settings of a dataclass and of those inside it, by name, in their order.

    Raises:
        TypeError: two different fields have one name, or a former name is in use.
    """
    found: dict[str, Setting] = {}
    for one in _walk(kind, ()):
        known = found.get(one.name)
        if known is None:
            found[one.name] = one
        elif (known.owner, known.rules) == (one.owner, one.rules):
            found[one.name] = dataclasses.replace(known, paths=(*known.paths, *one.paths))
        else:
            raise TypeError(f"{kind.__name__}: two settings are called '{one.name}'")
    renamed_in(found.values())
    return found


def renamed_in(settings: typing.Iterable[Setting]) -> dict[str, str]:
    """Return old name -> new name of the settings.

    Raises:
        TypeError: an old name is in use, or stands for two.
    """
    settings = tuple(settings)
    known = {one.name for one in settings}
    renamed: dict[str, str] = {}
    for one in settings:
        for old in one.former_names:
            if old in known or old in renamed:
                raise TypeError(f"'{old}', which '{one.name}' was called, is taken")
            renamed[old] = one.name
    return renamed


def make(kind: type[T], shown: Mapping[str, Shown]) -> T:
    """Return the dataclass with these values, given by the people's names and units.

    What is left out has its default. Types must be right.

    Raises:
        SettingError: a value is out of its range, or a name is not known.
        ValueError: from the dataclass itself, where values contradict each other.
    """
    known = settings_of(kind)
    tree: dict[str, Any] = {}
    for name, value in shown.items():
        if name not in known:
            raise SettingError(f"parameter '{name}' is not known, known are {', '.join(known)}")
        one = known[name]
        if not one.allows(value):
            raise SettingError(one.refusal(value))
        for path in one.paths:
            branch = tree
            for part in path[:-1]:
                branch = branch.setdefault(part, {})
            branch[path[-1]] = one.to_code(value)
    return typing.cast(T, _grown(kind, tree))


def values_of(instance: Any) -> dict[str, Shown]:
    """Return the values in force as people give them, by name."""
    values: dict[str, Shown] = {}
    for name, one in settings_of(type(instance)).items():
        value = instance
        for part in one.paths[0]:
            value = getattr(value, part)
        values[name] = one.to_people(value)
    return values


def check(instance: Any) -> None:
    """Refuse a dataclass of which a setting is out of its range.

    Raises:
        SettingError: one is; the line says which.
    """
    known = settings_of(type(instance))
    for name, value in values_of(instance).items():
        if not known[name].allows(value):
            raise SettingError(known[name].refusal(value))


def with_new_names(kind: type, plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dataclass's fields, written by name as JSON has them, under today's names.

    What is known neither by a name of today nor by one of before is left as it is.
    """
    renamed: dict[str, str] = {}
    inner: dict[str, type] = {}
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        renamed |= dict.fromkeys(field.metadata.get(_FORMERLY, ()), field.name)
        if dataclasses.is_dataclass(hints[field.name]):
            inner[field.name] = hints[field.name]
    read: dict[str, Any] = {}
    for name, value in plain.items():
        new = renamed.get(name, name)
        is_inner = new in inner and isinstance(value, Mapping)
        read[new] = with_new_names(inner[new], value) if is_inner else value
    return read


def as_before(instance: T) -> T:
    """Return a dataclass in which fields that came later have the values that held before."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(typing.cast(Any, instance)):
        value = getattr(instance, field.name)
        if _BEFORE in field.metadata:
            values[field.name] = field.metadata[_BEFORE]
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            values[field.name] = as_before(value)
    return dataclasses.replace(typing.cast(Any, instance), **values)


def values_before(kind: type) -> dict[str, Any]:
    """Return what held before for fields of a dataclass that came later, by their names."""
    found = dataclasses.fields(kind)
    return {one.name: one.metadata[_BEFORE] for one in found if _BEFORE in one.metadata}


def _walk(kind: type, path: tuple[str, ...]) -> Iterator[Setting]:
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        here, hint = (*path, field.name), hints[field.name]
        if _KEY in field.metadata:
            rules: SettingRules = field.metadata[_KEY]
            scale = rules.scale
            name = scale.name_for_people(field.name) if scale else field.name
            made = Setting(name, (here,), hint, rules, False, kind)
            yield dataclasses.replace(made, default=made.to_people(field.default))
        elif dataclasses.is_dataclass(hint):
            yield from _walk(typing.cast(type, hint), here)


def _grown(kind: type, tree: Mapping[str, Any]) -> Any:
    hints = typing.get_type_hints(kind)
    return kind(
        **{
            name: _grown(hints[name], value) if isinstance(value, dict) else value
            for name, value in tree.items()
        }
    )
