"""Tools that are run by their file, as the documents show it: where no workspace is sourced."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[3] / "tools"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, *words], env=environment, cwd="/", capture_output=True, text=True
    )


@pytest.mark.parametrize("tool", ["build_engine.py", "make_vocabulary.py", "measure_detector"])
def test_they_find_the_sources_themselves(tool: str) -> None:
    done = run(str(TOOLS / tool), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: ")


@pytest.mark.parametrize("tool", ["build_engine.py", "make_vocabulary.py", "measure_detector"])
def test_by_a_python_without_libraries_they_end_with_one_line(tool: str) -> None:
    done = run("-S", str(TOOLS / tool), "--help")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{Path(tool).stem}: {sys.executable} has no numpy")
    assert "source .venv/local_setup.bash" in line


@pytest.mark.parametrize(
    "tool", ["build_engine.py", "make_vocabulary.py", "export_yoloe.py", "export_mobilenet.py"]
)
def test_who_has_a_first_line_for_the_shell_may_be_run(tool: str) -> None:
    assert (TOOLS / tool).read_text().startswith("#!")
    assert os.access(TOOLS / tool, os.X_OK)
