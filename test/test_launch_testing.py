"""pytest where a real ROS is sourced: its plug-ins stay out, its `launch` ends as ours does."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from patience import patience

ROOT = Path(__file__).resolve().parent.parent
LAUNCH_TESTS = sorted((ROOT / "test" / "launch").glob("*_test.py"))

#: What a ROS brings: hooks with arguments that pytest 9 does not know (as `launch_testing` of
#: Humble 1.0.7 and Jazzy 3.4.3), and collection of every module by an import of their own.
HOOKS = """
def {hook}(path, parent):
    raise AssertionError("a plug-in of the system collects {{}}".format(path))
"""


def install_plugin(folder: Path, name: str, hooks: str) -> None:
    """Put a distribution with a pytest plug-in into a folder of the path."""
    (folder / f"{name}_hooks.py").write_text(hooks)
    record = folder / f"{name}-1.0.7.dist-info"
    record.mkdir()
    (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0.7\n")
    (record / "entry_points.txt").write_text(f"[pytest11]\n{name} = {name}_hooks\n")


@pytest.mark.parametrize("hook", ["pytest_pycollect_makemodule", "pytest_collect_file"])
@pytest.mark.parametrize("name", ["launch_testing", "launch_ros", "of_another_ros"])
def test_plugins_of_the_system_stay_out(tmp_path: Path, name: str, hook: str) -> None:
    install_plugin(tmp_path, name, HOOKS.format(hook=hook))
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "test/test_patience.py"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=patience(60),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_patience.py::" in done.stdout


def test_launch_tests_are_collected_as_what_they_are() -> None:
    """As ordinary modules they would look for a graph that nobody started."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "test/launch"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=patience(60), check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    collected = [line for line in done.stdout.splitlines() if "::" in line]
    assert LAUNCH_TESTS
    assert collected == [f"test/launch/{file.name}::launch_test" for file in LAUNCH_TESTS]


REQUIRED = """
launch:
  - include: {{file: "{root}/launch/required.launch.py"}}
  - executable: {{cmd: "sleep 600", name: other}}
  - executable:
      cmd: "sh -c 'sleep 1; {end}'"
      name: required
      env: [{{name: LAUNCH_ON_EXIT, value: shutdown}}]
"""


@pytest.mark.graph
@pytest.mark.parametrize(("end", "status"), [("exit 7", 7), ("kill -9 $$", 137), ("true", 0)])
def test_a_required_process_ends_the_real_launch(tmp_path: Path, end: str, status: int) -> None:
    if importlib.util.find_spec("launch_ros") is None:  # `launch` is a folder here, too
        pytest.skip("launch and launch_ros are not on PyPI, they come with ROS")
    path = tmp_path / "some.launch.yaml"
    path.write_text(REQUIRED.format(root=ROOT, end=end.replace("$", "\\\\$")))
    program = (
        "import sys; from launch import LaunchDescription, LaunchService;"
        "from launch.actions import IncludeLaunchDescription as Include;"
        "from launch.launch_description_sources import AnyLaunchDescriptionSource as Source;"
        "service = LaunchService();"
        "service.include_launch_description(LaunchDescription([Include(Source(sys.argv[1]))]));"
        "sys.exit(service.run())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=patience(60),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "exit_status").read_text() == f"{status}\n", done.stdout + done.stderr
