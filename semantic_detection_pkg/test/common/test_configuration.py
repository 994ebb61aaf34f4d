"""config.yaml: good ones become a launch, bad ones one line for each mistake, with its place."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ros_support_pkg.core.renamed import RENAMED_ARGUMENTS, refusal
from semantic_detection_pkg.cli.bringup import main as bringup_main
from semantic_detection_pkg.common.configuration.launching import (
    READ_BY_LAUNCH,
    VARIABLES,
    plan_launch,
)
from semantic_detection_pkg.common.configuration.reading import load_schema, read_config
from semantic_detection_pkg.errors import ConfigurationError

CONFIG = Path(__file__).parents[3] / "config"


def read(text: str) -> dict:
    return read_config(text, load_schema(), "config.yaml")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("config.yaml", {"source", "model", "engine", "classes", "gimbal_mode"}),
        ("config.dev.yaml", {"source", "engine", "gimbal_mode"}),
    ],
)
def test_the_shipped_files_are_right(name: str, arguments: set[str]) -> None:
    text = (CONFIG / name).read_text()
    launch = plan_launch(read(text), {})
    assert set(launch.arguments) == arguments


def test_there_is_one_configuration_file_for_each_case() -> None:
    """Beside the nodes' defaults, which are generated, and what stands in for no parameters."""
    files = {path.name for path in CONFIG.glob("*.yaml")}
    assert {name for name in files if not name.endswith(".param.yaml")} == {
        *("config.yaml", "config.dev.yaml")
    }


def test_an_empty_file_is_all_defaults() -> None:
    assert plan_launch(read("# nothing\n"), {}).arguments == {}


def test_arguments_and_parameters() -> None:
    launch = plan_launch(
        read(
            "classes: [person, it's]\n"
            "detector: {model: x.onnx, confidence_threshold: 1, max_detections: 7}\n"
            "launch: {vlm: false, namespace: r1}\n"
        ),
        {},
    )
    assert launch.arguments == {
        "model": "x.onnx",
        "classes": "['person', 'it''s']",
        "vlm": "false",
        "namespace": "r1",
    }
    parameters = yaml.safe_load(launch.parameters)["/**/detector"]["ros__parameters"]
    assert parameters == {"confidence_threshold": 1.0, "max_detections": 7}
    assert isinstance(parameters["confidence_threshold"], float), "ROS tells 1 from 1.0"


def test_the_line_to_teams_with_tak_is_switched_on_and_set() -> None:
    launch = plan_launch(
        read("tak: {server: 'tls://host', states: [confirmed]}\nlaunch: {tak: true}"), {}
    )
    assert launch.arguments == {"tak": "true"}
    parameters = yaml.safe_load(launch.parameters)["/**/tak"]["ros__parameters"]
    assert parameters == {"server": "tls://host", "states": ["confirmed"]}


def test_the_environment_wins_over_the_file() -> None:
    config = read("detector: {engine: tensorrt}\ngimbal_driver: {gimbal_mode: serial}\n")
    environment = {
        "ENV": "development",
        "INFERENCE_ENGINE": "onnxruntime",
        "GIMBAL_MODE": "mock_tcp",
    }
    assert plan_launch(config, environment).arguments == {
        "engine": "onnxruntime",
        "gimbal_mode": "mock_tcp",
        "respawn": "false",
    }
    launch = plan_launch(config, {"GIMBAL_DEVICE": "/dev/ttyUSB0", "DASHBOARD_HOST": "0.0.0.0"})
    parameters = {
        name: section["ros__parameters"]
        for name, section in yaml.safe_load(launch.parameters).items()
    }
    assert parameters["/**/gimbal_driver"] == {"serial_device": "/dev/ttyUSB0"}
    assert parameters["/**/dashboard"] == {"host": "0.0.0.0"}
    with pytest.raises(ConfigurationError, match="ENV is 'test', allowed is production, develop"):
        plan_launch(config, {"ENV": "test"})


