"""`search_archive` as people call it: the same findings whoever looks, and nothing done twice."""

from __future__ import annotations

import contextlib
import os
import re
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
from rosbags.rosbag2 import StoragePlugin

from semantic_detection_pkg.archive.answer_files import AnswerStore, from_bytes
from semantic_detection_pkg.archive.core.question import Question, Unit
from semantic_detection_pkg.archive.search import Part, look_through
from semantic_detection_pkg.archive.sources.opening import SourceOptions, open_path
from semantic_detection_pkg.archive.workers import processes
from semantic_detection_pkg.archive.workers.looking import look
from semantic_detection_pkg.archive.workers.processes import LocalWorkers
from semantic_detection_pkg.cli.search_archive import main
from semantic_detection_pkg.common.file_system import FolderLock
from semantic_detection_pkg.errors import SourceLostError
from semantic_detection_pkg.recorder.core.reviews import Review, review_of_line
from semantic_detection_pkg.recorder.evidence.content import latest_findings
from semantic_detection_pkg.recorder.storage.bag_reader import BagReader
from semantic_detection_pkg.recorder.storage.review_log import ReviewLog

WORDS = "red,green,blue"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return things.model_file(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Somebody's bag: 80 pictures in 20 s with three things in them."""
    return things.write_bag(tmp_path_factory.mktemp("bag") / "flight")


@pytest.fixture(autouse=True)
def _no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a search is long enough to tell how far it is."""
    for tool in ("search_archive", "report"):
        monkeypatch.setattr(f"semantic_detection_pkg.cli.{tool}._PERIOD_S", float("inf"))


def run(*words: object) -> int:
    return main([str(word) for word in words])


def digest_of(text: str) -> str:
    found = re.search(r"findings sha256 ([0-9a-f]{64})", text)
    assert found is not None, text
    return found[1]


# ------------------------------------------------------------------------- what is found


@pytest.mark.long
def test_any_number_of_workers_finds_the_same(
    tmp_path: Path, bag: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    photos = things.write_pictures(tmp_path / "photos", 20)
    digests, answers, reports = set(), set(), set()
    for count in (1, 2, 4):
        out = tmp_path / f"out{count}"
        status = run(
            bag, photos, "--words", WORDS, "--model", model, "--output", out, "--workers", count
        )
        said = capfd.readouterr()
        assert (status, said.err) == (0, "")
        assert "100 pictures looked through: " in said.out
        digests.add(digest_of(said.out))
        kept = sorted((out / "answers").iterdir())
        answers.add(tuple((path.name, path.read_bytes()) for path in kept))
        reports.add((out / "findings/report.html").read_text().replace(str(out), "out"))
    assert len(digests) == len(answers) == len(reports) == 1


@pytest.mark.long
def test_what_people_said_of_findings_outlives_the_next_search(
    tmp_path: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where the findings are others, a number names another thing: then it is put aside."""
    photos = things.write_pictures(tmp_path / "photos", 8)
    found = tmp_path / "out/findings"
    asked = ("--words", WORDS, "--model", model, "--output", tmp_path / "out", "--workers", 1)
    assert run(photos, *asked) == 0
    with BagReader(found) as reader:
        one = latest_findings(reader, "/")[0]
    said = Review(one.id, 7, "Ann", "rejected", "a rock")
    ReviewLog(found).append(said)
    assert run(photos, *asked) == 0
    assert "reviews_before" not in capfd.readouterr().err
    assert ReviewLog(found).read() == [said]
    assert "a rock" in (found / "report.html").read_text()
    more = things.write_pictures(tmp_path / "more", 16)
    for _ in range(2):
        assert run(photos, more, *asked) == 0
        assert ReviewLog(found).read() == []
        (line,) = (found / "reviews_before.jsonl").read_bytes().splitlines()
        assert review_of_line(line) == said
    assert capfd.readouterr().err.count("kept in reviews_before.jsonl") == 1


@pytest.mark.parametrize("plugin", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_findings_are_those_of_a_mission(
    tmp_path: Path, model: Path, plugin: StoragePlugin, capfd: pytest.CaptureFixture[str]
) -> None:
    """In the same form: a bag, events, pages, files for maps, made by `report` itself."""
    path = things.write_bag(
        tmp_path / "flight", topics=[("/front/image_raw", things.RAW)], plugin=plugin
    )
    out = tmp_path / "out"
    asked = ("--words", WORDS, "--model", model, "--output", out, "--workers", 1)
    assert run(path, *asked, "--export", "csv") == 0
    said = capfd.readouterr()
    assert "80 pictures looked through: 3 confirmed" in said.out
    with BagReader(out / "findings") as reader:
        found = {one.class_name: one for one in latest_findings(reader, "/")}
    assert found.keys() == {"red", "green", "blue"}
    for spot in things.SPOTS:
        finding = found[spot.colour]
        x, y = (things.CELL_PX * (at + 0.5) for at in (spot.column, spot.row))
        x0, y0, x1, y1 = finding.best_box_xyxy
        assert x0 < x < x1
        assert y0 < y < y1
        number = (finding.best_frame.sec - things.START_NS // 10**9) * 4
        assert spot.first <= number + 3
        assert number < spot.stop
    page = (out / "findings/report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 3
    assert "Looked for red, green, blue" in page
    assert len(list((out / "findings/events").glob("*/evidence.html"))) == 3
    assert (out / "findings/findings.csv").read_text(encoding="utf-8-sig").count("confirmed") == 3
    # Asked again, nothing is looked at again, and the findings are replaced.
    kept = {path.name: path.stat().st_mtime_ns for path in (out / "answers").iterdir()}
    assert run(path, *asked) == 0
    assert digest_of(capfd.readouterr().out) == digest_of(said.out)
    assert kept == {path.name: path.stat().st_mtime_ns for path in (out / "answers").iterdir()}
    assert not (out / "findings/findings.csv").exists()
    # Another question is another search, in the same folder.
    assert run(path, *asked, "--words", "blue") == 0
    assert "80 pictures looked through: 1 confirmed" in capfd.readouterr().out
    assert len(list((out / "answers").iterdir())) == 2 * len(kept)


@pytest.mark.long
def test_a_rate_and_tiles(
    tmp_path: Path, bag: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = ("--words", WORDS, "--model", model, "--workers", 1, "--output", tmp_path / "out")
    assert run(bag, *asked, "--rate", 1) == 0
    assert "20 pictures looked through" in capfd.readouterr().out
    assert run(bag, *asked, "--rate", 1, "--tiles", "tiles", "--tile-px", 64) == 0
    assert "20 pictures looked through" in capfd.readouterr().out


@pytest.mark.long
def test_a_broken_recording_beside_a_good_one(
    tmp_path: Path, bag: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each thing that is wrong is one line; what is good is looked through."""
    cut = things.write_bag(tmp_path / "cut")
    (file,) = cut.glob("*.mcap")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] + bytes(2000) + whole[len(whole) // 2 + 2000 :])
    video = tmp_path / "a.mp4"
    video.write_bytes(b"no video")
    asked = ("--words", WORDS, "--model", model, "--workers", 2, "--output", tmp_path / "out")
    assert run(bag, cut, video, *asked) == 1
    said = capfd.readouterr()
    assert re.search(r"\d+ pictures looked through: \d confirmed", said.out)
    lines = said.err.splitlines()
    assert f"search_archive: video {video} is not a video that can be read" in lines
    assert sum(line.startswith(f"search_archive: bag {cut}") for line in lines) == len(lines) - 2
    assert re.fullmatch(r"search_archive: \d could not be read or looked at", lines[-1])
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--words", "yellow raincoat"], "vocabulary: 'yellow raincoat' is unknown; known: red,"),
        (["--words", ""], "words: none is given"),
        (["--model", "nothing.onnx"], "model nothing.onnx: does not exist"),
        (["--model", __file__], "test_search_archive.py"),
        (["--engine", "abacus"], "inference engine 'abacus' is unknown"),
        (["--topic", "/rear"], "has no pictures on topic /rear; topics with pictures: /front"),
        (["--classifier", "nothing.onnx"], "model nothing.onnx: does not exist"),
        (["--scheduler", "tcp://127.0.0.1:1"], "scheduler tcp://127.0.0.1:1 cannot be reached"),
        (["--scheduler", "nonsense://x"], "scheduler nonsense://x cannot be reached"),
        (["--output", "/proc/archive"], "/proc/archive"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, bag: Path, model: Path, words: list[str], said: str,
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("semantic_detection_pkg.archive.workers.cluster._CONNECT_S", 1.0)
    asked = ["--words", WORDS, "--model", model, "--output", tmp_path / "out", "--workers", "1"]
    if "--scheduler" in words:
        asked = asked[:-2]
    assert run(bag, *asked, *words) == 2
    error = capfd.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert error.startswith("search_archive: ")


def test_a_bag_without_pictures_alone_is_refused(
    tmp_path: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = things.write_bag(tmp_path / "bag", 0)
    asked = ("--words", WORDS, "--model", model, "--output", tmp_path / "out")
    assert run(path, tmp_path / "none", *asked) == 2
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("search_archive: ") for line in lines)


def test_two_searches_in_one_folder(
    tmp_path: Path, bag: Path, model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    lock = FolderLock(tmp_path / "out", "search")
    assert run(bag, "--words", WORDS, "--model", model, "--output", tmp_path / "out") == 2
    lock.release()
    said = f"search_archive: output {tmp_path / 'out'}: another search uses it\n"
    assert capfd.readouterr().err == said


# ------------------------------------------------------------------------- killed, stopped


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
        if len(came) in (3, 20):
            victim = workers_here()[0]
            killed.append(victim.pid)
            victim.kill()
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
