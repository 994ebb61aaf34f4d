"""Two processes that compute on the GPU by turns, as the lock of the arbiter has it.

python -m gpu_check.hand_over LOCK TURNS ANSWER     one of the two; LOCK "-": without a lock
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from gpu_check.spin import Spinner
from gpu_check.steps import NotPossible, Row, Wrong
from semantic_detection_pkg.gpu.lock import KernelLock

Span = tuple[int, int]  # begin and end [ns]
TURNS = 200
_SPIN_NS = 2_000_000
_TIMEOUT_S = 40.0
_CANNOT = 3
_PAUSE_S = 0.003


def overlap_ns(ours: Sequence[Span], theirs: Sequence[Span]) -> int:
    """Return for how long both were on the GPU [ns]."""
    return sum(
        max(0, min(end, other_end) - max(begin, other_begin))
        for begin, end in ours
        for other_begin, other_end in theirs
    )


def turns_taken(ours: Sequence[Span], theirs: Sequence[Span]) -> int:
    """Return how often the GPU went from one to the other."""
    owners = [owner for _, owner in sorted([(a, 0) for a, _ in ours] + [(a, 1) for a, _ in theirs])]
    return sum(a != b for a, b in zip(owners, owners[1:], strict=False))


def work(lock: Path | None, turns: int, spin: Callable[[int], Span]) -> list[Span]:
    """Compute so often, each time with the lock in hand."""
    handle = KernelLock(lock, "gpu_check") if lock is not None else None
    spans = []
    for _ in range(turns):
        if handle is not None:
            handle.acquire(_TIMEOUT_S)
        spans.append(spin(_SPIN_NS))
        if handle is not None:
            handle.release()
        time.sleep(_PAUSE_S)  # who takes it again at once leaves no turn to the other
    return spans


def check(turns: int = TURNS, module: str = "gpu_check.hand_over") -> Sequence[Row]:
    """Let two processes compute, with the lock and without it.

    Raises:
        NotPossible: no kernel can run here.
        Wrong: both were on the GPU at once in spite of the lock, or it did not change hands.
    """
    with tempfile.TemporaryDirectory() as folder:
        with_lock = _both(Path(folder), Path(folder) / "gpu.lock", turns, module)
        without = _both(Path(folder), None, turns, module)
    overlap = overlap_ns(*with_lock)
    changes = turns_taken(*with_lock)
    if overlap:
        raise Wrong(f"both processes were on the GPU for {overlap} ns in spite of the lock")
    if not changes:
        raise Wrong(f"the GPU never changed hands in {turns} turns of each")
    return [
        Row("overlap with the lock", overlap, "ns"),
        Row("turns", 2 * turns),
        Row("changes of hands", changes),
        # Says whether this step could have seen an overlap at all.
        Row("overlap without the lock", overlap_ns(*without), "ns"),
    ]


def _both(folder: Path, lock: Path | None, turns: int, module: str) -> list[list[Span]]:
    answers = [folder / f"{number}.json" for number in range(2)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", module, str(lock or "-"), str(turns), str(answer)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for answer in answers
    ]
    try:
        # Both begin when both can: else the first would be done before the second has started.
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        for process in processes:
            if process.poll() is None and process.stdin is not None:
                process.stdin.write("go\n")
                process.stdin.flush()
        codes = [process.wait(timeout=2 * _TIMEOUT_S) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    if _CANNOT in codes:
        raise NotPossible(next(a.read_text() for a, c in zip(answers, codes, strict=True) if c))
    if any(codes):
        raise Wrong(f"the two processes ended with status {codes}")
    return [[(a, b) for a, b in json.loads(answer.read_text())] for answer in answers]


def main(
    arguments: Sequence[str], make_spinner: Callable[[], Callable[[int], Span]] | None = None
) -> int:
    """Be one of the two processes."""
    lock, turns, answer = arguments
    try:
        spin = make_spinner() if make_spinner is not None else Spinner().spin
    except NotPossible as error:
        Path(answer).write_text(str(error))
        return _CANNOT
    print("ready", flush=True)
    sys.stdin.readline()
    spans = work(None if lock == "-" else Path(lock), int(turns), spin)
    Path(answer).write_text(json.dumps(spans))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
