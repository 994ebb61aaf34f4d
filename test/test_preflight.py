"""What the machine lacks is named in one line each, with the command that installs it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PREFLIGHT = Path(__file__).resolve().parent.parent / "tools" / "setup" / "preflight.sh"
NEEDED = ("sh", "sed", "sort", "g++", "cmake", "make")


def run(folder: Path, lacking: tuple[str, ...] = (), python: str = sys.executable):
    """Run it where only NEEDED programs are there, but for the lacking ones."""
    for name in set(NEEDED) - set(lacking):
        program = shutil.which(name)
        assert program, f"{name} is needed to run this test"
        (folder / name).symlink_to(program)
    return subprocess.run(
        ["/bin/sh", str(PREFLIGHT), python],
        env={"PATH": str(folder)},
        capture_output=True,
        text=True,
    )


def script(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_silent_where_everything_is_there(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("program", ["g++", "cmake", "make"])
def test_missing_program(tmp_path: Path, program: str) -> None:
    result = run(tmp_path, (program,))
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"missing: {program} (")
    assert line.endswith(f"install it with: sudo apt-get install {program}")


def test_each_missing_thing_has_its_line(tmp_path: Path) -> None:
    result = run(tmp_path, ("g++", "cmake"), python="python9")
    assert [line.split()[1] for line in result.stderr.splitlines()] == ["python9", "g++", "cmake"]


def test_old_cmake(tmp_path: Path) -> None:
    script(tmp_path, "cmake", "echo cmake version 3.16.3")
    result = run(tmp_path, ("cmake",))
    assert "missing: CMake 3.21 or newer, here is 3.16.3" in result.stderr


def test_python_of_another_version(tmp_path: Path) -> None:
    # It fails the version check and then tells its version; the other checks pass.
    answer = 'case "$2" in *platform*) echo 3.9.2 ;; *"(3, 10)"*) exit 1 ;; esac'
    result = run(tmp_path, python=script(tmp_path, "python39", answer))
    (line,) = result.stderr.splitlines()
    assert line.startswith("missing: Python 3.10 to 3.12, ")
    assert line.endswith("is 3.9.2; name another with: make PYTHON=python3.11")


def test_missing_venv_module(tmp_path: Path) -> None:
    answer = 'case "$2" in *ensurepip*) exit 1 ;; esac'
    result = run(tmp_path, python=script(tmp_path, "python_bare", answer))
    assert result.stderr == (
        "missing: Python module venv (the virtual environment); "
        "install it with: sudo apt-get install python3-venv\n"
    )


@pytest.mark.parametrize(("built", "status"), [("YES (1.20.3)", 0), ("NO", 1)])
def test_opencv_with_gstreamer_is_found(tmp_path: Path, built: str, status: int) -> None:
    (tmp_path / "cv2.py").write_text(f"def getBuildInformation(): return 'GStreamer:   {built}'")
    done = subprocess.run(
        [PREFLIGHT.with_name("has_gstreamer.sh"), sys.executable],
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"},
        check=False,
    )
    assert done.returncode == status
