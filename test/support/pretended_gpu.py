"""One of the two processes of `gpu_check.hand_over`, on a GPU that only passes the time.

python -m pretended_gpu LOCK TURNS ANSWER       `ignore` in the answer's name: without the lock
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from gpu_check import hand_over
from gpu_check.steps import NotPossible


def pretend() -> Callable[[int], tuple[int, int]]:
    def spin(length_ns: int) -> tuple[int, int]:
        begin = time.monotonic_ns()
        while time.monotonic_ns() < begin + length_ns:
            time.sleep(length_ns / 4e9)
        return begin, time.monotonic_ns()

    return spin


def no_gpu() -> Callable[[int], tuple[int, int]]:
    raise NotPossible("no kernel can run here: cuInit: CUDA_ERROR_NO_DEVICE")


if __name__ == "__main__":
    sys.exit(hand_over.main(sys.argv[1:], pretend))
