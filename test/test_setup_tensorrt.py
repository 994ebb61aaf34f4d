"""The set-up of the tests' TensorRT: skipped by name where it cannot be had, never a failure."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "tools" / "setup" / "tensorrt.sh"
LOCK = ROOT / "requirements" / "tensorrt.lock"
UV_FAILS = '#!/bin/sh\necho "error: no\nroute to host" >&2\nexit 2\n'
UV_WORKS = '#!/bin/sh\necho "$@" >"$0.asked"\n'


@pytest.fixture
def environment(tmp_path):
    """A virtual environment of two programs; `python` says whether there is a wheel for it."""

    def make(python: str, uv: str) -> Path:
        for name, text in (("python", python), ("uv", uv)):
            path = tmp_path / "bin" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)
        return tmp_path

    return make


def run(venv: Path) -> str:
    done = subprocess.run(
        [SCRIPT, venv], capture_output=True, text=True, env={"PATH": os.environ["PATH"]}
    )
    assert done.returncode == 0
    assert done.stdout == ""
    return done.stderr


def test_where_there_is_no_wheel_nothing_is_asked_for(environment):
    venv = environment("#!/bin/sh\nexit 1\n", UV_WORKS)
    assert run(venv) == (
        "no wheel of TensorRT for RTX for this Python and machine: its tests will be skipped\n"
    )
    assert not (venv / "bin" / "uv.asked").exists()


def test_without_a_network_it_goes_on_and_says_so(environment):
    said = run(environment("#!/bin/sh\nexit 0\n", UV_FAILS))
    assert said == (
        "TensorRT for RTX could not be installed (error: no route to host): "
        "its tests will be skipped\n"
    )


def test_what_is_installed_is_locked_by_its_hash(environment):
    venv = environment("#!/bin/sh\nexit 0\n", UV_WORKS)
    assert run(venv) == ""
    asked = (venv / "bin" / "uv.asked").read_text().split()
    assert "--require-hashes" in asked
    assert "--no-deps" in asked
    assert Path(asked[-1]).resolve() == LOCK


def test_the_lock_is_of_what_is_asked_for():
    pattern = re.compile(r"^([\w-]+==[\w.]+) ;", re.MULTILINE)
    wanted = pattern.findall((ROOT / "requirements" / "tensorrt.in").read_text())
    assert pattern.findall(LOCK.read_text()) == wanted
    assert len(wanted) == 2
    assert not any(name in (ROOT / "requirements.lock").read_text() for name in wanted)
