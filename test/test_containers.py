"""The container files name only what exists: paths, variables, ports, volumes, commands."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
DOCKER = ROOT / "docker"
DOCKERFILE = DOCKER / "semantic_detection" / "Dockerfile"
WORKSPACE = "/opt/semantic-detection"
#: Exist on a robot or in an image, not here.
OF_THE_HOST = {"/tmp/argus_socket"}


@pytest.fixture(scope="module", params=["compose.yaml", "compose.dev.yaml"])
def compose(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A compose file as a tool of the trade understands it: anchors and variables resolved."""
    engine = tmp_path_factory.mktemp("engine") / "podman"
    engine.write_text("#!/bin/sh\necho podman version 5.0.0\n")  # it is asked for nothing else
    engine.chmod(0o755)
    program = Path(sys.executable).with_name("podman-compose")
    command = [program, "--podman-path", engine, "-f", DOCKER / request.param, "config"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)


def entry_points() -> dict[tuple[str, str], str]:
    """Module of every program that `ros2 run PACKAGE PROGRAM` knows."""
    found = {}
    for setup in ROOT.glob("*_pkg/setup.py"):
        for name, module in re.findall(r'"(\w+) = ([\w.]+):main"', setup.read_text()):
            found[setup.parent.name, name] = module
    return found


def test_dockerfile_is_clean() -> None:
    if (hadolint := shutil.which("hadolint", path=str(Path(sys.executable).parent))) is None:
        pytest.skip("hadolint: PyPI has it for x86-64 only")
    done = subprocess.run([hadolint, DOCKERFILE], capture_output=True, text=True, check=False)
    assert done.stdout == ""


def test_dockerfile_copies_what_exists() -> None:
    text = DOCKERFILE.read_text()
    copied = [
        name
        for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.M)
        for name in line.split()
    ]
    assert len(copied) > 10
    assert [name for name in copied if not (ROOT / name).exists()] == []
    packages = {path.parent.name for path in ROOT.glob("*/package.xml")}
    assert packages <= set(copied), "every package is built"
    assert "Makefile" in copied
    targets = re.findall(r"\bmake (setup|build)\b", text)
    assert set(targets) == {"setup", "build"}
    for target in targets:
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.M), target


def test_volumes_and_mounts_exist(compose: Any) -> None:
    named = set(compose["volumes"])
    for service in compose["services"].values():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if source.startswith("."):
                assert (DOCKER / source).resolve().exists(), mount
            else:
                assert source in named | OF_THE_HOST, mount


def test_the_robot_has_the_volumes_of_the_plan() -> None:
    plan = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    assert set(plan["volumes"]) == {"models", "config", "output", "vlm-models", "vlm-socket"}
    assert set(plan["services"]) == {"semantic-detection", "vlm-service"}
    sockets = [
        mount.split(":")[1]
        for service in plan["services"].values()
        for mount in service["volumes"]
        if mount.startswith("vlm-socket")
    ]
    assert len(sockets) == 2
    assert len(set(sockets)) == 1, "both see the socket at one place"


def test_commands_exist_and_take_their_options(compose: Any) -> None:
    programs = entry_points()
    for name, service in compose["services"].items():
        for command in (service.get("command"), service.get("healthcheck", {}).get("test")):
            words = [word for word in command or [] if word not in ("CMD", "entrypoint")]
            if words[:2] == ["ros2", "run"]:
                module, options = programs[words[2], words[3]], words[4:]
            elif words[:2] == ["python3", "-m"]:
                module, options = words[2], words[3:]
            else:
                assert not words, f"{name}: {words}"
                continue
            assert importlib.util.find_spec(module) is not None, f"{name}: {module}"
            flags = {word.split("=")[0] for word in options if word.startswith("--")}
            if flags:
                help_text = subprocess.run(
                    [sys.executable, "-m", module, "--help"],
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout
                assert {flag for flag in flags if flag not in help_text} == set(), name


def test_launch_arguments_exist(compose: Any) -> None:
    document = yaml.safe_load((ROOT / "launch" / "robot.launch.yaml").read_text())
    known = {entity["arg"]["name"] for entity in document["launch"] if "arg" in entity}
    for service in compose["services"].values():
        given = {word.split(":=")[0] for word in service.get("command", []) if ":=" in word}
        assert given <= known


def test_mounts_in_the_workspace_are_where_it_lies(compose: Any) -> None:
    assert f"WORKDIR {WORKSPACE}" in DOCKERFILE.read_text()
    for service in compose["services"].values():
        for mount in service.get("volumes", []):
            source, target = mount.split(":")[:2]
            if target.startswith(WORKSPACE):
                assert (DOCKER / source).resolve() == ROOT / Path(target).relative_to(WORKSPACE)


def test_variables_are_in_the_example(compose: Any) -> None:
    example = dict(
        line.split("=", 1)
        for line in (DOCKER / "robot.env.example").read_text().splitlines()
        if line and not line.startswith("#")
    )
    for name in ("compose.yaml",):
        text = (DOCKER / name).read_text()
        used = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", text))
        assert set(re.findall(r"\$\{(\w+)", text)) == set(used), "each has a default"
        assert used == example, "the example shows every variable with its default"


def test_environment_of_the_graph_is_known(compose: Any) -> None:
    from semantic_detection_pkg.common.configuration.launching import ENVIRONMENTS, VARIABLES
    from semantic_detection_pkg.dashboard.api.settings import TOKEN_VARIABLE

    environment = compose["services"]["semantic-detection"]["environment"]
    assert environment["ENV"] in ENVIRONMENTS
    assert {"GIMBAL_MODE", "INFERENCE_ENGINE"} <= set(environment)
    ours = {name for name in environment if not name.startswith(("ROS_", "NVIDIA_", "RMW_"))}
    assert ours <= {"ENV", TOKEN_VARIABLE, *VARIABLES}


def test_the_documents_name_what_exists() -> None:
    text = (DOCKER / "README.md").read_text()
    for path in re.findall(r"`((?:docker|config|docs|tools|launch|models)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ros2", "run", "a_pkg", "program", "x:=1", "two words"], "program x:=1|two words"),
        (["ros2", "run", "a_pkg", "unknown", "x:=1"], "ros2 run|a_pkg|unknown|x:=1"),
        (["ros2", "launch", "a_pkg", "robot.launch.yaml"], "ros2 launch|a_pkg|robot.launch.yaml"),
        (["echo", "plain"], "plain"),
    ],
)
def test_the_program_itself_is_the_main_process(
    tmp_path: Path, words: list[str], said: str
) -> None:
    """`ros2 run` ends at SIGTERM and leaves its program running: it is not in between."""
    text = (DOCKER / "semantic_detection" / "entrypoint.sh").read_text()
    text = text.replace(WORKSPACE, str(tmp_path)).replace("/opt/ros/humble", str(tmp_path))
    programs = {"install/a_pkg/lib/a_pkg/program": "program", ".venv-humble/bin/ros2": "ros2"}
    for path, name in programs.items():
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(f'#!/bin/bash\nIFS="|"\necho "{name} $*"\necho $$\n')
        (tmp_path / path).chmod(0o755)
    for path in ("setup.bash", "install/local_setup.bash"):
        (tmp_path / path).touch()
    with subprocess.Popen(
        ["bash", "-c", text, "entrypoint", *words], stdout=subprocess.PIPE, text=True
    ) as process:
        output, _ = process.communicate()
    assert output.splitlines()[0] == said
    if said != "plain":
        assert output.splitlines()[1] == str(process.pid)
