"""Freed memory goes back to the system while a node runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ros_support_pkg import memory

ROOT = Path(__file__).resolve().parents[2]

#: Blocks too small for maps of their own, and one above them that stays: glibc keeps them.
_PROGRAM = """
import ctypes, sys
from ros_support_pkg import memory
sys.path.insert(0, "tools")
from patience import wait_until

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]

def held_mb():
    with open("/proc/self/smaps_rollup") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous")) / 1024

blocks = []
for _ in range(1000):
    blocks.append(libc.malloc(64_000))
    libc.memset(blocks[-1], 1, 64_000)
stays = blocks.pop()
full_mb = held_mb()
for block in blocks:
    libc.free(block)
assert full_mb - held_mb() < 10.0, "the C library gives this back by itself: nothing is tested"
with memory.giving_back(0.05):
    wait_until(lambda: full_mb - held_mb() > 50.0, "the memory to be given back")
"""


def test_what_was_freed_below_something_that_stays_goes_back() -> None:
    command = [sys.executable, "-c", _PROGRAM]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    with memory.giving_back(0.01):
        pass


def test_every_node_gives_memory_back(ros_domain: dict[str, str]) -> None:
    code = (
        "import threading\n"
        "from ros_support_pkg.parameters import ParameterError\n"
        "from ros_support_pkg.running import run_node\n"
        "def make():\n"
        "    print([one.name for one in threading.enumerate()])\n"
        "    raise ParameterError('enough')\n"
        "run_node(make)\n"
    )
    command, environment = [sys.executable, "-c", code], {**os.environ, **ros_domain}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert "'free memory'" in done.stdout, done.stderr
