"""Recorded pictures looked through by one worker and by two: how much sooner two are done.

Pictures of the simulated world as files, the demo's detector; the start of the workers included,
what is done in order after them not. One and two take turns; the best of each counts, as whatever
else the machine does costs both. Where other work has the processors the clock tells of that work:
`archive_speedup_cores_alone` is by processor time, that of this process and of the busiest share of
the workers', which is what the clock would say on two cores that have nothing else to do.
"""

from __future__ import annotations

import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.row import Row

if TYPE_CHECKING:
    from semantic_detection_pkg.archive.core.question import Question
    from semantic_detection_pkg.archive.search import Part

ROWS = (
    "archive_pictures_per_s",
    "archive_speedup_2_workers",
    "archive_speedup_cores_alone",
    "archive_worker_cores",
)

_RENDERED, _COPIES = 120, 4
_ROUNDS = 2
_TURN_RAD_S, _PITCH_RAD = 0.2, 0.35
_MODEL = Path(__file__).resolve().parent.parent / "models" / "demo" / "demo_detector.onnx"


@dataclass(frozen=True)
class Taken:
    """What a search took: on the clock, and processor time of this process and of the workers."""

    wall_s: float
    main_s: float
    workers_s: float

    def __str__(self) -> str:
        return f"{self.wall_s:.1f} s, processor {self.main_s:.1f} + {self.workers_s:.1f} s"


def rows() -> Iterator[Row]:
    from semantic_detection_pkg.archive.core.question import Question
    from semantic_detection_pkg.archive.search import Part
    from semantic_detection_pkg.archive.sources.opening import SourceOptions, open_path
    from semantic_detection_pkg.archive.workers.looking import model_sha256

    question = Question(str(_MODEL), model_sha256(str(_MODEL)), ("person", "tent"))
    times: dict[int, list[Taken]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory(prefix="archive-") as name:
        pictures = Path(name) / "pictures"
        _write_pictures(pictures)
        source = open_path(pictures, SourceOptions())
        parts = [Part(source, unit) for unit in source.units()]
        for _ in range(_ROUNDS):
            for workers, taken in times.items():
                taken.append(_look(question, parts, workers, Path(name) / "answers"))
                print(f"{workers} workers: {taken[-1]}", file=sys.stderr)
        source.close()
    alone_s, two_s = (min(one.wall_s for one in times[workers]) for workers in times)
    cpu_s = {
        workers: min(one.main_s + one.workers_s / workers for one in taken)
        for workers, taken in times.items()
    }
    cores = max(one.workers_s / one.wall_s for one in times[1])
    yield Row("archive_pictures_per_s", _RENDERED * _COPIES / alone_s, "1/s", better="higher")
    yield Row("archive_speedup_2_workers", alone_s / two_s, "x", 1.7, "higher", alone_s)
    yield Row("archive_speedup_cores_alone", cpu_s[1] / cpu_s[2], "x", 1.7, "higher", cpu_s[1])
    yield Row("archive_worker_cores", cores, "cores", 1.1)


def _look(question: Question, parts: Sequence[Part], workers: int, answers: Path) -> Taken:
    """Return what so many workers take for all parts."""
    from semantic_detection_pkg.archive.answer_files import AnswerStore
    from semantic_detection_pkg.archive.search import look_through
    from semantic_detection_pkg.archive.workers.processes import LocalWorkers

    store = AnswerStore(answers)
    before = _cpu_s()
    began_s = time.perf_counter()
    unkept = look_through(question, parts, LocalWorkers(workers), store)
    wall_s = time.perf_counter() - began_s
    main_s, workers_s = (after - one for after, one in zip(_cpu_s(), before, strict=True))
    if unkept:
        raise RuntimeError(f"{len(unkept)} parts could not be looked through")
    shutil.rmtree(answers)
    return Taken(wall_s, main_s, workers_s)


def _cpu_s() -> tuple[float, float]:
    """Return the processor time of this process and of its children that have ended [s]."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    own, children = (one.ru_utime + one.ru_stime for one in used)
    return own, children


def _write_pictures(folder: Path) -> None:
    """Write what a camera sees that turns over the world."""
    import cv2

    from simulation_pkg.harness.robot import FRAME_RATE_HZ, SimulatedRobot

    folder.mkdir()
    robot = SimulatedRobot(7)
    robot.body.yaw.turn(_TURN_RAD_S)
    robot.body.pitch.go_to(_PITCH_RAD)
    for number in range(_RENDERED):
        robot.advance(number / FRAME_RATE_HZ)
        first = folder / f"0_{number:04}.jpg"
        cv2.imwrite(str(first), robot.capture().image)
        for copy in range(1, _COPIES):
            shutil.copyfile(first, folder / f"{copy}_{number:04}.jpg")
