"""Supervision of real processes: starts, ends, restarts, signals, nothing left behind."""

import os
import signal

import pytest
from launch_runner.session import LaunchSession
from launch_workspace import LaunchWorkspace, has_ended
from patience import patience

# Each script says "ready" and then waits; what is ignored before exec stays ignored after it.
PROGRAMS = {
    "waits": 'echo "ready"; exec sleep 3600',
    "ignores_int": 'trap "" INT; echo "ready"; exec sleep 3600',
    "ignores_both": 'trap "" INT TERM; echo "ready"; exec sleep 3600',
    "finishes": 'echo "done"',
    "fails": 'echo "failing" >&2; exit 7',
    "crashes": "kill -SEGV $$",
    "leaves_child": 'trap "" INT TERM; sleep 3600 & echo "child $!"',
    "ends_cleanly": 'trap "exit 0" INT TERM; echo "ready"; sleep 3600 & wait',
    "prints": r"printf 'one\ntwo\n'; printf 'no newline'; printf 'bad \377 byte\n' >&2",
}
NODE = "launch:\n- node: {{pkg: demo_pkg, exec: {}, output: screen}}\n"


@pytest.fixture
def workspace(tmp_path):
    made = LaunchWorkspace(tmp_path)
    for name, script in PROGRAMS.items():
        made.program(name, script)
    return made


@pytest.fixture
def launch(workspace):
    def start(text: str, **arguments: str) -> LaunchSession:
        # What a signal ends may be late on a loaded machine, and is not to meet the next one.
        steps = {name: f"{patience(5.0):g}" for name in ("sigterm_timeout", "sigkill_timeout")}
        return LaunchSession(workspace.file(text), {**steps, **arguments}, env=workspace.env)

    return start


def test_output_and_messages_are_those_of_ros2_launch(launch):
    with launch(NODE.format("prints") + "- node: {pkg: demo_pkg, exec: fails}\n") as session:
        assert session.wait() == 0
        prints, fails = session.processes["prints-1"], session.processes["fails-2"]
        lines = session.lines
    # The two streams are two pipes: only the order within each is known.
    printed = session.lines_of("prints")
    assert [line for line in printed if "bad" not in line] == ["one", "two", "no newline"]
    assert "bad \ufffd byte" in printed
    assert lines[0].startswith("[INFO] [launch]: All log files can be found below ")
    assert f"[INFO] [prints-1]: process started with pid [{prints.pid}]" in lines
    assert f"[INFO] [prints-1]: process has finished cleanly [pid {prints.pid}]" in lines
    assert "[fails-2] failing" in lines
    [died] = [line for line in lines if line.startswith("[ERROR] [fails-2]: process has died")]
    assert f"[pid {fails.pid}, exit code 7, cmd '" in died
    assert died.endswith("/fails --ros-args'].")


def test_standard_output_goes_to_the_log_file_unless_screen_is_asked_for(workspace, tmp_path):
    path = workspace.file(
        "launch:\n- node: {pkg: demo_pkg, exec: prints}\n- node: {pkg: demo_pkg, exec: fails}\n"
    )
    env = {**workspace.env, "ROS_LOG_DIR": str(tmp_path), "OVERRIDE_LAUNCH_PROCESS_OUTPUT": ""}
    with LaunchSession(path, env=env) as session:
        assert session.wait() == 0
        assert session.lines_of("prints") == ["bad \ufffd byte"]
        assert session.lines_of("fails") == ["failing"]
    [log_file] = tmp_path.glob("*/launch.log")
    assert "[prints-1] one" in log_file.read_text()


def test_ctrl_c_ends_everything_and_is_no_failure(launch):
    with launch(NODE.format("waits") + "- node: {pkg: demo_pkg, exec: ends_cleanly}\n") as session:
        session.wait_for_line(r"^\[waits-1\] ready")
        session.wait_for_line(r"^\[ends_cleanly-2\] ready")
        assert session.stop() == 0
        assert session.processes["waits-1"].status == -signal.SIGINT
        assert session.processes["ends_cleanly-2"].status == 0
        assert "[WARNING] [launch]: user interrupted with ctrl-c (SIGINT)" in session.lines
        assert "[INFO] [waits-1]: sending signal 'SIGINT' to process[waits-1]" in session.lines


@pytest.mark.parametrize(
    ("program", "short", "last_signal"),
    [
        ("ignores_int", {"sigterm_timeout": "0.1"}, signal.SIGTERM),
        ("ignores_both", {"sigterm_timeout": "0.1", "sigkill_timeout": "0.2"}, signal.SIGKILL),
    ],
)
def test_signals_escalate_after_the_timeouts(launch, program, short, last_signal):
    with launch(NODE.format(program), **short) as session:
        session.wait_for_line("ready")
        assert session.stop() == 0
        assert session.processes[f"{program}-1"].status == -last_signal
        expected = (
            f"[ERROR] [{program}-1]: process[{program}-1] failed to terminate '0.1' seconds after "
            "receiving 'SIGINT', escalating to 'SIGTERM'"
        )
        assert expected in session.lines