@pytest.mark.parametrize("blank", ["", "  ", "\t\n"])
def test_a_blank_variable_is_none(blank: str) -> None:
    """`${NAME:-}` of a compose file, or `NAME=` of a file of variables."""
    config = read("detector: {engine: tensorrt}\ngimbal_driver: {gimbal_mode: serial}\n")
    environment = dict.fromkeys(("ENV", "OUTPUT_DIR", "TIER3_DIR", *VARIABLES), blank)
    assert plan_launch(config, environment) == plan_launch(config, {})


@pytest.mark.parametrize("name", VARIABLES)
def test_blanks_around_a_variable_do_not_count(name: str) -> None:
    value = "udp" if name == "GIMBAL_MODE" else "a"
    assert plan_launch({}, {name: f" {value}\t"}) == plan_launch({}, {name: value})


def test_a_variables_value_is_checked_as_the_files_is() -> None:
    with pytest.raises(ConfigurationError) as caught:
        plan_launch({}, {"GIMBAL_MODE": "serail"})
    assert str(caught.value) == (
        "variable GIMBAL_MODE is 'serail', allowed is one of serial, mock_tcp, udp"
    )


@pytest.mark.parametrize("name", VARIABLES)
def test_what_a_variable_overrules_is_said(name: str) -> None:
    node, parameter = VARIABLES[name]
    values = {"GIMBAL_MODE": ("udp", "serial")}.get(name, ("a", "b"))
    config = {node: {parameter: values[0]}}
    assert plan_launch(config, {name: values[1]}).remarks == (
        f"parameter '{node}.{parameter}' is {values[1]!r}, as the variable {name} says; "
        f"{values[0]!r} of the config does not count",
    )
    assert plan_launch(config, {name: values[0]}).remarks == ()
    assert plan_launch({}, {name: values[0]}).remarks == ()


