"""What the files in test/launch share: a corner of ROS of their own, launch files, processes.

For `launch_testing` and for `tools/launch_tests` alike, so it knows nothing of who runs the file.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import tempfile
import unittest
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import psutil
import yaml
from ament_index_python.packages import get_package_prefix, get_package_share_directory
from launch.actions import IncludeLaunchDescription, SetLaunchConfiguration
from launch.launch_description_sources import AnyLaunchDescriptionSource
from launch_runner.plan import make_plan
from patience import patience, wait_until
from ros_graph import GraphProbe, isolated_domain

from ros_support_pkg.sharing import split_words

T = TypeVar("T")

PACKAGE = "semantic_detection_pkg"
#: For a whole robot to come up.
START_TIMEOUT_S = 90.0
MODELS = Path(get_package_share_directory(PACKAGE)) / "models"
DETECTOR, CLASSIFIER = (str(MODELS / f"demo_{name}.onnx") for name in ("detector", "classifier"))

_at_exit = contextlib.ExitStack()
atexit.register(_at_exit.close)


def enter(manager: contextlib.AbstractContextManager[T]) -> T:
    """Enter a context that lasts as long as this process."""
    return _at_exit.enter_context(manager)


def isolate() -> Path:
    """Give this process, and what it starts, a ROS domain and a folder; return the folder.

    Logs and temporary files lie in it, too.
    """
    folder = Path(enter(tempfile.TemporaryDirectory()))
    temporary = folder / "tmp"
    temporary.mkdir()
    os.environ |= enter(isolated_domain())
    os.environ |= {"ROS_LOG_DIR": str(folder / "log"), "TMPDIR": str(temporary)}
    tempfile.tempdir = None  # so that it is looked up anew
    return folder


def program(package: str, name: str) -> str:
    """Return the path of an installed program."""
    return str(Path(get_package_prefix(package)) / "lib" / package / name)


def include(file: str, **arguments: str) -> IncludeLaunchDescription:
    """Return the inclusion of one of the workspace's launch files."""
    path = Path(get_package_share_directory(PACKAGE)) / "launch" / file
    return IncludeLaunchDescription(
        AnyLaunchDescriptionSource(str(path)), launch_arguments=arguments.items()
    )


def started_by(file: str) -> set[str]:
    """Return the programs that one of the workspace's launch files starts by itself.

    Of a process that nodes share the nodes, here and below.
    """
    path = Path(get_package_share_directory(PACKAGE)) / "launch" / file
    with tempfile.TemporaryDirectory() as folder:
        plan = make_plan(path, {}, Path(folder))
    return {name for process in plan.processes for name in _names(process.command)}


def _names(words: Sequence[str]) -> tuple[str, ...]:
    """Return the program of a command line, or the nodes that it runs in one process."""
    name = Path(words[0]).name
    return tuple(split_words(words[1:])[0]) if name == "nodes" else (name,)


def stop_timeout_s() -> float:
    """Return how long a process that was told to end is waited for before it is told again."""
    return patience(20.0)


def patient_stop() -> SetLaunchConfiguration:
    """Return what has nobody told to end twice, however slow the machine.

    So exit status 0 after the launch means: it ended by itself on SIGINT.
    """
    return SetLaunchConfiguration("sigterm_timeout", f"{stop_timeout_s():.1f}")


def write_parameters(folder: Path, **nodes: dict[str, Any]) -> str:
    """Write a parameter file for these nodes; return its path."""
    path = folder / "test.param.yaml"
    sections = {node: {"ros__parameters": values} for node, values in nodes.items()}
    path.write_text(yaml.safe_dump(sections))
    return str(path)


def running() -> dict[str, psutil.Process]:
    """Return the installed programs that run below this process, by their names."""
    found = {}
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # it has just ended
            words = process.cmdline()
            for at, word in enumerate(words[:2]):
                path = Path(word)
                if path.parent.parent.name == "lib" and path.parent.name.endswith("_pkg"):
                    found.update(dict.fromkeys(_names(words[at:]), process))
    return found


def wait_for_running(names: Iterable[str]) -> dict[str, psutil.Process]:
    """Wait until all of these programs run, and return those that do."""
    wanted = set(names)

    def all_of_them() -> dict[str, psutil.Process]:
        found = running()
        return found if wanted <= found.keys() else {}

    return wait_until(all_of_them, f"{', '.join(sorted(wanted))} to run", START_TIMEOUT_S, 0.1)


def text_of(proc_output: Iterable[Any]) -> str:
    """Return all that processes have written."""
    return b"".join(one.text for one in proc_output).decode(errors="replace")


class GraphTest(unittest.TestCase):
    """Tests with a node of their own in the graph's domain."""

    probe: GraphProbe

    @classmethod
    def setUpClass(cls) -> None:
        cls.probe = GraphProbe(int(os.environ["ROS_DOMAIN_ID"]))

    @classmethod
    def tearDownClass(cls) -> None:
        cls.probe.close()
