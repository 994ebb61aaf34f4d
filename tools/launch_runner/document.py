"""Launch files as checked entities: YAML in, a tree that knows its lines out.

Everything that can be refused without running is refused here, in branches not taken as well.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from launch_runner.errors import LaunchError, Where
from launch_runner.substitutions import parse_template, unescape
from launch_runner.values import TYPES, parse_value
from launch_runner.vocabulary import ENTITIES, EXCLUSIVE, HINTS, ITEMS, Attribute, Kind


@dataclass(frozen=True)
class Entity:
    """One entity (`node`, `arg`, ...) or item of a list attribute (`param`, `remap`, ...).

    `attributes` holds what was written: Template for text, str for literals and types, bool, float,
    a parsed parameter value, tuples of Entity for items and children.
    """

    kind: str
    where: Where
    attributes: Mapping[str, Any]

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute, or `default` when it was not written."""
        return self.attributes.get(name, default)

    def __getitem__(self, name: str) -> Any:
        return self.attributes[name]


def load(path: Path, asked_at: Where | None = None) -> tuple[Entity, ...]:
    """Read and check a launch file; return its entities in order.

    Raises LaunchError naming file and line; `asked_at` is the line of the include, if any.
    """
    if path.suffix not in (".yaml", ".yml"):
        raise LaunchError(f"launch file '{path}' is not supported; only YAML files are", asked_at)
    try:
        return _read(path, path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise LaunchError(f"launch file '{path}' cannot be read: {reason}", asked_at) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = Where(path, mark.line + 1 if mark else 1)
        raise LaunchError(f"not valid YAML: {getattr(error, 'problem', error)}", where) from None


@lru_cache(maxsize=32)
def _read(path: Path, text: str) -> tuple[Entity, ...]:
    """Read a text once: a plan needs each file twice, for its arguments and for its nodes."""
    return _Reader(path, text).root()


class _Reader:
    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        self._yaml = yaml.SafeLoader(text)

    def root(self) -> tuple[Entity, ...]:
        node = self._yaml.get_single_node()
        if node is None:
            raise LaunchError("the file is empty; it must hold 'launch:'", Where(self._path, 1))
        keys = self._mapping(node, "the file")
        if set(keys) != {"launch"}:
            raise LaunchError(
                f"the file must hold 'launch:' alone, got {', '.join(keys)}", self._where(node)
            )
        return self._children(keys["launch"][1], "launch")

    def _where(self, node: yaml.Node) -> Where:
        return Where(self._path, node.start_mark.line + 1)

    def _mapping(self, node: yaml.Node, what: str) -> dict[str, tuple[Where, yaml.Node]]:
        """Return the values of a mapping by key, with the line of the key; anchors are merged."""
        if not isinstance(node, yaml.MappingNode):
            raise LaunchError(f"{what} must be a mapping", self._where(node))
        for key, count in Counter(str(key.value) for key, _ in node.value).items():
            if count > 1:
                raise LaunchError(f"{what} has '{key}' {count} times", self._where(node))
        self._yaml.flatten_mapping(node)
        return {str(key.value): (self._where(key), value) for key, value in node.value}

    def _children(self, node: yaml.Node, what: str) -> tuple[Entity, ...]:
        if not isinstance(node, yaml.SequenceNode):
            raise LaunchError(f"'{what}' must hold a list of entities", self._where(node))
        return tuple(self._entity(child) for child in node.value)

    def _entity(self, node: yaml.Node) -> Entity:
        keys = self._mapping(node, "an entity")
        if len(keys) != 1:
            raise LaunchError(
                f"an entity has one key, its kind; got {', '.join(keys)}", self._where(node)
            )
        [(kind, (where, value))] = keys.items()
        if kind not in ENTITIES:
            raise LaunchError(
                f"entity '{kind}' is not supported; supported: {', '.join(ENTITIES)}", where
            )
        if kind == "group" and isinstance(value, yaml.SequenceNode):
            return Entity(kind, where, {"children": self._children(value, kind)})
        return self._build(kind, ENTITIES[kind], value, where)

    def _build(
        self, kind: str, rules: Mapping[str, Attribute], node: yaml.Node, where: Where
    ) -> Entity:
        written = self._mapping(node, f"'{kind}'")
        for name, (place, _) in written.items():
            if name not in rules:
                hint = HINTS.get(name, f"supported: {', '.join(rules)}")
                raise LaunchError(f"'{kind}': attribute '{name}' is not supported; {hint}", place)
        missing = [name for name, rule in rules.items() if rule.is_required and name not in written]
        if missing:
            raise LaunchError(f"'{kind}': attribute '{missing[0]}' is missing", where)
        for names in EXCLUSIVE:
            given = [name for name in names if name in written and name in rules]
            if len(given) > 1:
                raise LaunchError(f"'{kind}': {' and '.join(given)} exclude each other", where)
        type_name = self._python(written["type"][1]) if "type" in written else "yaml"
        attributes = {
            name: self._attribute(f"'{kind}': attribute '{name}'", rules[name], *place, type_name)
            for name, place in written.items()
        }
        if kind == "param" and not {"name", "from"} & set(attributes):
            raise LaunchError("'param': attribute 'name' or 'from' is missing", where)
        if kind.endswith("param") and not {"value", "param", "from"} & set(attributes):
            raise LaunchError(f"'{kind}': attribute 'value' or 'param' is missing", where)
        return Entity(kind, where, attributes)

    def _python(self, node: yaml.Node) -> Any:
        return self._yaml.construct_object(node, deep=True)

    def _attribute(
        self, what: str, rule: Attribute, where: Where, node: yaml.Node, type_name: Any
    ) -> Any:
        if rule.kind is Kind.CHILDREN:
            return self._children(node, "children")
        if rule.kind is Kind.ITEMS and isinstance(node, yaml.SequenceNode) and node.value:
            return tuple(
                self._build(rule.items, ITEMS[rule.items], item, self._where(item))
                for item in node.value
            )
        value = self._python(node)
        match rule.kind, value:
            case Kind.TEXT, str():
                return parse_template(value, where)
            case Kind.LITERAL, str():
                return unescape(value)
            case Kind.FLAG, bool():
                return value
            case Kind.SECONDS, float() if value >= 0.0:
                return value
            case Kind.CHOICE, str() if value in TYPES:
                return value
            case Kind.VALUE, _:
                return parse_value(value, type_name if type_name in TYPES else "yaml", where)
        allowed = ", ".join(TYPES) if rule.kind is Kind.CHOICE else rule.kind.value
        raise LaunchError(f"{what} must be {allowed}; got {value!r}", where)