def test_each_further_ctrl_c_takes_the_next_step_at_once(launch):
    patient = {"sigterm_timeout": "600", "sigkill_timeout": "600"}
    with launch(NODE.format("ignores_both"), **patient) as session:
        session.wait_for_line("ready")
        for sent in ("SIGINT", "SIGTERM", "SIGKILL"):
            session.interrupt()
            session.wait_for_line(f"sending signal '{sent}'")
        assert session.wait() == 0
        assert session.processes["ignores_both-1"].status == -signal.SIGKILL
        assert not [line for line in session.lines if "failed to terminate" in line]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_sigterm_stops_in_order(launch, number):
    with launch(NODE.format("waits")) as session:
        session.wait_for_line("ready")
        os.kill(session.pid, number)
        assert session.wait() == 0
        assert session.processes["waits-1"].status == -signal.SIGINT


@pytest.mark.parametrize(
    ("program", "status"), [("fails", 7), ("crashes", 128 + signal.SIGSEGV), ("finishes", 0)]
)
def test_the_end_of_a_required_process_ends_the_launch(launch, program, status):
    text = f"""
        launch:
        - node: {{pkg: demo_pkg, exec: waits}}
        - node:
            pkg: demo_pkg
            exec: {program}
            env: [{{name: LAUNCH_ON_EXIT, value: shutdown}}]
    """
    with launch(text) as session:
        assert session.wait() == status
        assert session.processes["waits-1"].status == -signal.SIGINT
        assert f"[INFO] [launch]: {program}-2 is required: shutting down" in session.lines


def test_the_end_of_another_process_does_not(launch):
    with launch(NODE.format("waits") + "- node: {pkg: demo_pkg, exec: fails}\n") as session:
        assert session.wait_for_end("fails").status == 7
        session.wait_for_line("ready")
        assert session.processes["waits-1"].status is None
        assert session.stop() == 0


def test_a_respawned_process_comes_back_until_the_launch_stops(launch):
    text = NODE.format('waits, respawn: "true", respawn_delay: 0.01')
    with launch(text) as session:
        seen = 0
        for _ in range(3):
            session.wait_for_line("ready", start=seen)
            seen = len(session.lines)
            session.send("waits", signal.SIGKILL)
        session.wait_for_line("ready", start=seen)
        assert session.stop() == 0
        starts = [line for line in session.lines if "process started with pid" in line]
        assert len(starts) == 4


def test_after_a_mistake_it_is_tried_again_less_and_less_and_then_left(launch, workspace):
    """Status 2, a mistake of the user's, was tried again for ever."""
    workspace.program("mistaken", "exit 2")
    workspace.program("fails_for_ever", "exit 1")
    text = NODE.format('mistaken, respawn: "true", respawn_delay: 0.01')
    other = '- node: {pkg: demo_pkg, exec: fails_for_ever, respawn: "true", respawn_delay: 0.05}\n'
    with launch(text + other) as session:
        session.wait_for_line(r"\[mistaken-1\]: 6 times exit code 2, a mistake: it is not started")
        mistaken = [line for line in session.lines if "[mistaken-1]: process started" in line]
        assert len(mistaken) == 6
        seen = len(session.lines)
        session.wait_for_line(r"\[fails_for_ever-2\]: process started", start=seen)
        assert session.stop() == 0


def test_waiting_for_a_respawn_does_not_hold_up_the_end(launch):
    with launch(NODE.format('fails, respawn: "true", respawn_delay: 600.0')) as session:
        session.wait_for_end("fails")
        assert session.stop() == 0


def test_a_program_that_cannot_be_run_is_one_line(workspace, launch):
    path = workspace.program("broken", "")
    path.write_text("#!/no/such/interpreter\n")
    required = "env: [{name: LAUNCH_ON_EXIT, value: shutdown}]"
    with launch(NODE.format(f"broken, {required}")) as session:
        assert session.wait() == 127
        assert f"[ERROR] [broken-1]: cannot start '{path}': No such file or directory" in (
            session.lines
        )


def test_what_a_process_has_started_ends_with_it(launch):
    with launch(NODE.format("leaves_child")) as session:
        child_pid = int(session.wait_for_line(r"child (\d+)")[1])
        assert session.wait() == 0
        assert has_ended(child_pid)


def test_no_process_outlives_a_runner_that_is_killed(launch):
    with launch(NODE.format("ignores_both")) as session:
        session.wait_for_line("ready")
        process = session.processes["ignores_both-1"]
        os.kill(session.pid, signal.SIGKILL)
        assert session.wait() == -signal.SIGKILL
        assert has_ended(process.pid)
