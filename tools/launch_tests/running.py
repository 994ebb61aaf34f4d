"""Runs a launch_testing file by the workspace's own runner: its graph, its tests, in their order.

The active tests run while the graph does, those that are marked as `post_shutdown_test` when it was
told to stop (SIGINT, as by Ctrl-C) and every process has ended.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import inspect
import sys
import tempfile
import unittest
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import yaml
from launch_runner import LaunchSession
from launch_runner.session import ProcessState

from launch_tests import stand_in

_STOP_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class ProcessInfo:
    """A process and how it ended: `returncode` is None while it runs, -N after signal N."""

    process_name: str
    pid: int
    returncode: int | None

    @classmethod
    def of(cls, state: ProcessState) -> ProcessInfo:
        return cls(state.label, state.pid, state.status)


class ProcInfo:
    """The newest state of every process of the launch, as `proc_info` of launch_testing."""

    def __init__(self, session: LaunchSession) -> None:
        self._session = session

    def __iter__(self) -> Iterator[ProcessInfo]:
        return iter([ProcessInfo.of(state) for state in self._session.processes.values()])

    def __getitem__(self, name: str) -> ProcessInfo:
        """Return the first process whose name holds this text; KeyError where none does."""
        for info in self:
            if name in info.process_name:
                return info
        raise KeyError(name)


@dataclass(frozen=True)
class ProcessIO:
    """A line that a process has written."""

    process_name: str
    text: bytes


class ProcOutput:
    """All lines of all processes so far, as `proc_output` of launch_testing."""

    def __init__(self, session: LaunchSession) -> None:
        self._session = session

    def __iter__(self) -> Iterator[ProcessIO]:
        known = self._session.processes
        for line in self._session.lines:
            label, is_closed, text = line.removeprefix("[").partition("] ")
            if is_closed and label in known:
                yield ProcessIO(label, f"{text}\n".encode())


def main(words: Sequence[str] | None = None) -> int:
    """Run a file; return 0 if all of its tests passed, else 1."""
    parser = argparse.ArgumentParser(
        prog="launch_tests", description="Runs launch_testing files without launch_testing."
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="with generate_test_description()")
    given = parser.parse_args(words)
    if not given.file.is_file():
        parser.error(f"file '{given.file}' does not exist")
    stand_in.install()
    return 0 if run(load(given.file)) else 1


def load(path: Path) -> ModuleType:
    """Import a file as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def run(module: ModuleType) -> bool:
    """Run the tests of a module around its graph; return whether all passed."""
    describe = module.generate_test_description
    description: stand_in.LaunchDescription = describe()
    if not any(isinstance(entity, stand_in.ReadyToTest) for entity in description.entities):
        raise TypeError("generate_test_description: the description holds no ReadyToTest")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{module.__name__}.launch.yaml"
        entities = [one for entity in description.entities for one in entity.as_yaml()]
        path.write_text(yaml.safe_dump({"launch": entities}, sort_keys=False))
        session = LaunchSession(path)
        bound = {"proc_info": ProcInfo(session), "proc_output": ProcOutput(session)}
        with session:
            has_passed = _run_tests(module, bound, is_after=False)
            if _has_ended(session) and not getattr(describe, "__keep_alive__", False):
                print("all processes had ended before the tests did", file=sys.stderr)
                has_passed = False
            session.stop(_STOP_TIMEOUT_S)
    has_passed &= _run_tests(module, bound, is_after=True)
    if not has_passed:
        print("\n".join(["--- output of the launch ---", *session.lines]))
    return has_passed


def _has_ended(session: LaunchSession) -> bool:
    try:
        session.wait(0.0)
    except TimeoutError:
        return False
    return True


def _run_tests(module: ModuleType, bound: Mapping[str, object], *, is_after: bool) -> bool:
    """Run the active tests of a module, or those for after the end."""
    suite = unittest.TestSuite(
        unittest.defaultTestLoader.loadTestsFromTestCase(one)
        for one in vars(module).values()
        if isinstance(one, type)
        and issubclass(one, unittest.TestCase)
        and getattr(one, "__post_shutdown_test__", False) == is_after
    )
    for test in _tests_of(suite):
        _bind(test, bound)
    return unittest.TextTestRunner(verbosity=2).run(suite).wasSuccessful()


def _tests_of(suite: unittest.TestSuite) -> Iterator[unittest.TestCase]:
    for one in suite:
        if isinstance(one, unittest.TestSuite):
            yield from _tests_of(one)
        else:
            yield one


def _bind(test: unittest.TestCase, bound: Mapping[str, object]) -> None:
    """Give a test those of the arguments that it names."""
    name = test.id().rpartition(".")[2]
    method = getattr(test, name)
    wanted = {key: bound[key] for key in inspect.signature(method).parameters if key in bound}
    setattr(test, name, functools.partial(method, **wanted))
