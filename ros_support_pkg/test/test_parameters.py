"""Parameters from a dataclass: defaults, overrides, refusals, changes while running."""

import dataclasses
from collections.abc import Iterator

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

from ros_support_pkg.parameters import ParameterError, declare_parameters, parameter


@dataclasses.dataclass(frozen=True)
class Example:
    name: str = parameter("north", "a name")
    mode: str = parameter("slow", "how", choices=("slow", "fast"), is_runtime=True)
    count: int = parameter(3, "how many", minimum=0, maximum=10, is_runtime=True)
    gain: float = parameter(0.5, "how much", minimum=0.0, maximum=1.0, is_runtime=True)
    is_on: bool = parameter(False, "whether")
    words: tuple[str, ...] = parameter((), "which", is_runtime=True)


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


def test_node_may_refuse_a_change(context: Context) -> None:
    node = make_node(context)

    def refuse(_: Example) -> None:
        raise ValueError("not now")

    declare_parameters(node, Example, refuse)
    (result,) = node.set_parameters([Parameter("count", value=4)])
    assert (result.successful, result.reason) == (False, "not now")


def test_half_a_range_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="both bounds"):
        parameter(1.0, "x", minimum=0.0)
