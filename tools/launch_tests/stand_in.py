"""The modules `launch` and `launch_testing` for machines without them: as much as our files use.

Names, arguments and meaning are those of both distributions (Humble 1.0.7, Jazzy 3.4.3); anything
else is missing, so that a file that needs more fails here rather than differs.
"""

from __future__ import annotations

import shlex
import sys
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")

#: An entity of a launch file in YAML.
Entity = dict[str, Any]


@dataclass(frozen=True)
class LaunchDescription:
    """What is to be launched, in its order."""

    entities: Sequence[Action] = ()


class Action:
    """One step of a description."""

    def as_yaml(self) -> list[Entity]:
        """Return the same for a launch file in YAML."""
        raise NotImplementedError


@dataclass(frozen=True)
class SetLaunchConfiguration(Action):
    """A value under a name, for what follows."""

    name: str
    value: str

    def as_yaml(self) -> list[Entity]:
        return [{"let": {"name": self.name, "value": self.value}}]


@dataclass(frozen=True, kw_only=True)
class ExecuteProcess(Action):
    """A process by its command."""

    cmd: Sequence[str]
    name: str
    output: str = "log"
    additional_env: Mapping[str, str] = field(default_factory=dict)

    def as_yaml(self) -> list[Entity]:
        env = [{"name": name, "value": value} for name, value in self.additional_env.items()]
        command = {"cmd": shlex.join(self.cmd), "name": self.name, "output": self.output}
        return [{"executable": {**command, **({"env": env} if env else {})}}]


@dataclass(frozen=True)
class AnyLaunchDescriptionSource:
    """A launch file by its path."""

    location: str


@dataclass(frozen=True)
class IncludeLaunchDescription(Action):
    """Another launch file with its arguments."""

    launch_description_source: AnyLaunchDescriptionSource
    launch_arguments: Iterable[tuple[str, str]] = ()

    def as_yaml(self) -> list[Entity]:
        arguments = [{"name": name, "value": value} for name, value in self.launch_arguments]
        location = self.launch_description_source.location
        return [{"include": {"file": location, **({"arg": arguments} if arguments else {})}}]


class ReadyToTest(Action):
    """Where the active tests may begin; they wait for what they need anyway."""

    def as_yaml(self) -> list[Entity]:
        return []


def post_shutdown_test() -> Callable[[T], T]:
    """Mark a class of tests that run when all processes have ended."""

    def mark(tests: T) -> T:
        tests.__post_shutdown_test__ = True  # type: ignore[attr-defined]
        return tests

    return mark


def keep_alive(describe: T) -> T:
    """Mark a description whose processes may all end while the active tests run."""
    describe.__keep_alive__ = True  # type: ignore[attr-defined]
    return describe


def assert_exit_codes(proc_info: Iterable[Any], allowable_exit_codes: Sequence[int] = (0,)) -> None:
    """Check the last exit status of every process."""
    ended = list(proc_info)
    assert ended, "no process was started"
    for info in ended:
        assert info.returncode in allowable_exit_codes, (
            f"process {info.process_name} exited with {info.returncode}"
        )


_MODULES: dict[str, dict[str, object]] = {
    "launch": {"LaunchDescription": LaunchDescription},
    "launch.actions": {
        "ExecuteProcess": ExecuteProcess,
        "IncludeLaunchDescription": IncludeLaunchDescription,
        "SetLaunchConfiguration": SetLaunchConfiguration,
    },
    "launch.launch_description_sources": {
        "AnyLaunchDescriptionSource": AnyLaunchDescriptionSource,
    },
    "launch_testing": {"post_shutdown_test": post_shutdown_test},
    "launch_testing.actions": {"ReadyToTest": ReadyToTest},
    "launch_testing.asserts": {"assertExitCodes": assert_exit_codes},
    "launch_testing.markers": {"keep_alive": keep_alive},
}


def install() -> None:
    """Make the modules importable in this process."""
    for name, content in _MODULES.items():
        module = types.ModuleType(name, f"Stand-in of {name}, see launch_tests.stand_in.")
        module.__path__ = []
        vars(module).update(content)
        sys.modules[name] = module
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
