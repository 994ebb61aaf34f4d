"""What is typed wins over what stands in a file, and that over defaults: for every launch argument.

In each layout of processes: what a node is given must not hang on who shares a process with it.

Arguments, nodes and parameters are read from the launch files and the settings; nothing is listed
here. The values in force are asked of rclpy, in the place of the node.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
import rclpy
import yaml
from launch_runner.plan import LaunchPlan, declared_arguments, make_plan
from rclpy.node import Node
from ros_graph import isolated_domain

from ros_support_pkg.core.settings import Setting, Shown, settings_of, values_of
from ros_support_pkg.parameters import declare_parameters
from ros_support_pkg.sharing import split_words
from semantic_detection_pkg.common.configuration.launching import plan_launch
from semantic_detection_pkg.errors import ConfigurationError

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))
from generated.nodes import NODES  # noqa: E402

ENTRIES = {entry.executable: entry for entry in NODES}
#: Say which files are read, what the defaults are, or who shares a process: a file wins over these.
NO_VALUES = {"config_dir", "params_file", "namespace", "processes", "vlm"}
#: Of `processes`; in `few` are those of `one`, fewer.
LAYOUTS = ("each", "one")
#: What is looked at; `demo_judge` has all of its values from the launch file alone.
FILES = ("robot.launch.yaml", "dev.launch.yaml")
#: With these there are nodes that arguments say something about.
OPTIONAL = {"vehicle": "true"}
#: The ways in which a parameter file may name a node.
KEYS = ("/**", "/**/{}", "/{}", "{}")

#: Parameter -> value, of each node.
Values = dict[str, dict[str, Shown]]
MakePlan = Callable[..., LaunchPlan]


def arguments_of(file: str) -> list[str]:
    declared = declared_arguments(ROOT / "launch" / file, {})
    fixed = {name for name, argument in declared.items() if len(argument.get("choice", ())) == 1}
    return [name for name in declared if name not in NO_VALUES | fixed]


CASES = [(file, name) for file in FILES for name in arguments_of(file)]


def typed_value(file: str, name: str) -> str:
    """A value that an argument is not by default, and that differs from `from_file`."""
    argument = declared_arguments(ROOT / "launch" / file, {})[name]
    choices = [choice["value"] for choice in argument.get("choice", ()) if choice["value"]]
    default = argument["default"].text if "default" in argument.attributes else ""
    if choices:
        return choices[-1]
    if name in OPTIONAL:
        return "false"
    if default in ("true", "false") or default.startswith("$(var mock_gimbal"):
        return "false" if default != "false" else "true"
    return {
        "classes": "['typed one', 'typed two']",
        "autostart_scan": "true",
        "dashboard_port": "8123",
        "mock_port": "9123",
        "duration_s": "7.5",
        "gimbal_mode": "udp",
        "engine": "fake",
    }.get(name, f"typed_{name}")


def other(one: Setting) -> Shown:
    """A value of a setting that is neither its default nor what is typed."""
    rules, value = one.rules, one.default
    if rules.choices:
        return next(choice for choice in reversed(rules.choices) if choice not in (value, "udp"))
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return f"filed_{one.name}"
    if isinstance(value, tuple):
        return ("filed=1",) if "=" in one.allowed else ("filed",)
    candidates = [rules.minimum, rules.maximum, 3, 5]
    return type(value)(next(c for c in candidates if c is not None and c != value))


def node_commands(plan: LaunchPlan) -> Iterator[tuple[str, list[str]]]:
    """Each node with the command that it would have alone."""
    for process in plan.processes:
        name = Path(process.command[0]).name
        if name in ENTRIES:
            yield name, list(process.command)
        elif name == "nodes":
            by_node, common = split_words(process.command[1:])
            for node, words in by_node.items():
                yield node, [node, *words, *common]


#: Parameters in force by node and content of its files: most of them are the same in most cases.
_KNOWN: dict[tuple[str, tuple[str, ...]], dict[str, Shown]] = {}


def in_force(name: str, command: list[str]) -> dict[str, Shown]:
    """Parameters of a node that is started by a command."""
    node = Node(
        name,
        cli_args=command[1:],
        use_global_arguments=False,
        start_parameter_services=False,
        enable_rosout=False,
    )
    try:
        return values_of(declare_parameters(node, ENTRIES[name].settings_class))
    finally:
        node.destroy_node()


def values(plan: LaunchPlan) -> Values:
    found: Values = {}
    for name, command in node_commands(plan):
        words = (Path(one).read_text() if one.endswith(".yaml") else one for one in command[1:])
        key = (name, tuple(words))
        if key not in _KNOWN:
            _KNOWN[key] = in_force(name, command)
        found[name] = _KNOWN[key]
    return found


@pytest.fixture(scope="module", params=LAYOUTS)
def plan(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MakePlan]:
    """Plans of launch files in one layout of processes; what is asked twice is made once."""
    made: dict[tuple[str, ...], LaunchPlan] = {}

    def make(file: str, **arguments: str) -> LaunchPlan:
        key = (file, *sorted(f"{name}:={value}" for name, value in arguments.items()))
        if key not in made:
            folder = tmp_path_factory.mktemp("parameters")
            given = {"processes": request.param, **OPTIONAL, **arguments}
            made[key] = make_plan(ROOT / "launch" / file, given, folder)
        return made[key]

    with isolated_domain() as domain, pytest.MonkeyPatch.context() as patch:
        for variable in ("GIMBAL_MODE", "INFERENCE_ENGINE", "OUTPUT_DIR", "TIER3_DIR"):
            patch.delenv(variable, raising=False)
        for variable, value in domain.items():
            patch.setenv(variable, value)
        rclpy.init(args=[])  # one for all nodes: each would take a tenth of a second
        yield make
        rclpy.shutdown()


def params_file(key: str, parameters: Iterable[tuple[str, str]], folder: Path) -> str:
    """A file that says something else of some parameters of some nodes."""
    document: dict[str, dict[str, dict[str, object]]] = {}
    for node, name in sorted(parameters):
        one = settings_of(ENTRIES[node].settings_class)[name]
        if key == "/**" and not is_of_one_kind(name):
            continue
        value = other(one)
        section = document.setdefault(key.format(node), {"ros__parameters": {}})
        section["ros__parameters"][name] = list(value) if isinstance(value, tuple) else value
    # Something under the key that comes first: places in rcl's list are by the first appearance.
    document.setdefault("/**", {"ros__parameters": {"use_sim_time": False}})
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(document))
    return str(path)


def is_of_one_kind(name: str) -> bool:
    """Whether a parameter is the same thing at all nodes that have it."""
    ones = [settings_of(entry.settings_class).get(name) for entry in ENTRIES.values()]
    return len({(one.kind, one.rules.choices) for one in ones if one is not None}) == 1


def changed_by(plan: MakePlan, file: str, name: str) -> dict[tuple[str, str], Shown]:
    """Parameters that an argument changes, with their values."""
    base, with_it = values(plan(file)), values(plan(file, **{name: typed_value(file, name)}))
    return {
        (node, key): value
        for node in base.keys() & with_it.keys()
        for key, value in with_it[node].items()
        if repr(value) != repr(base[node][key])  # NaN is what NaN was
    }


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize(("file", "name"), CASES)
def test_what_is_typed_wins(file: str, name: str, key: str, plan: MakePlan, tmp_path: Path) -> None:
    changed = changed_by(plan, file, name)
    typed = {name: typed_value(file, name)}
    path = params_file(key, changed, tmp_path)
    both = values(plan(file, **typed, params_file=path))
    assert {(node, one): both[node][one] for node, one in changed} == changed
    alone = plan(file, **typed)
    assert both.keys() == {node for node, _ in node_commands(alone)}


def test_every_argument_of_a_value_changes_something(plan: MakePlan) -> None:
    """Otherwise the test above could not fail."""
    without_effect = set()
    for file, name in CASES:
        base, with_it = plan(file), plan(file, **{name: typed_value(file, name)})
        stripped = [
            [
                (process.label, process.respawn, [w for w in process.command if ".yaml" not in w])
                for process in one.processes
            ]
            for one in (base, with_it)
        ]
        if stripped[0] == stripped[1] and repr(values(base)) == repr(values(with_it)):
            without_effect.add((file, name))
    assert without_effect == set()


def test_a_node_is_given_the_same_in_each_layout(plan: MakePlan, tmp_path: Path) -> None:
    """Whatever is typed, and whatever stands in a file."""
    file = "robot.launch.yaml"
    name = {"tak": "true"}
    typed = {name: typed_value(file, name) for name in arguments_of(file)} | {"gimbal": "true"}
    typed |= {"vlm": "true", "record": "true", "dashboard": "true"}
    path = params_file("/**/{}", [("dashboard", "port"), ("gpu_arbiter", "detector")], tmp_path)
    for given in (name, {**typed, **name}, {**name, "params_file": path, "namespace": "r1"}):
        layouts = [
            values(plan(file, **{**given, "processes": one})) for one in ("each", "few", "one")
        ]
        assert layouts[0].keys() == layouts[1].keys() == layouts[2].keys()
        assert repr(layouts[1]) == repr({node: layouts[0][node] for node in layouts[1]})
        assert repr(layouts[2]) == repr({node: layouts[0][node] for node in layouts[2]})


@pytest.mark.parametrize("key", KEYS)
def test_what_stands_in_a_file_wins_over_defaults(key: str, plan: MakePlan, tmp_path: Path) -> None:
    file = "robot.launch.yaml"
    argued = [one for name in arguments_of(file) for one in changed_by(plan, file, name)]
    path = params_file(key, argued, tmp_path)
    document = yaml.safe_load(Path(path).read_text())
    found = values(plan(file, params_file=path))
    compared = 0
    for node, name in argued:
        section = document.get(key.format(node), {}).get("ros__parameters", {})
        if name in section:
            value = section[name]
            assert found[node][name] == (tuple(value) if isinstance(value, list) else value)
            compared += 1
    assert compared >= 5


#: Nodes that write or read below the folder of the recordings.
KEEPERS = ("recorder", "dashboard", "health_monitor", "scan_controller")


def folders(found: Values) -> set[Shown]:
    return {found[node]["output_dir"] for node in KEEPERS}


@pytest.mark.parametrize("arguments", [{}, {"output_dir": "/b"}, {"namespace": "r1"}])
def test_all_that_keep_something_agree_on_the_folder(
    plan: MakePlan, arguments: dict[str, str]
) -> None:
    assert len(folders(values(plan("robot.launch.yaml", **arguments)))) == 1


@pytest.mark.parametrize(
    "nodes", [("recorder",), ("dashboard",), ("scan_controller",), ("recorder", "health_monitor")]
)
def test_folders_of_a_config_agree(nodes: tuple[str, ...]) -> None:
    launch = plan_launch({node: {"output_dir": "/a"} for node in nodes}, {})
    assert launch.arguments["output_dir"] == "/a"
    assert launch.parameters == ""


def test_folders_of_a_config_that_do_not_agree_are_refused() -> None:
    config = {"recorder": {"output_dir": "/a"}, "dashboard": {"output_dir": "/b"}}
    with pytest.raises(ConfigurationError) as error:
        plan_launch(config, {})
    assert str(error.value) == (
        "recorder.output_dir is '/a', dashboard.output_dir is '/b': the same value is allowed"
    )


def test_words_of_a_config_may_differ(plan: MakePlan, tmp_path: Path) -> None:
    """The detector knows more than a scan looks for."""
    config = {"classes": ["a", "b"], "scan_controller": {"classes": ["a"]}}
    launch = plan_launch(config, {})
    assert "classes" not in launch.arguments
    path = tmp_path / "params.yaml"
    path.write_text(launch.parameters)
    found = values(plan("robot.launch.yaml", params_file=str(path)))
    words = [found[node]["classes"] for node in ("detector", "scan_controller")]
    assert words == [("a", "b"), ("a",)]


def test_an_empty_value_of_a_config_is_no_argument() -> None:
    launch = plan_launch({"detector": {"classifier": ""}}, {})
    assert launch.arguments == {}
    parameters = yaml.safe_load(launch.parameters)
    assert parameters == {"/**/detector": {"ros__parameters": {"classifier": ""}}}
