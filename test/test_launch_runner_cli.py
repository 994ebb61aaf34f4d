"""The command lines `python tools/launch_runner` and `tools/ros2`, and the session for tests."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from launch_runner.session import LaunchSession
from launch_workspace import LaunchWorkspace, has_ended
from patience import patience

TOOLS = Path(__file__).resolve().parent.parent / "tools"
RUNNER = (sys.executable, str(TOOLS / "launch_runner"))
ROS2 = (sys.executable, str(TOOLS / "ros2"))


@pytest.fixture
def workspace(tmp_path):
    made = LaunchWorkspace(tmp_path)
    made.program("hello", 'echo "hello $*"')
    made.program("waits", 'echo "ready"; exec sleep 3600')
    made.file("""
        launch:
        - arg: {name: who, default: world, description: Who is greeted.}
        - arg: {name: mode, choice: [{value: a}, {value: b}], default: a}
        - node: {pkg: demo_pkg, exec: hello, args: $(var who), output: screen}
    """)
    return made


@pytest.fixture
def run(workspace, tmp_path):
    def call(*command: str) -> subprocess.CompletedProcess:
        env = {**os.environ, **workspace.env, "ROS_LOG_DIR": str(tmp_path)}
        return subprocess.run(
            command, env=env, capture_output=True, text=True, timeout=patience(60.0)
        )

    return call


@pytest.mark.parametrize("program", [RUNNER, (*ROS2, "launch")])
def test_a_package_and_a_file_name(run, program):
    result = run(*program, "demo_pkg", "test.launch.yaml", "who:=me")
    assert (result.returncode, result.stderr) == (0, "")
    assert "[hello-1] hello me --ros-args" in result.stdout.splitlines()


def test_a_path(run, workspace):
    result = run(*RUNNER, "-n", str(workspace.share / "launch/test.launch.yaml"))
    assert result.returncode == 0
    assert "[hello-1] hello world --ros-args" in result.stdout.splitlines()


def test_arguments_are_shown(run):
    result = run(*RUNNER, "--show-args", "demo_pkg", "test.launch.yaml")
    assert result.returncode == 0
    assert result.stdout == (
        "Arguments (pass arguments as '<name>:=<value>'):\n\n"
        "    'who':\n        Who is greeted.\n        (default: 'world')\n\n"
        "    'mode':\n        no description given\n        (one of: a, b)\n"
        "        (default: 'a')\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["none.launch.yaml"], "launch file 'none.launch.yaml' does not exist"),
        (["no/where"], "launch file 'no/where' does not exist"),
        (["no_pkg", "a.launch.yaml"], "package 'no_pkg' not found in AMENT_PREFIX_PATH /"),
        (["demo_pkg"], "'demo_pkg' is no launch file; a package needs a file name after it"),
        (["demo_pkg", "b.launch.yaml"], "launch file 'b.launch.yaml' of package 'demo_pkg' not fo"),
        (
            ["demo_pkg", "twice.launch.yaml"],
            "launch file 'twice.launch.yaml' of package 'demo_pkg'",
        ),
        (["demo_pkg", "test.launch.yaml", "who"], "malformed argument 'who'; expected NAME:=VALUE"),
        (["demo_pkg", "test.launch.yaml", "who:="], "malformed argument 'who:='; expected NAME"),
        (["demo_pkg", "test.launch.yaml", "why:=1"], "argument 'why' is not declared by /"),
        (["demo_pkg", "test.launch.yaml", "mode:=c"], "/"),
    ],
)
def test_a_users_mistake_is_one_line_and_status_2(run, workspace, words, message):
    for folder in ("one", "two"):
        (workspace.share / folder).mkdir()
        (workspace.share / folder / "twice.launch.yaml").touch()
    result = run(*RUNNER, *words)
    assert (result.returncode, result.stdout) == (2, "")
    [line] = result.stderr.splitlines()
    assert line.startswith(f"launch_runner: {message}")


def test_ros2_run_becomes_the_program(run):
    result = run(*ROS2, "run", "demo_pkg", "hello", "a", "--b")
    assert (result.returncode, result.stdout, result.stderr) == (0, "hello a --b\n", "")


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["topic", "list"], 2, "ros2: supported here: ros2 run PACKAGE EXECUTABLE [ARGS], ros2 la"),
        ([], 2, "ros2: supported here"),
        (["run", "demo_pkg"], 2, "ros2: supported here"),
        (["run", "demo_pkg", "none"], 1, "ros2: package 'demo_pkg' has no executable 'none' in /"),
        (["launch", "none.launch.yaml"], 2, "ros2 launch: launch file 'none.launch.yaml' does not"),
    ],
)
def test_ros2_says_what_it_cannot_do(run, words, status, message):
    result = run(*ROS2, *words)
    assert (result.returncode, result.stdout) == (status, "")
    [line] = result.stderr.splitlines()
    assert line.startswith(message)


def test_a_reader_that_goes_away_does_not_stop_the_launch(workspace, tmp_path):
    path = workspace.file("launch:\n- node: {pkg: demo_pkg, exec: waits, output: screen}\n")
    env = {**os.environ, **workspace.env, "ROS_LOG_DIR": str(tmp_path / "logs")}
    with subprocess.Popen(
        [*RUNNER, str(path)], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as runner:
        for line in runner.stdout:
            if "ready" in line:
                break
        runner.stdout.close()
        runner.send_signal(signal.SIGINT)
        assert runner.wait(patience(60.0)) == 0
        assert runner.stderr.read() == ""
    [log_file] = (tmp_path / "logs").glob("*/launch.log")
    assert "process has died" in log_file.read_text()


def test_nothing_is_left_for_temporary_files_even_when_it_is_killed(workspace, tmp_path):
    """Folders `launch_params_*` stayed behind."""
    node = "- node: {pkg: demo_pkg, exec: waits, output: screen, param: [{name: a, value: 1}]}\n"
    path = workspace.file("launch:\n" + node)
    (tmp_path / "tmp").mkdir()
    logs = tmp_path / "logs"
    env = {**workspace.env, "TMPDIR": str(tmp_path / "tmp"), "ROS_LOG_DIR": str(logs)}
    with LaunchSession(path, env=env) as session:
        session.wait_for_line("ready")
        [parameters] = logs.glob("*/parameters/1.yaml")
        assert "a: 1" in parameters.read_text()
        os.kill(session.pid, signal.SIGKILL)
        session.wait()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_mistake_leaves_no_log_behind(run, tmp_path, workspace):
    workspace.file("launch:\n- node: {pkg: none_pkg, exec: none}\n", "wrong.launch.yaml")
    result = run(*RUNNER, "demo_pkg", "wrong.launch.yaml")
    assert result.returncode == 2
    assert [path.name for path in tmp_path.iterdir()] == ["prefix"]


def test_a_log_folder_that_cannot_be_written_is_said_and_survived(workspace, tmp_path):
    (tmp_path / "file").touch()
    path = workspace.share / "launch/test.launch.yaml"
    env = {**workspace.env, "ROS_LOG_DIR": str(tmp_path / "file")}
    with LaunchSession(path, env=env) as session:
        assert session.wait() == 0
        assert session.lines[0] == (
            "[INFO] [launch]: All log files can be found nowhere: the log folder cannot be written"
        )


class TestSession:
    """What tests may rely on."""

    TEXT = "launch:\n- node: {pkg: demo_pkg, exec: waits, output: screen}\n"

    def test_a_wait_that_fails_shows_the_output(self, workspace):
        with LaunchSession(workspace.file(self.TEXT), env=workspace.env) as session:
            session.wait_for_line("ready")
            with pytest.raises(TimeoutError, match=r"(?s)'never': timed out.*\[waits-1\] ready"):
                session.wait_for_line("never", timeout_s=0.05)

    def test_a_wait_ends_with_the_launch(self, workspace):
        target = ("demo_pkg", "test.launch.yaml")
        with (
            LaunchSession(target, {"who": "you"}, env=workspace.env, timeout_s=600) as session,
            pytest.raises(TimeoutError, match=r"(?s)ended without it.*hello you"),
        ):
            session.wait_for_line("never")

    def test_an_error_in_the_test_leaves_nothing_behind(self, workspace, capsys):
        pids = []

        def fail() -> None:
            with LaunchSession(workspace.file(self.TEXT), env=workspace.env) as session:
                session.wait_for_line("ready")
                pids.extend([session.pid, session.processes["waits-1"].pid])
                raise RuntimeError("a test fails")

        with pytest.raises(RuntimeError, match="a test fails"):
            fail()
        assert len(pids) == 2
        assert all(has_ended(pid) for pid in pids)
        assert "[waits-1] ready" in capsys.readouterr().out

    def test_names_stand_for_labels_where_they_are_unique(self, workspace):
        text = self.TEXT + "- node: {pkg: demo_pkg, exec: hello}\n" * 2
        with LaunchSession(workspace.file(text), env=workspace.env) as session:
            assert session.wait_for_end("hello-3").status == 0
            assert session.wait_for_start("waits") == session.processes["waits-1"]
            session.wait_for_end("hello-2")
            with pytest.raises(ValueError, match="'hello' names 2 processes"):
                session.lines_of("hello")
            with pytest.raises(KeyError, match="'none' is no process of this launch"):
                session.send("none", signal.SIGINT)

    def test_the_runner_ends_with_the_test_process(self, workspace):
        text = workspace.file(self.TEXT)
        script = (
            "import os, signal\n"
            "from launch_runner import LaunchSession\n"
            f"session = LaunchSession({str(text)!r}).__enter__()\n"
            "session.wait_for_line('ready')\n"
            "print(session.pid, session.processes['waits-1'].pid, flush=True)\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        python_path = os.pathsep.join([str(TOOLS), os.environ.get("PYTHONPATH", "")])
        env = {**os.environ, **workspace.env, "PYTHONPATH": python_path}
        result = subprocess.run(
            [sys.executable, "-c", script],
            env=env,
            capture_output=True,
            text=True,
            timeout=patience(60.0),
        )
        pids = [int(word) for word in result.stdout.split()]
        assert len(pids) == 2
        assert all(has_ended(pid) for pid in pids)
