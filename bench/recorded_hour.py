"""An hour of recorded demo, looked through: what the missions found, and the same whoever looks.

Flights of five minutes, each in a world of its own, go round and round as the demo does; headless
and in simulated time, as `bench.scan`, but with the demo's stand-in for a vision-language model,
and a bag of all pictures. Then `search_archive` looks through all bags for the same words with the
same models: with one worker, and with four, of which one is killed. What was confirmed is judged by
the world's truth.

RECORDED_MINUTES=20 is a part; an hour needs 5 GB on the disk and a good hour of two cores.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.row import Row

ROWS = (
    "recorded_hour_minutes",
    "recorded_hour_same_digest",
    "recorded_hour_found_again",
    "recorded_hour_found_live",
    "recorded_hour_found",
    "recorded_hour_false_live",
    "recorded_hour_false",
    "recorded_hour_doubles",
    "recorded_hour_1_worker_s",
    "recorded_hour_4_workers_s",
)
IS_EXTRA = True

SEEDS = range(24001, 24013)
"""Worlds that no model was trained or judged on and no parameter was chosen by."""

_MINUTES = 5.0
_APART_NS = 3_600_000_000_000
_NS_PER_S = 1_000_000_000
_COOLDOWN_S = 60.0  # the demo's
_MODELS = Path(__file__).resolve().parent.parent / "models" / "demo"


def rows() -> Iterator[Row]:
    from simulation_pkg.core.world.layout import WorldLayout, build_world
    from simulation_pkg.harness.scores import Things

    minutes = float(os.environ.get("RECORDED_MINUTES", "60"))
    seeds = list(SEEDS)[: max(1, round(minutes / _MINUTES))]
    with tempfile.TemporaryDirectory(prefix="recorded_hour-") as name, _vlm(Path(name)) as vlm:
        folder = Path(name)
        jobs = [(number, seed, folder, vlm, 60.0 * _MINUTES) for number, seed in enumerate(seeds)]
        with multiprocessing.get_context("spawn").Pool(min(2, os.cpu_count() or 1)) as pool:
            live = pool.map(fly, jobs, chunksize=1)
        bags = [folder / str(seed) for seed in seeds]
        alone_s, alone = _search(folder / "one", bags, 1, vlm)
        most_s = 600.0 + 3.0 * alone_s
        four_s, four = _search(folder / "four", bags, 4, vlm, most_s=most_s, kills=True)
        claims = _claims(folder / "one")
    again = [
        Things(build_world(WorldLayout(seed))).score(claims.get(number, ()), 0.0)
        for number, seed in enumerate(seeds)
    ]
    both = sum(
        len(one.found_s.keys() & other.found_s) for one, other in zip(live, again, strict=True)
    )
    for number, seed in enumerate(seeds):
        one, other = live[number], again[number]
        print(
            f"world {seed}: live {sorted(one.found_s)}, false {len(one.false)}; archive "
            f"{sorted(other.found_s)}, false {len(other.false)}, doubles {other.doubles}; "
            f"asked live {one.questions}; not again {sorted(one.found_s.keys() - other.found_s)}",
            file=sys.stderr,
        )
    found = sum(len(one.found_s) for one in live)
    there = sum(len(one.found_s) + len(one.missed) for one in live)
    yield Row("recorded_hour_minutes", _MINUTES * len(seeds), "min", better="higher")
    yield Row("recorded_hour_same_digest", float(alone == four), "", 1.0, "higher")
    yield Row("recorded_hour_found_again", both / max(1, found), "", 1.0, "higher")
    yield Row("recorded_hour_found_live", found / max(1, there), "", better="higher")
    again_found = sum(len(one.found_s) for one in again)
    yield Row("recorded_hour_found", again_found / max(1, there), "", better="higher")
    for name, scores in (("false_live", live), ("false", again)):
        count = sum(len(one.false) for one in scores)
        yield Row(f"recorded_hour_{name}", float(count), "")
    yield Row("recorded_hour_doubles", float(sum(one.doubles for one in again)), "")
    yield Row("recorded_hour_1_worker_s", alone_s, "s")
    yield Row("recorded_hour_4_workers_s", four_s, "s")


def fly(job: tuple[int, int, Path, str, float]) -> Any:
    """Record a flight in the world of a seed; return what it found."""
    import cv2

    from semantic_detection_pkg.scan.core.settings import ScanSettings
    from simulation_pkg.harness.recorded_flight import RecordedFlight

    cv2.setNumThreads(1)
    number, seed, folder, vlm, seconds = job
    settings = ScanSettings()
    candidates = replace(settings.candidates, cooldown_s=_COOLDOWN_S)
    flight = RecordedFlight(
        seed,
        folder / str(seed),
        vlm,
        number * _APART_NS,
        replace(settings, candidates=candidates),
    )
    return flight.fly(seconds)


@contextlib.contextmanager
def _vlm(folder: Path) -> Iterator[str]:
    """Run the demo's stand-in for a vision-language model; give its address."""
    from simulation_pkg.vlm_eyes import WorldEyes
    from vlm_bridge_pkg.stub.faults import Script, stub_server

    eyes = WorldEyes(_MODELS / "demo_classifier.onnx")
    server = stub_server(str(folder / "vlm.sock"), Script(look=eyes.answer))
    thread = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True, name="stub")
    thread.start()
    try:
        yield str(folder / "vlm.sock")
    finally:
        server.close()
        thread.join()


