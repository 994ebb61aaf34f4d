"""From a launch file and its arguments to the processes that it starts: the whole graph at once.

Unlike `ros2 launch`, nothing is started before everything is resolved, so a mistake in the last
line of a file leaves no half graph behind.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from launch_runner.command import (
    NAMESPACE,
    absolute_namespace,
    node_command,
    shell_words,
    split_command,
)
from launch_runner.document import Entity, load
from launch_runner.errors import LaunchError, Where
from launch_runner.substitutions import Scope
from launch_runner.values import coerce
from launch_runner.vocabulary import REQUIRED_MARK, REQUIRED_VALUE, RESPAWN_MARK, RUNNER_MARK

# launch.logging: which of (stdout, stderr) is shown; the log file gets both here in every case.
OUTPUTS = {"screen": (True, True), "both": (True, True), "log": (False, True)}
# Launch configurations that `ros2 launch` reads itself, with its defaults in seconds.
TIMEOUTS_S = {"sigterm_timeout": "5", "sigkill_timeout": "5"}


@dataclass(frozen=True)
class ProcessPlan:
    """One process to start and keep.

    `label` is the name in messages, `<name>-<number>` as in `ros2 launch`. `shows` says whether
    stdout and stderr go to the screen. The end of a required process ends the launch.
    """

    label: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    cwd: str | None = None
    shows: tuple[bool, bool] = (False, True)
    respawn: bool = False
    respawn_delay_s: float = 0.0
    is_required: bool = False


@dataclass(frozen=True)
class LaunchPlan:
    """What a launch file starts, in order, and how long it waits when it stops."""

    processes: tuple[ProcessPlan, ...]
    sigterm_timeout_s: float
    sigkill_timeout_s: float


def make_plan(path: Path, arguments: Mapping[str, str], parameter_dir: Path) -> LaunchPlan:
    """Resolve a launch file.

    `arguments` are the values of its `arg` entities; inline parameters are written to files in
    `parameter_dir`. Raises LaunchError, also for arguments that no file declares.
    """
    declared = declared_arguments(path, arguments)
    for name in arguments:
        if name not in declared and name not in TIMEOUTS_S:
            known = ", ".join(declared) or "none"
            raise LaunchError(f"argument '{name}' is not declared by {path}; declared: {known}")
    scope = Scope(dict(arguments), {**os.environ, RUNNER_MARK: "true"})
    planner = _Planner(parameter_dir)
    planner.file(path, scope, given=arguments)
    timeouts_s = {}
    for name, default in TIMEOUTS_S.items():
        text = scope.configurations.get(name, default)
        timeouts_s[f"{name}_s"] = timeout_s = _typed(text, float, name, None)
        if not timeout_s >= 0.0:
            raise LaunchError(f"{name} must be at least 0 s; got {text}")
    return LaunchPlan(tuple(planner.processes), **timeouts_s)


def declared_arguments(path: Path, arguments: Mapping[str, str]) -> dict[str, Entity]:
    """Return the `arg` entities of a launch file and of the files it can include, by name.

    Branches not taken count. Raises LaunchError when the file itself is not valid.
    """
    declared: dict[str, Entity] = {}
    scope = Scope(dict(arguments), dict(os.environ))

    def survey(entities: Iterable[Entity], files: tuple[Path, ...]) -> None:
        for entity in entities:
            if entity.kind == "arg":
                declared.setdefault(entity["name"], entity)
            # An include that cannot be resolved yet is reported when it is taken, not here.
            try:
                if entity.kind == "arg" and "default" in entity.attributes:
                    scope.configurations.setdefault(entity["name"], scope.expand(entity["default"]))
                elif entity.kind == "let":
                    scope.configurations.setdefault(
                        scope.expand(entity["name"]), scope.expand(entity["value"])
                    )
                elif entity.kind == "include":
                    included = Path(scope.expand(entity["file"]))
                    if included not in files:
                        survey(load(included), (*files, included))
            except LaunchError:
                continue
            survey(entity.get("children", ()), files)

    survey(load(path), (path,))
    return declared


@dataclass
class _Planner:
    parameter_dir: Path
    processes: list[ProcessPlan] = field(default_factory=list)
    _files: list[Path] = field(default_factory=list)

    def file(
        self, path: Path, scope: Scope, given: Iterable[str], asked_at: Where | None = None
    ) -> None:
        """Plan one file; `given` are the arguments that whoever starts it sets explicitly."""
        entities = load(path, asked_at)
        # As IncludeLaunchDescription does: a value that happens to be set outside is not enough.
        for arg in entities:
            optional_by = {"default", "if", "unless"} & set(arg.attributes)
            if arg.kind == "arg" and not optional_by and arg["name"] not in given:
                raise _not_given(arg)
        self._files.append(path)
        self._visit(entities, scope)
        self._files.pop()

    def _visit(self, entities: Iterable[Entity], scope: Scope) -> None:
        handlers = {
            "arg": self._arg,
            "let": self._let,
            "set_env": self._set_env,
            "node": self._node,
            "executable": self._executable,
            "include": self._include,
            "group": self._group,
            "push_ros_namespace": self._push_namespace,
            "push-ros-namespace": self._push_namespace,
        }
        for entity in entities:
            if _is_taken(entity, scope):
                handlers[entity.kind](entity, scope)

    def _arg(self, entity: Entity, scope: Scope) -> None:
        name = entity["name"]
        if name not in scope.configurations:
            if "default" not in entity.attributes:
                raise _not_given(entity)
            scope.configurations[name] = scope.expand(entity["default"])
        choices = [choice["value"] for choice in entity.get("choice", ())]
        value = scope.configurations[name]
        if "default" in entity.attributes and choices == [entity["default"].text] != [value]:
            # A name of before: its one choice says what to write instead.
            raise LaunchError(f"argument '{name}' {choices[0]}", entity.where)
        if choices and value not in choices:
            raise LaunchError(
                f"argument '{name}' must be one of {', '.join(choices)}; got '{value}'",
                entity.where,
            )

    def _let(self, entity: Entity, scope: Scope) -> None:
        scope.configurations[scope.expand(entity["name"])] = scope.expand(entity["value"])

    def _set_env(self, entity: Entity, scope: Scope) -> None:
        scope.environment[scope.expand(entity["name"])] = scope.expand(entity["value"])

    def _group(self, entity: Entity, scope: Scope) -> None:
        self._visit(entity["children"], scope.child() if entity.get("scoped", True) else scope)

    def _include(self, entity: Entity, scope: Scope) -> None:
        path = Path(scope.expand(entity["file"]))
        if path in self._files:
            raise LaunchError(f"included file '{path}' includes itself", entity.where)
        given = {
            scope.expand(arg["name"]): scope.expand(arg["value"]) for arg in entity.get("arg", ())
        }
        # Not scoped: what an included file sets is seen after it, unless a group is around it.
        scope.configurations.update(given)
        self.file(path, scope, given, entity.where)

    def _push_namespace(self, entity: Entity, scope: Scope) -> None:
        pushed = absolute_namespace(scope, scope.expand(entity["namespace"]), entity.where)
        assert pushed is not None
        scope.configurations[NAMESPACE] = pushed

    def _executable(self, entity: Entity, scope: Scope) -> None:
        command = split_command(entity["cmd"], scope)
        self._process(entity, scope, command, label_attribute="name")

    def _node(self, entity: Entity, scope: Scope) -> None:
        command = node_command(entity, scope, self.parameter_dir)
        self._process(entity, scope, command, label_attribute="exec_name")

    def _process(
        self, entity: Entity, scope: Scope, command: list[str], label_attribute: str
    ) -> None:
        environment = scope.environment | {
            scope.expand(env["name"]): scope.expand(env["value"]) for env in entity.get("env", ())
        }
        prefix = scope.expand_optional(entity.get("launch-prefix")) or ""
        command = shell_words(prefix, entity.where) + command
        if not command or not shutil.which(command[0], path=environment.get("PATH")):
            raise LaunchError(f"program '{' '.join(command[:1])}' not found", entity.where)
        name = scope.expand_optional(entity.get(label_attribute)) or os.path.basename(command[0])
        output = scope.expand_optional(entity.get("output")) or "log"
        output = environment.get("OVERRIDE_LAUNCH_PROCESS_OUTPUT") or output
        respawn_text = scope.expand_optional(entity.get("respawn")) or "false"
        respawn = _typed(respawn_text, bool, "respawn", entity.where)
        mark = environment.get(REQUIRED_MARK)
        environment.pop(RESPAWN_MARK, None)
        cwd = scope.expand_optional(entity.get("cwd"))
        for is_wrong, message in [
            (output not in OUTPUTS, f"output '{output}' is not one of {', '.join(OUTPUTS)}"),
            (mark not in (None, REQUIRED_VALUE), f"{REQUIRED_MARK} must be {REQUIRED_VALUE}"),
            (mark and respawn, f"respawn and {REQUIRED_MARK} exclude each other"),
            (cwd and not os.path.isdir(cwd), f"cwd '{cwd}' is no directory"),
        ]:
            if is_wrong:
                raise LaunchError(message, entity.where)
        self.processes.append(
            ProcessPlan(
                label=f"{name}-{len(self.processes) + 1}",
                command=tuple(command),
                environment=environment,
                cwd=cwd,
                shows=OUTPUTS[output],
                respawn=respawn,
                respawn_delay_s=entity.get("respawn_delay", 0.0),
                is_required=mark is not None,
            )
        )


def _not_given(arg: Entity) -> LaunchError:
    return LaunchError(f"argument '{arg['name']}' has no default and is not given", arg.where)


def _is_taken(entity: Entity, scope: Scope) -> bool:
    for attribute, wanted in (("if", True), ("unless", False)):
        if attribute in entity.attributes:
            text = scope.expand(entity[attribute]).strip().lower()
            if text not in ("true", "1", "false", "0"):
                raise LaunchError(
                    f"'{attribute}' must become true, 1, false or 0; got '{text}'", entity.where
                )
            return (text in ("true", "1")) is wanted
    return True


def _typed(text: str, kind: type, what: str, where: Where | None) -> Any:
    try:
        return coerce(text, kind)
    except ValueError as error:
        raise LaunchError(f"{what}: {error}", where) from None