def test_blank_variables_do_not_reach_the_launch_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It would make the folder `/` of an empty one."""
    seen: dict[str, str] = {}

    def run(_command: object, environment: dict[str, str], _timeout_s: float) -> int:
        seen.update(environment)
        return 0

    monkeypatch.setattr("semantic_detection_pkg.cli.bringup.run_as_main_process", run)
    texts = [path.read_text() for path in (CONFIG.parent / "launch").glob("*.launch.yaml")]
    pattern = re.compile(r"\$\(env (\w+_(?:DIR|MODE|ENGINE)) ")
    names = set(pattern.findall("\n".join(texts)))
    assert {"OUTPUT_DIR", "GIMBAL_MODE"} <= names <= set(READ_BY_LAUNCH)
    for name in names:
        monkeypatch.setenv(name, " ")
    monkeypatch.setenv("DASHBOARD_HOST", "127.0.0.1")
    assert bringup_main(["--config", str(CONFIG / "config.dev.yaml")]) == 0
    assert seen["DASHBOARD_HOST"] == "127.0.0.1"
    assert {name for name in READ_BY_LAUNCH if name in seen} == {"DASHBOARD_HOST"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("foo: 1", "config.yaml:1: foo is unknown, allowed are camera, classes, "),
        ("\ncamera:\n  sourc: x", "config.yaml:3: camera.sourc is unknown, allowed are "),
        (
            "detector:\n  confidence_threshold: 2",
            "config.yaml:2: detector.confidence_threshold is 2, allowed is a decimal number "
            "(write 1.0, not 1) from 0 to 1",
        ),
        (
            "detector:\n  memory_mode: cuda",
            "config.yaml:2: detector.memory_mode is 'cuda', allowed is one of ",
        ),
        ("detector:\n  threads: 1.5", "config.yaml:2: detector.threads is 1.5, allowed is a whole"),
        ("camera: csi", "config.yaml:1: camera is 'csi', allowed is a section with some of "),
        ("classes: [a, 4]", "config.yaml:1: classes.1 is 4, allowed is a text"),
        ("classes: []", "config.yaml:1: classes is [], allowed is a list of different words"),
        ("classes: [a, a]", "config.yaml:1: classes is ['a', 'a'], allowed is a list of different"),
        ("camera: {source: a}\ncamera: {}", "config.yaml:2: key 'camera' is given twice"),
        ("camera: [", "config.yaml:1: no YAML: "),
        ("- a", "config.yaml:1: the file is ['a'], allowed is a section with some of "),
        ("a: \x00", "config.yaml:1: no YAML: "),
    ],
)
def test_a_mistake_is_one_line_with_its_place(text: str, line: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def renamed_keys() -> list[tuple[str, str, str]]:
    """Return (section, old name, new name) for all that were renamed."""
    schema = load_schema()["properties"]
    return [
        (section, old, new)
        for section, properties in schema.items()
        for old, new in properties.get("x-renamed", {}).items()
    ]


@pytest.mark.parametrize(("section", "old", "new"), renamed_keys())
def test_an_old_name_is_refused_with_the_new_one(section: str, old: str, new: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(f"{section}:\n  {old}: 1")
    assert str(caught.value) == (
        f"config.yaml:2: {section}.{old} is not known any more, it is called '{new}' now"
    )
    assert new in load_schema()["properties"][section]["properties"] or section == "launch"


def test_the_words_that_operators_knew_are_refused() -> None:
    renamed = {(section, old): new for section, old, new in renamed_keys()}
    assert renamed["scan_controller", "closer"] == "refine_factor"
    assert renamed["scan_controller", "candidate_wait_s"] == "max_candidate_wait_s"
    assert renamed["scan_controller", "cell_deg"] == "cell_size_deg"
    assert renamed["recorder", "budget_mb"] == "max_ring_mb"
    assert renamed["launch", "tier3"] == "vlm"


def test_every_mistake_is_named() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read("foo: 1\ncamera: {sourc: 1}\ndetector: {engine: 3}\n")
    assert [text.split(":")[1] for text in str(caught.value).splitlines()] == ["1", "2", "3"]


def bringup(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "semantic_detection_pkg.cli.bringup", "--check", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("old", "new"), RENAMED_ARGUMENTS.items())
def test_an_old_argument_is_refused_with_the_new_one(
    old: str, new: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--check", "--config", str(CONFIG / "config.yaml"), f"{old}:=1"]
    assert bringup_main(words) == 2
    assert capsys.readouterr().err == (
        f"error: argument '{old}' is not known any more, it is called '{new}' now\n"
    )


def test_launch_files_refuse_the_old_arguments() -> None:
    found = {}
    for path in (CONFIG.parent / "launch").glob("*.launch.yaml"):
        arguments = [e["arg"] for e in yaml.safe_load(path.read_text())["launch"] if "arg" in e]
        names = {one["name"] for one in arguments}
        for one in arguments:
            if "is not known any more" in one.get("description", ""):
                (choice,) = one["choice"]
                assert choice["value"] == one["default"] == one["description"]
                new = RENAMED_ARGUMENTS[one["name"]]
                assert one["default"] == refusal(new)
                assert new in names, path
                found[one["name"]] = new
    assert found == RENAMED_ARGUMENTS


def test_the_demo_starts_another_launch_file() -> None:
    done = bringup("--config", str(CONFIG / "config.dev.yaml"), "--launch-file", "dev.launch.yaml")
    assert done.returncode == 0, done.stderr
    command, *parameters = done.stdout.splitlines()
    assert command.startswith("ros2 launch semantic_detection_pkg dev.launch.yaml engine:=onnx")
    assert " source:=sim:7" in command
    scan = yaml.safe_load("\n".join(parameters))["/**/scan_controller"]["ros__parameters"]
    assert scan["area_yaw_min_deg"] == -75.0


@pytest.mark.long
def test_command_line() -> None:
    done = bringup("--config", str(CONFIG / "config.yaml"), "source:=sim:7")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ros2 launch semantic_detection_pkg robot.launch.yaml ")
    assert " source:=sim:7\n" in done.stdout, "what is typed wins over the file"
    for words, error in (
        (("--config", "nowhere.yaml"), "error: config nowhere.yaml: No such file or directory"),
        (("--config", str(CONFIG / "config.yaml"), "x"), "error: argument 'x', allowed is NAME:="),
    ):
        done = bringup(*words)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert done.stderr.startswith(error)
