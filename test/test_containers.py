"""The compose files name only what exists, give no more than is needed, and can be reached."""

import importlib.util
import ipaddress
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from container_files import DOCKER, DOCKERFILES, ROOT, WORKSPACE, instructions, is_ours, mounts_of

MAIN = "semantic_detection_pkg"
#: Exist on a robot or in an image, not here.
OF_THE_HOST = {"/tmp/argus_socket", "/etc/nv_tegra_release"}
#: Every set of files that is started together, as docker/README.md says.
STACKS = {
    "robot": ("compose.yaml",),
    "csi": ("compose.yaml", "compose.csi.yaml"),
    "usb": ("compose.yaml", "compose.usb.yaml"),
    "dev": ("compose.dev.yaml",),
}


@pytest.fixture(scope="module", params=STACKS)
def compose(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A stack as a tool of the trade understands it: files merged, anchors, variables resolved."""
    engine = tmp_path_factory.mktemp("engine") / "podman"
    engine.write_text("#!/bin/sh\necho podman version 5.0.0\n")  # it is asked for nothing else
    engine.chmod(0o755)
    program = Path(sys.executable).with_name("podman-compose")
    command = [program, "--podman-path", engine]
    for name in STACKS[request.param]:
        command += ["-f", DOCKER / name]
    done = subprocess.run([*command, "config"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)


def entry_points() -> dict[tuple[str, str], str]:
    """Module of every program that `ros2 run PACKAGE PROGRAM` knows, and that takes options."""
    found = {}
    for setup in ROOT.glob("*_pkg/setup.py"):
        for name, module in re.findall(r'"(\w+) = ([\w.]+):\w+"', setup.read_text()):
            own = f"{setup.parent.name}.cli.{name}"
            found[setup.parent.name, name] = own if module.endswith(".programs") else module
    return found


def test_volumes_and_mounts_exist(compose: Any) -> None:
    named = set(compose["volumes"])
    for name, service in compose["services"].items():
        for mount in mounts_of(service):
            assert mount.source, f"{name}: {mount.target} has no name and would be left behind"
            if mount.source.startswith("."):
                assert (DOCKER / mount.source).resolve().exists(), mount
            else:
                assert mount.source in named | OF_THE_HOST, mount


def test_nothing_of_the_host_is_made_up(compose: Any) -> None:
    """Where it is missing the engine would make a folder of that name, and all would go wrong.

    Of the checkout too: a file that is gone would become root's folder in it, and where only the
    folder docker was copied to a board, the model's service would start with empty packages.
    """
    for service in compose["services"].values():
        for mount in mounts_of(service):
            assert not mount.is_made_up, mount


def test_no_service_has_more_rights_than_it_needs(compose: Any) -> None:
    for name, service in compose["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not str(service["user"]).startswith(("0", "root")), name
        assert "privileged" not in service, name
        assert service["init"] is True, name
        assert service["restart"] == "unless-stopped", name
        for mount in mounts_of(service):
            if mount.source.startswith("."):
                assert mount.is_read_only, f"{name}: {mount.target}"


def test_what_ends_in_order_is_given_the_time(compose: Any) -> None:
    from semantic_detection_pkg.cli import main_process

    for name, service in compose["services"].items():
        grace_s = float(str(service["stop_grace_period"]).removesuffix("s"))
        assert grace_s > main_process._KILL_S, name


def test_no_foreign_image_loses_its_own_paths(compose: Any) -> None:
    """NanoLLM's image finds its model's code by its own PYTHONPATH."""
    for name, service in compose["services"].items():
        replaced = {"PATH", "PYTHONPATH", "LD_LIBRARY_PATH"} & set(service.get("environment", {}))
        assert is_ours(service) or not replaced, f"{name}: {replaced}"


def test_the_model_service_runs_beside_the_images_own_code(compose: Any, tmp_path: Path) -> None:
    """As it is mounted: by the standard library alone, and what PYTHONPATH leads to is found."""
    for name, service in compose["services"].items():
        if is_ours(service):
            continue
        here = tmp_path / name
        for mount in mounts_of(service):
            if mount.source.startswith("."):
                inside = here / Path(mount.target).relative_to(service["working_dir"])
                inside.parent.mkdir(parents=True, exist_ok=True)
                inside.symlink_to((DOCKER / mount.source).resolve())
        (tmp_path / "image").mkdir()
        (tmp_path / "image" / "nano_llm.py").touch()
        module = service["command"][2]
        for words in (["-m", module, "--help"], ["-c", f"import nano_llm, {module}"]):
            done = subprocess.run(
                [sys.executable, "-S", *words],
                cwd=here,
                env={"PYTHONPATH": str(tmp_path / "image"), "PYTHONDONTWRITEBYTECODE": "1"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr


def listens_on(service: dict[str, Any]) -> str:
    """The address that a service of ours with a published port binds to."""
    command = service["command"]
    if command[3] == "mock_gimbal":
        return command[command.index("--host") + 1] if "--host" in command else "127.0.0.1"
    assert command[3] == "bringup", command
    (config,) = [m.source for m in mounts_of(service) if m.target.endswith("/config.yaml")]
    of_file = yaml.safe_load((DOCKER / config).read_text()).get("dashboard", {}).get("host")
    return service["environment"].get("DASHBOARD_HOST") or of_file or "127.0.0.1"


def test_a_published_port_is_answered_and_only_for_this_machine(compose: Any) -> None:
    for name, service in compose["services"].items():
        for port in service.get("ports", []):
            host, *_ = port.rsplit(":", 2)
            assert host == "127.0.0.1", f"{name}: {port} is open to the network"
            inside = ipaddress.ip_address(listens_on(service))
            assert not inside.is_loopback, f"{name}: nobody outside the container reaches {inside}"


def test_the_development_stack_shows_something_by_itself() -> None:
    services = yaml.safe_load((DOCKER / "compose.dev.yaml").read_text())["services"]
    command = services["semantic-detection"]["command"]
    assert "autostart_scan:=true" in command
    assert "resume_policy:=discard" in command, "a scan that was stopped would wait for an operator"
    given = dict(word.split(":=") for word in command if ":=" in word)
    for argument in ("model", "classifier"):
        assert (ROOT / "models" / "demo" / Path(given[argument]).name).exists()
    host, port = given["mock_address"].split(":")
    assert port in services[host]["command"]
    assert host in services["semantic-detection"]["depends_on"]


def test_the_gimbals_device_is_said_once(compose: Any) -> None:
    """The container's device and the driver's parameter come from one variable."""
    for service in compose["services"].values():
        if service.get("devices") and is_ours(service):
            assert f"{service['environment']['GIMBAL_DEVICE']}:" in service["devices"][0]


def test_the_robot_has_the_volumes_of_the_plan() -> None:
    plan = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    assert set(plan["volumes"]) == {"models", "config", "output", "vlm-models", "vlm-socket"}
    assert set(plan["services"]) == {"semantic-detection", "vlm-service"}
    sockets = [
        mount.target
        for service in plan["services"].values()
        for mount in mounts_of(service)
        if mount.source == "vlm-socket"
    ]
    assert len(sockets) == 2
    assert len(set(sockets)) == 1, "both see the socket at one place"


def test_commands_exist_and_take_their_options(compose: Any) -> None:
    programs = entry_points()
    for name, service in compose["services"].items():
        for command in (service.get("command"), service.get("healthcheck", {}).get("test")):
            words = [
                word
                for word in command or []
                if word not in ("CMD", "env") and not word.startswith("PYTHONPATH=")
            ]
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


def test_a_health_check_is_light(compose: Any) -> None:
    """It runs every ten seconds: the image's own Python, the standard library, nothing sourced."""
    checked = [service for service in compose["services"].values() if "healthcheck" in service]
    assert checked
    for service in checked:
        kind, *words = service["healthcheck"]["test"]
        assert kind == "CMD"
        assert "entrypoint" not in words
        environment = {"PYTHONDONTWRITEBYTECODE": "1"}
        if words[0] == "env":
            _, setting, *words = words
            name, value = setting.split("=")
            environment[name] = value.replace(WORKSPACE, str(ROOT))
        else:  # beside the model, below its working directory
            mounts = {mount.target: mount.source for mount in mounts_of(service)}
            places = [Path(mounts[f"/opt/vlm/{name}"]) for name in ("vlm_bridge_pkg", MAIN)]
            environment["PYTHONPATH"] = ":".join(str((DOCKER / p).parent) for p in places)
        assert words[:2] == ["python3", "-m"]
        done = subprocess.run(
            [sys.executable, "-S", "-c", f"import {words[2]}"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_launch_arguments_exist(compose: Any) -> None:
    document = yaml.safe_load((ROOT / "launch" / "robot.launch.yaml").read_text())
    known = {entity["arg"]["name"] for entity in document["launch"] if "arg" in entity}
    for service in compose["services"].values():
        given = {word.split(":=")[0] for word in service.get("command", []) if ":=" in word}
        assert given <= known


def test_no_mount_covers_what_the_image_has_compiled(compose: Any) -> None:
    """Mounted sources carry the host's compiled kernels, or none."""
    for dockerfile in DOCKERFILES:
        assert WORKSPACE in instructions(dockerfile, "WORKDIR")
    for service in compose["services"].values():
        for mount in mounts_of(service):
            assert not Path(mount.target).is_relative_to(WORKSPACE), mount


def test_variables_are_in_the_example() -> None:
    lines = (DOCKER / "robot.env.example").read_text().splitlines()
    example = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    used: dict[str, str] = {}
    for path in DOCKER.glob("compose*.yaml"):
        text = path.read_text()
        found = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", text))
        assert set(re.findall(r"\$\{(\w+)", text)) == set(found), "each has a default"
        if path.name != "compose.dev.yaml":
            used |= found
    assert used == example, "the example shows every variable with its default"


def test_the_robots_variables_can_be_set_from_outside() -> None:
    """docker/README.md and config.yaml say that they win; in the container they must arrive."""
    from semantic_detection_pkg.common.configuration.launching import VARIABLES
    from semantic_detection_pkg.dashboard.api.settings import TOKEN_VARIABLE

    services = yaml.safe_load((DOCKER / "compose.yaml").read_text())["services"]
    given = services["semantic-detection"]["environment"]
    for name in (*VARIABLES, TOKEN_VARIABLE):
        assert given.get(name, "").startswith(f"${{{name}:-"), f"{name} does not reach the robot"


def test_a_file_of_secrets_is_no_part_of_the_sources() -> None:
    """docker/.env, with the page's token."""
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert ".env" in ignored


def test_the_documents_start_only_stacks_that_are_tested() -> None:
    """Every set of files that a text names together; a camera's file alone would be no robot."""
    texts = [DOCKER / "README.md", *DOCKER.glob("compose*.yaml"), *(ROOT / "docs").glob("*.md")]
    named = set()
    for path in texts:
        for line in path.read_text().splitlines():
            found = re.findall(r"(?:-f |COMPOSE_FILE=|:)docker/(compose[\w.]*\.yaml)", line)
            named |= {tuple(found)} if found else set()
            assert not ("docker compose " in line and "-f" in line and "compose.yaml" in line), (
                f"{path.name}: {line}: without the camera's file the robot's container loses it"
            )
    assert named == set(STACKS.values()) - {("compose.yaml",)}


def test_environment_of_the_graph_is_known(compose: Any) -> None:
    from semantic_detection_pkg.common.configuration.launching import ENVIRONMENTS, VARIABLES
    from semantic_detection_pkg.dashboard.api.settings import TOKEN_VARIABLE

    environment = compose["services"]["semantic-detection"]["environment"]
    assert environment["ENV"] in ENVIRONMENTS
    assert {"GIMBAL_MODE", "INFERENCE_ENGINE"} <= set(environment)
    ours = {
        name
        for name in environment
        if not name.startswith(("ROS_", "NVIDIA_", "RMW_", "FASTRTPS_"))
    }
    assert ours <= {"ENV", TOKEN_VARIABLE, *VARIABLES}
    profiles = environment.get("FASTRTPS_DEFAULT_PROFILES_FILE", f"{WORKSPACE}/config")
    assert (ROOT / Path(profiles).relative_to(WORKSPACE)).exists(), profiles


def test_the_documents_name_what_exists() -> None:
    text = (DOCKER / "README.md").read_text()
    for path in re.findall(r"`((?:docker|config|docs|tools|launch|models)/[\w./-]+)`", text):
        assert (ROOT / path).exists(), path