def _search(
    out: Path,
    bags: Sequence[Path],
    workers: int,
    vlm: str,
    *,
    most_s: float = 6 * 3600.0,
    kills: bool = False,
) -> tuple[float, str]:
    """Return how long a search took [s] and the digest of its findings.

    Raises:
        RuntimeError: it failed, or took longer than `most_s`.
    """
    from simulation_pkg.core.world.things import CLASS_NAMES

    command = [
        *(sys.executable, "-m", "semantic_detection_pkg.cli.search_archive", *map(str, bags)),
        *("--words", ",".join(CLASS_NAMES), "--model", str(_MODELS / "demo_detector.onnx")),
        *("--classifier", str(_MODELS / "demo_classifier.onnx"), "--vlm", vlm),
        *("--output", str(out), "--workers", str(workers)),
    ]
    began_s = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        if kills:
            _kill_one(process.pid, out / "answers")
        said, _ = process.communicate(timeout=most_s)
    except BaseException:
        process.kill()
        process.wait()
        raise
    digest = re.search(r"findings sha256 ([0-9a-f]{64})", said)
    if process.returncode != 0 or digest is None:
        raise RuntimeError(f"search_archive failed with {process.returncode}: {said[-200:]}")
    return time.monotonic() - began_s, digest[1]


def _kill_one(pid: int, answers: Path) -> None:
    """Kill one of the search's workers when some of the work is done.

    Raises:
        RuntimeError: there was none to kill.
    """
    import psutil

    parent, killed = psutil.Process(pid), False
    while parent.is_running() and parent.status() != psutil.STATUS_ZOMBIE and not killed:
        time.sleep(0.05)
        if len(list(answers.glob("*.npz"))) < 5:
            continue
        workers = [one for one in parent.children() if "spawn_main" in " ".join(one.cmdline())]
        if workers:
            workers[0].kill()
            killed = True
    if not killed:
        raise RuntimeError("no worker was there to be killed")


def _claims(out: Path) -> dict[int, list[Any]]:
    """Return what a search confirmed, by number of the flight."""
    from ros_support_pkg.core.words import FindingState
    from semantic_detection_pkg.recorder.evidence.content import latest_findings
    from semantic_detection_pkg.recorder.storage.bag_reader import BagReader
    from simulation_pkg.harness.scan_harness import START_NS
    from simulation_pkg.harness.scores import Claim

    claims: dict[int, list[Any]] = {}
    with BagReader(out / "findings") as reader:
        for one in latest_findings(reader, "/"):
            if one.state != FindingState.CONFIRMED.value:
                continue
            seen_ns = one.best_frame.sec * _NS_PER_S + one.best_frame.nanosec - START_NS
            number, into_ns = divmod(seen_ns, _APART_NS)
            seen_s = into_ns / _NS_PER_S
            bearing = one.bearing.yaw_rad, one.bearing.pitch_rad
            claims.setdefault(number, []).append(Claim(one.class_name, *bearing, seen_s, seen_s))
    return claims
