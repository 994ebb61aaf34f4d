"""A node's parameters are one frozen dataclass: the one place of names, defaults and ranges.

    @dataclass(frozen=True)
    class CameraParameters:
        source: str = parameter("images:.", "URI of the camera")
        rate_hz: float = parameter(15.0, "frames per second", minimum=0.1, maximum=240.0)

    parameters = declare_parameters(node, CameraParameters)

Fields are `bool`, `int`, `float`, `str` or `tuple[str, ...]`. An empty list has no type in ROS, so
an empty tuple of strings is written as `['']`. Fields marked `is_runtime` can be changed while the
node runs; the others are read-only.
"""

import dataclasses
import typing
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

Parameters = TypeVar("Parameters")
ParameterValue = bool | int | float | str | tuple[str, ...]

_METADATA_KEY = "ros_parameter"
_TYPE_NAMES = {
    bool: "true or false",
    int: "a whole number",
    float: "a decimal number (write 1.0, not 1)",
    str: "a text",
    tuple[str, ...]: "a list of texts",
}


class ParameterError(Exception):
    """A parameter's value is not allowed; the message names it, the value and what is allowed."""


@dataclasses.dataclass(frozen=True)
class ParameterRules:
    """What is allowed for one parameter, beside its type. Bounds are inclusive."""

    document: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    is_runtime: bool = False

    def describe(self, expected_type: Any) -> str:
        """The allowed values in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        words = _TYPE_NAMES[expected_type]
        if self.minimum is not None or self.maximum is not None:
            words += f" from {self.minimum:g} to {self.maximum:g}"
        return words

    def allow(self, value: ParameterValue) -> bool:
        """Whether a value of the right type is allowed; NaN never is where there are bounds."""
        if self.choices and value not in self.choices:
            return False
        if self.minimum is not None and self.maximum is not None:
            return self.minimum <= value <= self.maximum  # type: ignore[operator]
        return True


def parameter(
    default: Any,
    document: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: Sequence[str] = (),
    is_runtime: bool = False,
) -> Any:
    """Make a dataclass field that is a ROS parameter.

    Raises:
        ValueError: only one bound is given; ROS knows ranges, not half-lines.
    """
    if (minimum is None) != (maximum is None):
        raise ValueError("a parameter has both bounds or none")
    rules = ParameterRules(document, minimum, maximum, tuple(choices), is_runtime)
    return dataclasses.field(default=default, metadata={_METADATA_KEY: rules})


def rules_of(parameters_class: type) -> dict[str, tuple[Any, ParameterRules]]:
    """Type and rules of every parameter of the class, by name."""
    types = typing.get_type_hints(parameters_class)
    return {
        field.name: (types[field.name], field.metadata[_METADATA_KEY])
        for field in dataclasses.fields(parameters_class)
    }


def declare_parameters(
    node: Node,
    parameters_class: type[Parameters],
    on_change: Callable[[Parameters], None] | None = None,
) -> Parameters:
    """Declare every field on the node and return the values in force.

    Args:
        on_change: called with all values after a run-time change; it may refuse by raising
            ValueError, whose text becomes the reason that the caller sees.

    Raises:
        ParameterError: a given value has the wrong type or is out of range.
    """
    defaults = dataclasses.asdict(parameters_class())  # type: ignore[call-overload]
    values: dict[str, ParameterValue] = {}
    for name, (expected_type, rules) in rules_of(parameters_class).items():
        try:
            declared = node.declare_parameter(
                name, _to_ros(defaults[name]), _descriptor(expected_type, rules)
            )
        except (InvalidParameterTypeException, InvalidParameterValueException):
            given = node._parameter_overrides[name].value  # noqa: SLF001 - rclpy shows it nowhere else
            raise ParameterError(_complaint(name, given, expected_type, rules)) from None
        values[name] = _from_ros(declared.value)
        if not rules.allow(values[name]):
            raise ParameterError(_complaint(name, declared.value, expected_type, rules))
    current = parameters_class(**values)
    node.add_on_set_parameters_callback(_change_handler(current, on_change))
    return current


def _change_handler(
    current: Any, on_change: Callable[[Any], None] | None
) -> Callable[[list[Parameter]], SetParametersResult]:
    rules = rules_of(type(current))

    def handle(changes: list[Parameter]) -> SetParametersResult:
        nonlocal current
        # A type mismatch never gets here: rclpy refuses it for statically typed parameters.
        values = {p.name: _from_ros(p.value) for p in changes if p.name in rules}
        for name, value in values.items():
            expected_type, rule = rules[name]
            if not rule.allow(value):
                reason = _complaint(name, value, expected_type, rule)
                return SetParametersResult(successful=False, reason=reason)
        changed = dataclasses.replace(current, **values)
        if on_change is not None and changed != current:
            try:
                on_change(changed)
            except ValueError as error:
                return SetParametersResult(successful=False, reason=str(error))
        current = changed
        return SetParametersResult(successful=True)

    return handle


def _descriptor(expected_type: Any, rules: ParameterRules) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(
        description=rules.document,
        additional_constraints=rules.describe(expected_type) if rules.choices else "",
        read_only=not rules.is_runtime,
    )
    if rules.minimum is not None and rules.maximum is not None:
        if expected_type is int:
            bounds = IntegerRange(from_value=int(rules.minimum), to_value=int(rules.maximum))
            descriptor.integer_range = [bounds]
        else:
            limits = FloatingPointRange(
                from_value=float(rules.minimum), to_value=float(rules.maximum)
            )
            descriptor.floating_point_range = [limits]
    return descriptor


def _complaint(name: str, value: Any, expected_type: Any, rules: ParameterRules) -> str:
    return f"parameter '{name}' is {value!r}, allowed is {rules.describe(expected_type)}"


def _to_ros(value: ParameterValue) -> Any:
    return list(value) or [""] if isinstance(value, tuple) else value


def _from_ros(value: Any) -> ParameterValue:
    if isinstance(value, list):
        return tuple(item for item in value if item != "")
    return value
