"""Parameters from a dataclass: defaults, overrides, refusals, changes while running."""

import dataclasses
import math
from collections.abc import Iterator

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

from ros_support_pkg.core.settings import DEGREES, setting
from ros_support_pkg.parameters import ParameterError, declare_parameters


@dataclasses.dataclass(frozen=True)
class Inner:
    limit_rad: float = setting(
        90.0, "how far", minimum=0.0, maximum=180.0, scale=DEGREES, formerly=("end_rad",)
    )

    def __post_init__(self) -> None:
        if self.limit_rad == 0.0:
            raise ValueError("limit_rad is 0: nothing would move")


@dataclasses.dataclass(frozen=True)
class Example:
    name: str = setting("north", "a name")
    mode: str = setting("slow", "how", choices=("slow", "fast"), is_runtime=True)
    count: int = setting(3, "how many", minimum=0, maximum=10, is_runtime=True)
    gain: float = setting(0.5, "how much", minimum=0.0, maximum=1.0, is_runtime=True)
    is_on: bool = setting(False, "whether")
    words: tuple[str, ...] = setting((), "which", is_runtime=True)
    inner: Inner = dataclasses.field(default_factory=Inner)


@pytest.fixture
def context(ros_domain: dict[str, str]) -> Iterator[Context]:
    context = Context()
    rclpy.init(context=context)
    yield context
    context.try_shutdown()


def make_node(context: Context, **overrides: object) -> Node:
    parameters = [Parameter(name, value=value) for name, value in overrides.items()]
    return Node("example", context=context, parameter_overrides=parameters)


def test_defaults(context: Context) -> None:
    assert declare_parameters(make_node(context), Example) == Example()


def test_overrides(context: Context) -> None:
    node = make_node(context, name="south", count=7, words=["a", "b"])
    assert declare_parameters(node, Example) == Example(name="south", count=7, words=("a", "b"))


def test_empty_list_is_written_as_one_empty_text(context: Context) -> None:
    assert declare_parameters(make_node(context, words=[""]), Example).words == ()


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("count", 11, "a whole number from 0 to 10"),
        ("count", 2.0, "a whole number from 0 to 10"),
        ("gain", 1.5, "a decimal number (write 1.0, not 1) from 0 to 1"),
        ("gain", 1, "a decimal number (write 1.0, not 1) from 0 to 1"),
        ("gain", float("nan"), "a decimal number (write 1.0, not 1) from 0 to 1"),
        ("mode", "medium", "one of slow, fast"),
        ("name", 5, "a text"),
        ("is_on", "yes", "true or false"),
        ("words", "one", "a list of texts"),
    ],
)
def test_refusal_names_parameter_value_and_allowed(
    context: Context, name: str, value: object, allowed: str
) -> None:
    with pytest.raises(ParameterError) as error:
        declare_parameters(make_node(context, **{name: value}), Example)
    assert str(error.value) == f"parameter '{name}' is {value!r}, allowed is {allowed}"


def test_change_while_running(context: Context) -> None:
    node = make_node(context)
    seen: list[Example] = []
    declare_parameters(node, Example, seen.append)
    (result,) = node.set_parameters([Parameter("gain", value=0.75)])
    assert result.successful
    (result,) = node.set_parameters([Parameter("words", value=["x"])])
    assert seen == [Example(gain=0.75), Example(gain=0.75, words=("x",))]


@pytest.mark.parametrize(("name", "value"), [("mode", "medium"), ("gain", 2.0), ("name", "west")])
def test_refused_change_changes_nothing(context: Context, name: str, value: object) -> None:
    node = make_node(context)
    seen: list[Example] = []
    declare_parameters(node, Example, seen.append)
    (result,) = node.set_parameters([Parameter(name, value=value)])
    assert not result.successful
    assert seen == []
    assert node.get_parameter(name).value == getattr(Example(), name)


def test_simulated_time_is_for_the_start(context: Context) -> None:
    node = make_node(context)
    declare_parameters(node, Example)
    before_ns = node.get_clock().now().nanoseconds
    (result,) = node.set_parameters([Parameter("use_sim_time", value=True)])
    assert not result.successful
    assert "'use_sim_time' can be given at the start only" in result.reason
    assert "\n" not in result.reason
    assert node.get_clock().now().nanoseconds >= before_ns  # neither 0 nor that of /clock
    (same,) = node.set_parameters([Parameter("use_sim_time", value=False)])
    assert same.successful


def test_simulated_time_given_at_the_start_stamps(context: Context) -> None:
    node = make_node(context, use_sim_time=True)
    declare_parameters(node, Example)
    assert node.get_parameter("use_sim_time").value is True
    assert node.get_clock().now().nanoseconds == 0  # nobody publishes /clock
    (result,) = node.set_parameters([Parameter("use_sim_time", value=False)])
    assert not result.successful


def test_node_may_refuse_a_change(context: Context) -> None:
    node = make_node(context)

    def refuse(_: Example) -> None:
        raise ValueError("not now")

    declare_parameters(node, Example, refuse)
    (result,) = node.set_parameters([Parameter("count", value=4)])
    assert (result.successful, result.reason) == (False, "not now")


def test_inner_settings_are_parameters_in_the_units_of_people(context: Context) -> None:
    node = make_node(context, limit_deg=180.0)
    assert declare_parameters(node, Example).inner.limit_rad == math.pi
    (described,) = node.describe_parameters(["limit_deg"])
    assert described.description == "[deg] how far"
    assert described.floating_point_range[0].to_value == 180.0


def test_a_former_name_is_refused_with_the_new_one(context: Context) -> None:
    with pytest.raises(ParameterError) as error:
        declare_parameters(make_node(context, end_deg=5.0), Example)
    assert str(error.value) == (
        "parameter 'end_deg' is not known any more, it is called 'limit_deg' now"
    )


def test_values_that_contradict_each_other_are_refused(context: Context) -> None:
    with pytest.raises(ParameterError, match="nothing would move"):
        declare_parameters(make_node(context, limit_deg=0.0), Example)
