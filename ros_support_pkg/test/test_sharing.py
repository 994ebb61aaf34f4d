"""Nodes that share a process: arguments of each, and how they begin, fail and end together."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from patience import patience
from ros_graph import GraphProbe
from unreadable_files import UNREADABLE

from ros_support_pkg.running import RESPAWN_MARK
from ros_support_pkg.sharing import SharingError, main, split_words

PROGRAM = """
import logging, sys, threading
import rclpy
from rclpy.node import Node
from ros_support_pkg import sharing
from ros_support_pkg.running import NodeProgram
from ros_support_pkg.timers import every

class Mistake(Exception):
    pass

class Example(Node):
    name = ""
    def __init__(self, **options):
        logging.getLogger(f"rooms.{self.name}.below").warning(f"{self.name} is made")
        logging.getLogger("rooms.second.early").warning(f"second is meant, says {self.name}")
        super().__init__(self.name, **options)
        for name in ("count", "word", "path"):
            self.declare_parameter(name, {"count": 0}.get(name, ""))
        print(self.get_fully_qualified_name(), *(
            repr(self.get_parameter(name).value) for name in ("count", "word", "path")), flush=True)
        if self.get_parameter("word").value == "bug":
            raise ZeroDivisionError
        every(self, 0.05, self.work)
        if self.get_parameter("word").value == "mistake":
            raise Mistake("'x' is allowed")
    def work(self):
        word = self.get_parameter("word").value
        if word == "failing callback":
            raise ZeroDivisionError("in a callback")
        if word == "failing thread":
            threading.Thread(target=lambda: 1 / 0, name="worker").start()
        if word == "ending":
            rclpy.try_shutdown()
        elif word != "up":
            print(f"{self.name} works in {threading.current_thread().name}", flush=True)
            self.set_parameters([rclpy.parameter.Parameter("word", value="up")])
    def destroy_node(self):
        print(f"{self.name} is destroyed", flush=True)
        super().destroy_node()

def program(name):
    kind = type(name, (Example,), {"name": name, "__module__": f"rooms.{name}.node"})
    return NodeProgram(kind, (Mistake,))

