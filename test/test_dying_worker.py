"""A test that takes its process with it is named at the end of `make test`, and there is an end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from patience import patience

SETTINGS = Path(__file__).resolve().parent.parent / "pyproject.toml"
DEADLY = "import os\ndef test_before(): pass\ndef test_deadly(): os._exit(3)\n"
#: As many files as keep both workers busy when the first dies.
OTHERS = ("b", "c", "d")


@pytest.mark.long
@pytest.mark.timeout(240)
def test_the_run_ends_and_names_the_test(tmp_path: Path) -> None:
    (tmp_path / "test_a.py").write_text(DEADLY)
    for name in OTHERS:
        (tmp_path / f"test_{name}.py").write_text("def test_1(): pass\ndef test_2(): pass\n")
    command = [sys.executable, "-m", "pytest", "-c", str(SETTINGS), "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [*command, "-n", "2", "--dist", "loadfile", str(tmp_path)],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if "PYTEST" not in name},
        capture_output=True,
        text=True,
        timeout=patience(60),
        check=False,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    assert "crashed while running 'test_a.py::test_deadly'" in done.stdout
