"""One smoke test per node: it starts with its shipped config, is seen, and ends on SIGINT."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ament_index_python.packages import get_package_prefix, get_package_share_directory
from generated.nodes import NODES, NodeEntry
from patience import patience
from ros_graph import GraphProbe

from simulation_pkg import demo_judge

pytestmark = pytest.mark.graph
#: So that a node of another's graph in the same domain is not taken for ours.
NAMESPACE = "/smoke_test"

#: Programs beside the nodes that launch files start.
STAND_INS = {("gimbal_driver_pkg", "mock_gimbal"), ("vlm_bridge_pkg", "vlm_stub")}

#: The demo's judge: nothing seen is a failure.
STATUS_WITHOUT_INPUT = {"demo_judge": 1}


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.name)
def test_starts_and_ends(node: NodeEntry, probe: GraphProbe) -> None:
    config = Path(get_package_share_directory("semantic_detection_pkg")) / "config"
    command = [
        str(Path(get_package_prefix(node.package)) / "lib" / node.package / node.executable),
        "--ros-args",
        "--params-file",
        str(config / f"{node.name}.param.yaml"),
        *(word for name, value in node.arguments.items() for word in ("-p", f"{name}:={value}")),
        *("-r", f"__ns:={NAMESPACE}"),
    ]

    def is_there() -> bool:
        return (node.name, NAMESPACE) in probe.node.get_node_names_and_namespaces()

    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        probe.wait_for(is_there, node.name)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=patience(10.0))
    finally:
        process.kill()
    assert process.returncode == STATUS_WITHOUT_INPUT.get(node.name, 0), errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.name)
def test_help_says_what_it_is_and_starts_nothing(node: NodeEntry) -> None:
    program = Path(get_package_prefix(node.package)) / "lib" / node.package / node.executable
    done = subprocess.run([program, "--help"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: {node.executable} [--ros-args")
    (config,) = re.findall(r"config/\S+\.yaml(?=;)", done.stdout)
    assert (Path(__file__).resolve().parent.parent / config).is_file()


def test_who_was_interrupted_before_it_could_look_has_seen_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The status of the demo's judge is 0 only if it saw something, however early it is stopped."""
    monkeypatch.setattr(
        demo_judge, "run_node", lambda *_, **__: 0
    )  # as after Ctrl-C while it is made
    assert demo_judge.main() == 1


def test_every_executable_is_listed() -> None:
    """No node is left out of the smoke test and the documents."""
    root = Path(__file__).resolve().parent.parent
    found = {
        (path.parts[-2], name)
        for path in root.glob("*/src/*/programs.py")
        for name in re.findall(r"^def ([a-z]\w*)\(", path.read_text(), re.MULTILINE)
    }
    assert found == {(node.package, node.executable) for node in NODES} | STAND_INS


@pytest.mark.parametrize(("package", "name"), sorted(STAND_INS))
def test_a_stand_in_that_is_interrupted_while_it_begins_says_nothing(
    package: str, name: str
) -> None:
    """A demo that is ended early interrupts all in the middle of their imports."""
    program = Path(get_package_prefix(package)) / "lib" / package / name
    command = [sys.executable, "-v", str(program), "--help"]  # it tells of each import
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert any(f"/{package}/cli/" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    said = process.stderr.read()
    assert (process.wait(patience(10.0)), "Traceback" in said) == (0, False), said
