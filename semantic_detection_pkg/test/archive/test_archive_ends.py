"""Searches of an archive that are ended, or whose workers are: nothing is lost or done twice."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import archive_things as things
import psutil
import pytest
from patience import patience, wait_until

from semantic_detection_pkg.archive.answer_files import AnswerStore, from_bytes
from semantic_detection_pkg.archive.core.question import Question, Unit
from semantic_detection_pkg.archive.search import Part, look_through
from semantic_detection_pkg.archive.sources.opening import SourceOptions, open_path
from semantic_detection_pkg.archive.workers import processes
from semantic_detection_pkg.archive.workers.looking import look
from semantic_detection_pkg.archive.workers.processes import LocalWorkers
from semantic_detection_pkg.cli.search_archive import main
from semantic_detection_pkg.errors import SourceLostError

pytestmark = pytest.mark.usefixtures("no_progress")

WORDS = "red,green,blue"


def run(*words: object) -> int:
    return main([str(word) for word in words])


@pytest.fixture
def parts(tmp_path: Path, model: Path) -> Iterator[tuple[Question, list[Part]]]:
    """A recording of 60 units."""
    received = [things.stamp_of(number, 5_000_000_000) for number in range(60)]
    path = things.write_bag(tmp_path / "long", 60, received=received)
    source = open_path(path, SourceOptions())
    yield things.question(model), [Part(source, unit) for unit in source.units()]
    source.close()


@pytest.mark.long
def test_a_worker_that_is_killed_loses_nothing(
    parts: tuple[Question, list[Part]], tmp_path: Path
) -> None:
    question, all_parts = parts
    units = [part.unit for part in all_parts]
    assert len(units) > 50
    right = dict(enumerate(look(question, unit) for unit in units))
    killed: list[int] = []
    came: list[tuple[int, bytes]] = []
    for number, data in LocalWorkers(2).run(question, units):
        came.append((number, data))
        # One that has just been killed may not have a successor yet.
        if len(came) >= (3, 20, len(units) + 1)[len(killed)] and (workers := workers_here()):
            killed.append(workers[0].pid)
            workers[0].kill()
    assert len(set(killed)) == 2
    assert len(came) == len(units)
    assert dict(came) == right
    assert not [pid for pid in killed if psutil.pid_exists(pid) and is_working(pid)]


def workers_here() -> list[psutil.Process]:
    """Return the workers of this process; what another test has left unreaped is none."""
    found = []
    for one in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie has no command line
            if "spawn_main" in " ".join(one.cmdline()):
                found.append(one)
    return found


def is_working(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.long
def test_what_workers_die_of_ends_the_search_in_one_line(
    parts: tuple[Question, list[Part]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    question, all_parts = parts
    monkeypatch.setattr("semantic_detection_pkg.archive.workers.processes.look", die)
    with pytest.raises(SourceLostError, match="die again and again while they look through"):
        list(LocalWorkers(1).run(question, [part.unit for part in all_parts]))


def die(question: Question, unit: Unit) -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("it lives")


@pytest.mark.long
def test_answers_are_kept_as_they_come(parts: tuple[Question, list[Part]], tmp_path: Path) -> None:
    question, all_parts = parts
    store = AnswerStore(tmp_path / "answers")
    told: list[int] = []

    def stop(weight: int, is_new: bool) -> None:
        assert is_new
        told.append(weight)
        if len(told) == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look_through(question, all_parts, LocalWorkers(2), store, stop)
    kept = [one for one in all_parts if store.get(one.unit.key(question))]
    assert len(kept) == 7
    assert not workers_here()
    asked: list[Unit] = []

    class Noting(LocalWorkers):
        def run(self, question: Question, units: list[Unit]) -> Iterator[tuple[int, bytes]]:
            asked.extend(units)
            return super().run(question, units)

    look_through(question, all_parts, Noting(1), store)
    assert len(asked) == len(all_parts) - 7
    for part in all_parts:
        data = store.get(part.unit.key(question))
        assert data is not None
        assert data == look(question, part.unit)


def begin(arguments: list[object]) -> subprocess.Popen[str]:
    """The tool in a session of its own, as a terminal has it."""
    command = [sys.executable, "-m", "semantic_detection_pkg.cli.search_archive"]
    return subprocess.Popen(
        [*command, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,
    )


@pytest.mark.long
@pytest.mark.timeout(180)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_search_that_was_ended_goes_on_where_it_was(
    tmp_path: Path, model: Path, number: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    frames = 120
    received = [things.stamp_of(number, 5_000_000_000) for number in range(frames)]
    path = things.write_bag(tmp_path / "long", frames, received=received)
    out = tmp_path / "out"
    asked = [path, "--words", WORDS, "--model", model, "--output", out, "--workers", 2]
    process = begin(asked)
    answers = out / "answers"
    try:
        wait_until(lambda: answers.is_dir() and len(list(answers.glob("*.npz"))) > 3, "answers", 60)
        workers = psutil.Process(process.pid).children(recursive=True)
        if number is signal.SIGINT:
            os.killpg(process.pid, number)  # Ctrl-C reaches the workers, too
        else:
            process.send_signal(number)
        said, error = process.communicate(timeout=patience(20.0))
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert said == ""
    wait_until(lambda: not any(is_working(one.pid) for one in workers), "the workers' end")
    kept = {file.name: file.read_bytes() for file in answers.glob("*.npz")}
    assert 3 < len(kept) < frames - 1
    for data in kept.values():
        from_bytes(data)
    if number is signal.SIGINT:
        assert process.returncode == 130
        assert error.splitlines()[-1] == (
            f"search_archive: interrupted; what was done is kept in {out}: begin again to go on"
        )
        assert "Traceback" not in error
    times = {name: (answers / name).stat().st_mtime_ns for name in kept}
    assert run(*asked, "--workers", 1) == 0
    assert f"{frames} pictures looked through" in capfd.readouterr().out
    assert times == {name: (answers / name).stat().st_mtime_ns for name in kept}
    question = things.question(model.resolve(), WORDS.split(","))
    units = open_path(path, SourceOptions()).units()
    whole = {f"{unit.key(question)}.npz": look(question, unit) for unit in units}
    assert whole == {file.name: file.read_bytes() for file in answers.glob("*.npz")}


@pytest.mark.timeout(180)
def test_ctrl_c_while_workers_begin_is_one_line(tmp_path: Path, bag: Path, model: Path) -> None:
    """They import for a second or two, and each told where it was in a trace of its own."""
    out = tmp_path / "out"
    process = begin([bag, "--words", WORDS, "--model", model, "--output", out, "--workers", 2])
    try:
        parent = psutil.Process(process.pid)
        wait_until(lambda: sum("spawn_main" in str(w) for w in words_of(parent)) == 2, "them", 60)
        os.killpg(process.pid, signal.SIGINT)
        said, error = process.communicate(timeout=patience(20.0))
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert (process.returncode, said) == (130, "")
    assert error.splitlines() == [
        f"search_archive: interrupted; what was done is kept in {out}: begin again to go on"
    ]


def test_ctrl_c_while_a_worker_begins_waits_until_it_has_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where another thread of the process takes the signal: a mask is one thread's."""
    end = threading.Event()
    other = threading.Thread(target=end.wait)
    other.start()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    has_begun = False
    try:
        with pytest.raises(KeyboardInterrupt), processes._without_ctrl_c():  # noqa: PT012 - at its end
            os.kill(os.getpid(), signal.SIGINT)
            wait_until(lambda: other.is_alive() and signal.SIGINT not in signal.sigpending(), "it")
            has_begun = True
        assert has_begun
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
        end.set()
        other.join()


def words_of(parent: psutil.Process) -> list[list[str]]:
    """Return the command lines of a process's children."""
    found = []
    for one in parent.children():
        try:
            found.append(one.cmdline())
        except psutil.Error:
            continue  # it has ended meanwhile
    return found
