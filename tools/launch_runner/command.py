"""Command lines: the words of `args` and `cmd`, and what launch_ros adds for a node."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from launch_runner.document import Entity
from launch_runner.errors import LaunchError, Where
from launch_runner.packages import package_executable
from launch_runner.substitutions import Call, Scope, Template
from launch_runner.values import evaluate_value

# The launch configuration in which launch_ros keeps the namespace of the groups around.
NAMESPACE = "ros_namespace"


def node_command(node: Entity, scope: Scope, parameter_dir: Path) -> list[str]:
    """Return the command of a `node`: program, args, ros_args, name, namespace, parameters, remaps.

    Inline parameters are written to new files in `parameter_dir`. Raises LaunchError.
    """
    try:
        program = package_executable(scope.expand(node["pkg"]), scope.expand(node["exec"]))
    except LaunchError as error:
        raise LaunchError(str(error), node.where) from None
    command = [str(program)]
    if "args" in node.attributes:
        command += split_command(node["args"], scope)
    if "ros_args" in node.attributes:
        command += ["--ros-args", *split_command(node["ros_args"], scope)]
    command += ["--ros-args"]
    name = scope.expand_optional(node.get("name"))
    if name is not None:
        if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
            raise LaunchError(f"'{name}' is no node name: letters, digits, _", node.where)
        command += ["-r", f"__node:={name}"]
    namespace = absolute_namespace(scope, scope.expand_optional(node.get("namespace")), node.where)
    if namespace is not None:
        command += ["-r", f"__ns:={namespace}"]
    # Without both, the full name of the node is not known here.
    key = f"{namespace.rstrip('/')}/{name}" if name and namespace else "/**"
    for param in node.get("param", ()):
        command += ["--params-file", str(_parameter_file(param, key, scope, parameter_dir))]
    for remap in node.get("remap", ()):
        command += ["-r", f"{scope.expand(remap['from'])}:={scope.expand(remap['to'])}"]
    return command


def absolute_namespace(scope: Scope, namespace: str | None, where: Where) -> str | None:
    """Return `namespace` below that of the groups around, absolute; None if neither has one.

    Raises LaunchError when it is no namespace.
    """
    base = scope.configurations.get(NAMESPACE)
    if namespace is None:
        return base
    if base and not namespace.startswith("/"):
        namespace = f"{base.rstrip('/')}/{namespace}"
    full = namespace.rstrip("/")
    full = full if full.startswith("/") else f"/{full}"
    if full != "/" and not re.fullmatch(r"(/[A-Za-z_]\w*)+", full, re.ASCII):
        raise LaunchError(f"'{full}' is no namespace: names of letters, digits, _ after /", where)
    return full


def _parameter_file(param: Entity, key: str, scope: Scope, parameter_dir: Path) -> Path:
    if "from" in param.attributes:
        path = Path(scope.expand(param["from"]))
        if not path.is_file():
            raise LaunchError(f"parameter file '{path}' does not exist", param.where)
        return path
    values = _inline_parameters(param, scope)
    path = parameter_dir / f"{len(list(parameter_dir.iterdir())) + 1}.yaml"
    path.write_text(yaml.safe_dump({key: {"ros__parameters": values}}), encoding="utf-8")
    return path


def _inline_parameters(param: Entity, scope: Scope) -> dict[str, Any]:
    name = scope.expand(param["name"])
    if "param" in param.attributes:
        return {
            f"{name}.{key}": value
            for nested in param["param"]
            for key, value in _inline_parameters(nested, scope).items()
        }
    try:
        return {name: evaluate_value(param["value"], param.get("type", "yaml"), scope)}
    except ValueError as error:
        raise LaunchError(f"parameter '{name}': {error}", param.where) from None


def split_command(template: Template, scope: Scope) -> list[str]:
    """Split a command line into words as a shell does, without splitting what is substituted.

    Raises LaunchError for a quotation that is not closed within one stretch of text.
    """
    words: list[str] = []
    is_open = False  # the next piece belongs to the last word

    def add(piece: str) -> None:
        nonlocal is_open
        if is_open:
            words[-1] += piece
        else:
            words.append(piece)
        is_open = True

    for part in template.parts:
        if isinstance(part, Call):
            add(scope.expand(replace(template, parts=(part,))))
            continue
        pieces = shell_words(part, template.where)
        if not pieces and not is_open:
            words.append("")  # as the official frontend has it, `args: ""` for one
        is_open = is_open and not part[:1].isspace()
        for piece in pieces:
            add(piece)
            is_open = False
        is_open = bool(pieces) and not part[-1].isspace()
    return words


def shell_words(text: str, where: Where) -> list[str]:
    """Split a text into words as a shell does. Raises LaunchError for an open quotation."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise LaunchError(f"command '{text}': {error}", where) from None
