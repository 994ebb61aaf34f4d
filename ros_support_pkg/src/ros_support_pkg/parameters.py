"""A node's parameters are made from one frozen dataclass; see `ros_support_pkg.core.settings`.

    settings = declare_parameters(node, CameraSettings)

An empty list has no type in ROS, so an empty list of texts is written as `['']`. Settings marked
`is_runtime` can be changed while the node runs; the others are read-only. So is ROS's own
`use_sim_time` here: given at the start, stamps are those of `/clock`. Changed under way, all stamps
of a node would stand until somebody publishes that, and what others do by them.

What is typed wins: a launch file hands its argument on as the parameter `launch.NAME`, empty where
nobody has given it. By itself rcl takes some values of a parameter file over those of a launch
file: it goes by how the file calls the node (`/**`, `/**/camera`, `/camera`) and what came first.
"""

from collections.abc import Callable, Iterable
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

from ros_support_pkg.core.renamed import refusal
from ros_support_pkg.core.settings import (
    Setting,
    Shown,
    make,
    renamed_in,
    settings_of,
)

Settings = TypeVar("Settings")

_LAUNCH = "launch."
#: Stands in a launch file between a folder's argument and a file's name: in front of it there is
#: nothing where nobody has given the folder.
_BELOW = "/./"

_SIM_TIME = "use_sim_time"
_SIM_TIME_REFUSAL = (
    "parameter 'use_sim_time' can be given at the start only: changed while the node runs, its "
    "stamps would stand still until somebody publishes /clock"
)


class ParameterError(Exception):
    """Say that a parameter's value or name is not allowed: one line for the user."""


def declare_parameters(
    node: Node,
    settings_class: type[Settings],
    on_change: Callable[[Settings], None] | None = None,
) -> Settings:
    """Declare every setting on the node and return the values in force.

    Args:
        on_change: called with all values after a run-time change; it may refuse by raising
            ValueError, whose text becomes the reason that the caller sees.

    Raises:
        ParameterError: a given value has the wrong type or is out of range, the values contradict
            each other, or one is given under a name that it had before.
    """
    known = settings_of(settings_class)
    _take_launch_arguments(node, known)
    for old, new in renamed_in(known.values()).items():
        if old in node._parameter_overrides:  # noqa: SLF001 - rclpy shows them nowhere else
            raise ParameterError(f"parameter '{old}' {refusal(new)}")
    shown = {name: _declare(node, one) for name, one in known.items()}
    try:
        settings = make(settings_class, shown)
    except ValueError as error:
        raise ParameterError(str(error)) from None
    node.add_on_set_parameters_callback(_change_handler(node, settings_class, shown, on_change))
    return settings


def _take_launch_arguments(node: Node, known: Iterable[str]) -> None:
    """Put the values of `launch.NAME` in the place of whatever else gives NAME; say so."""
    given = node._parameter_overrides  # noqa: SLF001 - rclpy shows them nowhere else
    for name in known:
        argument = given.pop(f"{_LAUNCH}{name}", None)
        if argument is None or _is_not_given(argument.value):
            continue
        value = argument.value
        if isinstance(value, str):
            value = value.replace(_BELOW, "/")
        before = given.get(name)
        given[name] = Parameter(name, value=value)
        if before is not None and before.value != value:
            node.get_logger().info(
                f"parameter '{name}' is {value!r}, as the launch argument says; {before.value!r} "
                "of a parameter file does not count"
            )


def _is_not_given(value: Any) -> bool:
    return isinstance(value, str) and (not value or value.startswith(_BELOW))


def _declare(node: Node, one: Setting) -> Shown:
    try:
        declared = node.declare_parameter(one.name, _to_ros(one.default), _descriptor(one))
    except (InvalidParameterTypeException, InvalidParameterValueException):
        given = node._parameter_overrides[one.name].value  # noqa: SLF001
        raise ParameterError(one.refusal(given)) from None
    value = _from_ros(declared.value)
    if not one.allows(value):
        raise ParameterError(one.refusal(declared.value))
    return value


def _change_handler(
    node: Node,
    settings_class: type[Any],
    shown: dict[str, Shown],
    on_change: Callable[[Any], None] | None,
) -> Callable[[list[Parameter]], SetParametersResult]:
    def handle(changes: list[Parameter]) -> SetParametersResult:
        nonlocal shown
        for one in changes:
            if one.name == _SIM_TIME and one.value != node.get_parameter(_SIM_TIME).value:
                return SetParametersResult(successful=False, reason=_SIM_TIME_REFUSAL)
        # A type mismatch never gets here: rclpy refuses it for statically typed parameters.
        changed = shown | {p.name: _from_ros(p.value) for p in changes if p.name in shown}
        try:
            settings = make(settings_class, changed)
            if on_change is not None and changed != shown:
                on_change(settings)
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        shown = changed
        return SetParametersResult(successful=True)

    return handle


def _descriptor(one: Setting) -> ParameterDescriptor:
    rules = one.rules
    descriptor = ParameterDescriptor(
        description=one.document,
        additional_constraints=one.allowed if rules.choices else "",
        read_only=not rules.is_runtime,
    )
    if rules.minimum is not None and rules.maximum is not None:
        if one.kind is int:
            bounds = IntegerRange(from_value=int(rules.minimum), to_value=int(rules.maximum))
            descriptor.integer_range = [bounds]
        else:
            limits = FloatingPointRange(
                from_value=float(rules.minimum), to_value=float(rules.maximum)
            )
            descriptor.floating_point_range = [limits]
    return descriptor


def _to_ros(value: Shown) -> Any:
    return list(value) or [""] if isinstance(value, tuple) else value


def _from_ros(value: Any) -> Shown:
    if isinstance(value, list):
        return tuple(item for item in value if item != "")
    shown: Shown = value
    return shown
