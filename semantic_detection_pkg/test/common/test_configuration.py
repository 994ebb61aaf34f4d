"""config.yaml: good ones become a launch, bad ones one line for each mistake, with its place."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from semantic_detection_pkg.common.configuration.launching import plan_launch
from semantic_detection_pkg.common.configuration.reading import load_schema, read_config
from semantic_detection_pkg.errors import ConfigurationError

CONFIG = Path(__file__).parents[3] / "config"


def read(text: str) -> dict:
    return read_config(text, load_schema(), "config.yaml")


@pytest.mark.parametrize("name", ["config.yaml", "config.dev.yaml"])
def test_the_shipped_files_are_right(name: str) -> None:
    text = (CONFIG / name).read_text()
    launch = plan_launch(read(text), {})
    assert {"source", "model", "engine", "words", "gimbal_mode"} <= set(launch.arguments)


def test_an_empty_file_is_all_defaults() -> None:
    assert plan_launch(read("# nothing\n"), {}).arguments == {}


def test_arguments_and_parameters() -> None:
    launch = plan_launch(
        read(
            "classes: [person, it's]\n"
            "detector: {model: x.onnx, confidence: 1, max_detections: 7}\n"
            "launch: {tier3: false, namespace: r1}\n"
        ),
        {},
    )
    assert launch.arguments == {
        "model": "x.onnx",
        "words": "['person', 'it''s']",
        "tier3": "false",
        "namespace": "r1",
    }
    parameters = yaml.safe_load(launch.parameters)["/**/detector"]["ros__parameters"]
    assert parameters == {"confidence": 1.0, "max_detections": 7}
    assert isinstance(parameters["confidence"], float), "ROS tells 1 from 1.0"


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
    with pytest.raises(ConfigurationError, match="ENV is 'test', allowed is production, develop"):
        plan_launch(config, {"ENV": "test"})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("foo: 1", "config.yaml:1: foo is unknown, allowed are camera, classes, "),
        ("\ncamera:\n  sourc: x", "config.yaml:3: camera.sourc is unknown, allowed are "),
        (
            "detector:\n  confidence: 2",
            "config.yaml:2: detector.confidence is 2, allowed is a decimal number "
            "(write 1.0, not 1) from 0 to 1",
        ),
        (
            "detector:\n  engine: cuda",
            "config.yaml:2: detector.engine is 'cuda', allowed is one of ",
        ),
        ("detector:\n  threads: 1.5", "config.yaml:2: detector.threads is 1.5, allowed is a whole"),
        ("camera: csi", "config.yaml:1: camera is 'csi', allowed is a section with some of "),
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


def test_every_mistake_is_named() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read("foo: 1\ncamera: {sourc: 1}\ndetector: {engine: 3}\n")
    assert [text.split(":")[1] for text in str(caught.value).splitlines()] == ["1", "2", "3"]


def bringup(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "semantic_detection_pkg.cli.bringup", "--check", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_command_line() -> None:
    done = bringup("--config", str(CONFIG / "config.yaml"), "source:=sim:7")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ros2 launch semantic_detection_pkg robot.launch.yaml ")
    assert " source:=sim:7 " in done.stdout, "what is typed wins over the file"
    for words, error in (
        (("--config", "nowhere.yaml"), "error: config nowhere.yaml: No such file or directory"),
        (("--config", str(CONFIG / "config.yaml"), "x"), "error: argument 'x', allowed is NAME:="),
    ):
        done = bringup(*words)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert done.stderr.startswith(error)
