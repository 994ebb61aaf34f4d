"""Our runner of launch_testing files: it passes what passes, and each way to fail fails.

The same files go through the real `launch_testing` where there is one: it must say the same.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from patience import patience

ROOT = Path(__file__).resolve().parent.parent
OURS = (sys.executable, str(ROOT / "tools" / "launch_tests"))
REAL = (sys.executable, "-m", "launch_testing.launch_test")
FILE = """
import os, signal, unittest
from pathlib import Path
import launch, launch.actions, launch_testing, launch_testing.actions
import launch_testing.asserts, launch_testing.markers

@launch_testing.markers.keep_alive
def generate_test_description():
    process = launch.actions.ExecuteProcess(
        cmd=["sh", "-c", "trap 'echo \\'end\\'; exit 0' INT; echo $WORD up; touch there; "
             "while :; do sleep 0.05; done"],
        name="one", additional_env={"WORD": "it is"},
    )
    return launch.LaunchDescription([process, launch_testing.actions.ReadyToTest()])

class TestActive(unittest.TestCase):
    def test_it_runs(self, proc_info, proc_output):
        while not Path("there").exists(): pass
        self.assertEqual(ACTIVE, 1)

@launch_testing.post_shutdown_test()
class TestAfter(unittest.TestCase):
    def test_it_ended(self, proc_info, proc_output):
        self.assertEqual(AFTER, 1)
        launch_testing.asserts.assertExitCodes(proc_info)
        self.assertEqual([one.returncode for one in proc_info], [0])
        text = b"".join(one.text for one in proc_output).decode()
        self.assertEqual(text, "it is up\\nend\\n")

ACTIVE = AFTER = 1
"""
KEEP_ALIVE = ("@launch_testing.markers.keep_alive", "# as usual")
ENDS = ("while :; do sleep 0.05; done", "exit 0")
#: So long that whoever runs the file has noticed that its process has ended.
LONG = ("self.assertEqual(ACTIVE, 1)", f"import time; time.sleep({patience(1.0)})")
#: What is changed in the file, and whether it passes then.
CASES: dict[str, tuple[list[tuple[str, str]], bool]] = {
    "as it is": ([], True),
    "without keep_alive": ([KEEP_ALIVE], True),
    "an active test fails": ([("ACTIVE =", "ACTIVE = 2;")], False),
    "a test after the end fails": ([("AFTER = 1", "AFTER = 2")], False),
    "a process ends with a status": ([("exit 0", "exit 3")], False),
    "a process is killed": ([ENDS, ("exit 0", "kill -9 $$"), ("exit 0", "kill -9 $$")], False),
    "all end before the tests do": ([KEEP_ALIVE, ENDS, LONG, ("\\nend\\n", "\\n")], False),
    "all may end before the tests do": ([ENDS, LONG, ("\\nend\\n", "\\n")], True),
    "nothing says when to begin": ([(", launch_testing.actions.ReadyToTest()", "")], False),
}


def passes(command: tuple[str, ...], folder: Path, text: str) -> tuple[bool, str]:
    """Run a file; return whether it passed, and what was said."""
    file = folder / "some_test.py"
    file.write_text(text)
    done = subprocess.run(
        [*command, str(file)],
        cwd=folder,
        env={**os.environ, "ROS_LOG_DIR": str(folder / "log")},
        capture_output=True,
        text=True,
        timeout=patience(60),
        check=False,
    )
    return done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
@pytest.mark.parametrize("command", [OURS, REAL], ids=["ours", "real"])
@pytest.mark.parametrize(("changes", "is_good"), CASES.values(), ids=CASES)
def test_what_passes(
    command: tuple[str, ...], changes: list[tuple[str, str]], is_good: bool, tmp_path: Path
) -> None:
    if command is REAL and importlib.util.find_spec("launch_testing") is None:
        pytest.skip("launch_testing is not on PyPI, it comes with ROS")
    text = FILE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    has_passed, said = passes(command, tmp_path, text)
    assert has_passed is is_good, said