sharing._program = program
sys.exit(sharing.main())
"""


def start(*words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: "subprocess.Popen[str]") -> tuple[int, list[str], str]:
    try:
        out, errors = process.communicate(timeout=patience(20.0))
    finally:
        process.kill()
    return process.returncode, out.splitlines(), errors


BOTH = ("--with", "first,second")


def test_each_has_its_own_parameters_and_all_have_the_namespace(tmp_path: Path) -> None:
    file = tmp_path / "first.yaml"
    file.write_text("/**:\n  ros__parameters: {count: 3, word: of the file}\n")
    process = start(
        *BOTH,
        *("--node", "first", "--params-file", str(file), "--text", "path:=12"),
        *("--node", "second", "--param", "count:=4", "--text", 'path:=it\'s "1": {2}, ä'),
        *("--node", "third", "--param", "count:=5"),
        *("--ros-args", "-r", "__ns:=/robot", "-p", "word:=of all"),
    )
    assert process.stdout is not None
    lines = [process.stdout.readline().rstrip() for _ in range(4)]
    process.send_signal(signal.SIGINT)
    status, rest, errors = finish(process)
    # A node's own win over those of all, as one typed behind another.
    assert lines[0] == "/robot/first 3 'of the file' '12'"
    assert [one for one in lines if one.startswith("/robot/second")] == [
        "/robot/second 4 'of all' 'it\\'s \"1\": {2}, ä'"
    ]
    assert {"first works in MainThread", "second works in executor of second"} <= {*lines, *rest}
    assert rest[-2:] == ["second is destroyed", "first is destroyed"]
    assert (status, "Traceback" in errors) == (0, False), errors


def test_what_is_said_below_goes_to_the_node_whose_room_it_is() -> None:
    status, _, errors = finish(start(*BOTH, "--node", "second", "--text", "word:=ending"))
    assert status == 0, errors
    said = [line.partition("] [")[2].partition("] ")[2] for line in errors.splitlines()]
    assert said == [
        "[first]: first is made",
        "[second]: second is meant, says first",
        "[second]: second is made",
        "[second]: second is meant, says second",
    ]


@pytest.mark.parametrize(
    ("word", "in_node"),
    [
        ("failing callback", "first"),
        ("failing callback", "second"),
        ("failing thread", "first"),
        ("failing thread", "second"),
        ("bug", "second"),
    ],
)
def test_one_that_fails_takes_the_process_and_the_others_end_in_order(
    word: str, in_node: str
) -> None:
    words = ("--node", in_node, "--text", f"word:={word}")
    status, lines, errors = finish(start(*BOTH, *words))
    assert status == 1
    assert "ZeroDivisionError" in errors
    if word != "bug":
        assert lines[-2:] == ["second is destroyed", "first is destroyed"]
    else:
        assert lines[-1] == "first is destroyed"


def test_a_mistake_of_the_user_names_the_node_and_has_its_status() -> None:
    status, lines, errors = finish(start(*BOTH, "--node", "second", "--text", "word:=mistake"))
    assert (status, errors.splitlines()[-1]) == (2, "error: second: 'x' is allowed")
    assert "Traceback" not in errors
    assert lines[-1] == "first is destroyed"


@pytest.mark.parametrize(("wrong", "other"), [("first", "second"), ("second", "first")])
def test_where_it_is_started_again_the_others_go_on_without_it(
    wrong: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(RESPAWN_MARK, "true")
    process = start(*BOTH, "--node", wrong, "--text", "word:=mistake")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(f"{other} works in"):
            break
    process.send_signal(signal.SIGINT)
    status, lines, errors = finish(process)
    said = f"error: {wrong}: 'x' is allowed; the other nodes of this process go on without it"
    assert (status, lines[-1]) == (0, f"{other} is destroyed")
    assert [said in line for line in errors.splitlines()].count(True) == 1
    assert "Traceback" not in errors


def test_who_is_left_out_is_not_seen_by_others(
    monkeypatch: pytest.MonkeyPatch, probe: GraphProbe
) -> None:
    monkeypatch.setenv(RESPAWN_MARK, "true")
    process = start(*BOTH, "--node", "second", "--text", "word:=mistake")
    try:
        assert process.stdout is not None
        assert any(line.startswith("first works in") for line in process.stdout)
        probe.wait_for(lambda: "first" in probe.node.get_node_names(), "the other")
        probe.wait_for(lambda: "second" not in probe.node.get_node_names(), "it to be gone")
    finally:
        process.send_signal(signal.SIGINT)
        finish(process)


def test_all_are_wrong_where_they_are_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RESPAWN_MARK, "true")
    process = start(*BOTH, "--ros-args", "-p", "word:=mistake")
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("the node ends in 60 s"):
            break
        if line.startswith("error: second"):
            assert line == "error: second: 'x' is allowed\n"
    process.send_signal(signal.SIGINT)
    assert finish(process)[0] == 2


#: Where a file may be named, and whom the line then names: that of a node, or that of all.
NAMED = {("--node", "second"): "second: ", ("--node", "first"): "first: ", ("--ros-args",): ""}


@pytest.mark.parametrize("words", NAMED)
def test_a_parameter_file_that_is_not_there(words: tuple[str, ...]) -> None:
    status, _, errors = finish(start(*BOTH, *words, "--params-file", "/nowhere.yaml"))
    assert status == 2
    assert "parameter file /nowhere.yaml cannot be read" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("words", NAMED)
@pytest.mark.parametrize("what", UNREADABLE)
def test_an_unreadable_parameter_file_is_named(
    tmp_path: Path, what: str, words: tuple[str, ...]
) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_bytes(UNREADABLE[what])
    status, lines, errors = finish(start(*BOTH, *words, "--params-file", str(path)))
    said = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert (status, len(said), "Traceback" in errors) == (2, 1, False), errors
    assert said[0].startswith(f"error: {NAMED[words]}parameter file {path} cannot be read: ")
    if words == ("--node", "second"):
        assert lines[-1] == "first is destroyed", "in an orderly way"
    else:
        assert lines == []


@pytest.mark.parametrize("what", UNREADABLE)
def test_where_it_is_started_again_the_others_go_on_without_the_one_of_the_file(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(RESPAWN_MARK, "true")
    path = tmp_path / "wrong.yaml"
    path.write_bytes(UNREADABLE[what])
    process = start(*BOTH, "--node", "second", "--params-file", str(path))
    assert process.stdout is not None
    assert any(line.startswith("first works in") for line in process.stdout)
    process.send_signal(signal.SIGINT)
    status, lines, errors = finish(process)
    assert (status, lines[-1]) == (0, "first is destroyed")
    said = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert len(said) == 1, errors
    assert said[0].startswith(f"error: second: parameter file {path} cannot be read: ")
    assert "Traceback" not in errors


def test_words_of_a_node_become_those_of_ros() -> None:
    by_node, common = split_words(
        [
            *("--with", ",b,a", "--node", "a", "--params-file", "f", "--param", "x:=1"),
            *("--param", "y:=", "--text", "z:=", "--node", "b", "--node", "c", "--text", "q:=1"),
            *("--ros-args", "-r", "__ns:=/n", "--with", "z"),
        ]
    )
    assert by_node == {
        "b": ("--ros-args",),
        "a": ("--ros-args", "--params-file", "f", "-p", "x:=1", "-p", 'z:=""'),
    }
    assert list(by_node) == ["b", "a"]
    assert common == ("--ros-args", "-r", "__ns:=/n", "--with", "z")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "no node is to run"),
        ("--with ,", "no node is to run"),
        ("--with a,a", "node 'a' is to run twice"),
        ("--with a --node a --node a", "node 'a' is described twice"),
        ("--with a --param x:=1", "--param x:=1: allowed is --node NAME before it"),
        ("--with a --node a --param x", "--param 'x': allowed is NAME:=VALUE"),
        ("--with a --node a --text :=x", "--text ':=x': allowed is NAME:=VALUE"),
        ("--with a --node a -p x:=1", "argument '-p': allowed is --with, --node"),
        ("--with", "--with has no value"),
    ],
)
def test_a_mistake_in_the_words_is_said(words: str, said: str) -> None:
    with pytest.raises(SharingError) as caught:
        split_words(words.split())
    assert str(caught.value).startswith(said)


def test_a_node_that_nobody_offers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["nodes", "--with", "nobody"])
    assert main() == 2
    said = capsys.readouterr().err
    assert said.startswith("error: node 'nobody' is not known; known are camera, ")


def test_help(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["nodes", "--help"])
    assert main() == 0
    assert capsys.readouterr().out.startswith("usage: nodes --with NAME")
