"""Reads a YAML file and checks it against a JSON Schema; every mistake is one line with its place.

The schema's own keys: `x-allowed` says in words what a value may be, `x-renamed` which keys have
another name now.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from ros_support_pkg.core.renamed import refusal
from semantic_detection_pkg.errors import ConfigurationError

Path = tuple[str | int, ...]


def load_schema() -> dict[str, Any]:
    """Load the schema of `config.yaml`, which is generated from the nodes' parameters."""
    text = files(__package__).joinpath("config.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def read_config(text: str, schema: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Read the document in a text.

    Args:
        text: YAML.
        schema: what it must be like.
        name: of the file, for messages.

    Raises:
        ConfigurationError: it is no YAML, or breaks the schema; one line for each mistake.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigurationError(f"{name}:{line}: no YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigurationError(f"{name}:1: no YAML: {' '.join(str(error).split())}") from None
    if document is None:
        return {}
    lines = dict(_lines(root, ()))
    mistakes = {(line, f"key {key!r} is given twice") for line, key in _twice(root)}
    for broken in Draft202012Validator(schema).iter_errors(document):
        mistakes |= {(lines.get(path, 1), words) for path, words in _explained(broken)}
    if mistakes:
        raise ConfigurationError(
            "\n".join(f"{name}:{line}: {words}" for line, words in sorted(mistakes))
        )
    return {
        key: _with_decimals(value, schema["properties"][key]) for key, value in document.items()
    }


def allowed_of(schema: Mapping[str, Any], value: Any) -> str:
    """Return in words what one value may be, where this one may not; "" where it may.

    Args:
        schema: of the value alone.
    """
    if Draft202012Validator(schema).is_valid(value):
        return ""
    return str(schema.get("x-allowed", schema.get("type", "another")))


def _with_decimals(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return whole numbers as decimals where those are wanted: ROS tells them apart."""
    if isinstance(value, dict):
        return {k: _with_decimals(v, schema["properties"][k]) for k, v in value.items()}
    return float(value) if schema.get("type") == "number" else value


def _lines(node: yaml.Node | None, path: Path) -> Iterator[tuple[Path, int]]:
    """Return the line of every value's key, counted from 1."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            here = (*path, key.value)
            yield here, key.start_mark.line + 1
            yield from _lines(value, here)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            here = (*path, index)
            yield here, value.start_mark.line + 1
            yield from _lines(value, here)


def _twice(node: yaml.Node | None) -> Iterator[tuple[int, str]]:
    """Return keys that come again in one mapping: YAML's readers take the last, without a word."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield key.start_mark.line + 1, key.value
            seen.add(key.value)
            yield from _twice(value)


def _explained(error: ValidationError) -> Iterator[tuple[Path, str]]:
    """Return where and what: an unknown key is named at its own line, with the known ones."""
    path = tuple(error.absolute_path)
    name = ".".join(str(part) for part in path) or "the file"
    if error.validator == "additionalProperties":
        known, renamed = error.schema.get("properties", {}), error.schema.get("x-renamed", {})
        for key in sorted(set(error.instance) - set(known), key=str):
            allowed = ", ".join(sorted(known))
            here = (*path, key)
            text = refusal(renamed[key]) if key in renamed else f"is unknown, allowed are {allowed}"
            yield here, f"{'.'.join(map(str, here))} {text}"
        return
    # Items of a list have no words of their own.
    of_items = "a text" if error.schema.get("type") == "string" else error.message
    allowed = error.schema.get("x-allowed", of_items)
    yield path, f"{name} is {_short(error.instance)}, allowed is {allowed}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
