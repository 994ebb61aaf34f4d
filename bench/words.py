"""A word that nobody prepared, on a text encoder of the real size (63 million random weights).

The demo detector runs on one thread, as in the node, on frames that come 5 times a second, of which
the newest counts; the word is encoded on another thread. How long until a frame's result looks for
it, the same from the cache, and 16 words at once; how many frames nobody looked at meanwhile, and
how much longer than usual one took; what the process has in memory of its own before, while it
encodes, and after. Times of words are processor time of the thread that encodes and of one frame,
so that what else runs does not count; `word_new_undisturbed_ms`, the frames and their pause go by
time on the wall without that in which a thread could run and other work had the processor.
"""

from __future__ import annotations

import gzip
import itertools
import shutil
import statistics
import string
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil

from bench.row import Row
from semantic_detection_pkg.detector.backends.loading import LoadedDetector, load_detector
from semantic_detection_pkg.detector.core.vocabulary import SIDE_FILE_SUFFIX

ROWS = (
    "word_new_ms", "word_new_undisturbed_ms", "word_cached_ms", "word_16_new_ms",
    "word_frames_lost", "word_frame_pause_ms", "word_memory_idle_mb", "word_memory_encoding_mb",
    "word_memory_kept_mb",
)  # fmt: skip

_ROOT = Path(__file__).resolve().parent.parent
_DEMO = _ROOT / "models" / "demo" / "demo_detector.onnx"
_MERGES = 48_894  # CLIP's
_WARM_S = 2.0
_PERIOD_S = 0.2  # of frames
_NEW_GOAL_MS, _CACHED_GOAL_MS = 1000.0, 50.0


def rows() -> Iterator[Row]:
    sys.path.insert(0, str(_ROOT / "tools"))
    with tempfile.TemporaryDirectory() as folder:
        model = _with_real_size_encoder(Path(folder))
        process = psutil.Process()
        with load_detector(_DEMO, threads=1) as detector:
            frames = _Frames(detector)
            frames.run_for(_WARM_S)
            without = process.memory_full_info().uss
        with load_detector(model, threads=1) as detector, _Frames(detector) as frames:
            time.sleep(_WARM_S)
            before = process.memory_full_info().uss
            usual_ms = statistics.median(frames.took_ms)
            frames.took_ms.clear()
            frames.lost = 0
            started_s = _undisturbed_s()
            yield Row("word_new_ms", frames.time_of(["yellow raincoat"]), "ms", goal=_NEW_GOAL_MS)
            took_ms = 1e3 * (_undisturbed_s() - started_s)
            yield Row("word_new_undisturbed_ms", took_ms, "ms", goal=_NEW_GOAL_MS)
            yield Row("word_frame_pause_ms", max(frames.took_ms) - usual_ms, "ms")
            frames.time_of(["tent"])
            cached_ms = frames.time_of(["yellow raincoat"], with_frame=False)
            yield Row("word_cached_ms", cached_ms, "ms", goal=_CACHED_GOAL_MS)
            words = [f"{colour} jacket" for colour in _colours(16)]
            yield Row("word_16_new_ms", frames.time_of(words), "ms")
            yield Row("word_frames_lost", frames.lost, "", goal=0.0)
            peak_mb = (frames.peak_rss - frames.first_rss) / 1e6
            yield Row("word_memory_idle_mb", (before - without) / 1e6, "MB")
            yield Row("word_memory_encoding_mb", peak_mb, "MB")
            kept_mb = (process.memory_full_info().uss - before) / 1e6
            yield Row("word_memory_kept_mb", kept_mb, "MB")


class _Frames:
    """A thread that looks at pictures as they come, at the newest one."""

    def __init__(self, detector: LoadedDetector) -> None:
        self._detector = detector
        self._picture = np.random.default_rng(0).integers(0, 255, (1080, 1920, 3), np.uint8)
        self._process = psutil.Process()
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._loop)
        self.first_rss = self.peak_rss = self._process.memory_info().rss
        self.took_ms: list[float] = []
        self.cpu_ms: list[float] = []
        self.newest: tuple[str, ...] = ()
        self.lost = 0

    def __enter__(self) -> _Frames:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_ending.set()
        self._thread.join()

    def run_for(self, seconds: float) -> None:
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self._detector.pipeline.process(self._picture)

    def time_of(self, words: list[str], with_frame: bool = True) -> float:
        """From the request to the first result that looks for the words [ms of processor time].

        Args:
            with_frame: the frame counts, too.
        """
        started_s = time.thread_time()
        self._detector.set_vocabulary(words)
        took_ms = 1e3 * (time.thread_time() - started_s)
        while self.newest != tuple(words):
            time.sleep(0.001)
        return took_ms + (statistics.median(self.cpu_ms) if with_frame else 0.0)

    def _loop(self) -> None:
        due_s = _undisturbed_s()
        while not self._is_ending.wait(max(due_s - _undisturbed_s(), 0.0)):
            started_s, cpu_s = _undisturbed_s(), time.thread_time()
            self.newest = self._detector.pipeline.process(self._picture).vocabulary
            self.took_ms.append(1e3 * (_undisturbed_s() - started_s))
            self.cpu_ms.append(1e3 * (time.thread_time() - cpu_s))
            self.peak_rss = max(self.peak_rss, self._process.memory_info().rss)
            due_s += _PERIOD_S
            while due_s + _PERIOD_S <= _undisturbed_s():  # a newer one is there
                due_s += _PERIOD_S
                self.lost += 1


def _undisturbed_s() -> float:
    """Monotonic time [s] without that in which this thread could run and something else did.

    The kernel counts it as the thread's run delay (Documentation/scheduler/sched-stats.rst).
    """
    counted = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat").read_text()
    return time.monotonic() - 1e-9 * int(counted.split()[1])


def _with_real_size_encoder(folder: Path) -> Path:
    """The demo detector with an encoder of random weights beside it."""
    from model_export.text_files import write_encoder
    from model_export.text_graph import text_model
    from model_export.text_weights import random_weights
    from model_export.tokenizer_file import tokenizer_json

    model = folder / _DEMO.name
    shutil.copy(_DEMO, model)
    side = _DEMO.with_name(_DEMO.stem + SIDE_FILE_SUFFIX)
    with np.load(side) as file:
        arrays = {name: file[name] for name in file.files}
    merges = folder / "merges.txt.gz"
    merges.write_bytes(gzip.compress("\n".join(("#", *_merges(), "")).encode()))
    encoder = text_model(random_weights(0, size=arrays["embeddings"].shape[1]), None, {})
    digest = write_encoder(model, encoder, tokenizer_json(merges), {"context_length": 77})
    arrays["text_encoder"] = np.array(digest)
    np.savez(folder / side.name, **arrays)
    return model


def _merges() -> Iterator[str]:
    """As many merges as CLIP has, of letters: two, then three, then four."""

    def all_of() -> Iterator[str]:
        letters = string.ascii_lowercase
        for count in (1, 2, 3):
            for first in itertools.product(letters, repeat=count):
                yield from (f"{''.join(first)} {last}" for last in letters)

    return itertools.islice(all_of(), _MERGES)


def _colours(count: int) -> list[str]:
    return [f"{one}{other}" for one, other in itertools.product("abcd", "efgh")][:count]
