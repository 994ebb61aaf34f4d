"""The JSON Schema of the robot's config.yaml, from the nodes' parameter classes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from generated.nodes import NodeEntry
from ros_support_pkg.parameters import ParameterRules, rules_of

_TYPES: dict[Any, dict[str, Any]] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    tuple[str, ...]: {"type": "array", "items": {"type": "string"}},
}
_TEXT = {"type": "string", "x-allowed": "a text"}
_SWITCH = {"type": "boolean", "x-allowed": "true or false"}
#: Arguments of robot.launch.yaml that are no node's parameter.
_LAUNCH = {
    "namespace": {**_TEXT, "description": "one for each robot; empty: none"},
    "gimbal": {**_SWITCH, "description": "false where the camera is fixed"},
    "tier3": {**_SWITCH, "description": "share the GPU with a vision-language model and ask it"},
    "shared_dir": {**_TEXT, "description": "folder shared with the model's container"},
    "output_dir": {**_TEXT, "description": "where the recorder writes"},
    "respawn": {**_SWITCH, "description": "start a node again that ended"},
}


def config_schema(nodes: Sequence[NodeEntry]) -> str:
    """The schema, as JSON text."""
    classes = {
        "type": "array",
        "items": {"type": "string", "minLength": 1},
        "minItems": 1,
        "uniqueItems": True,
        "x-allowed": "a list of different words",
        "description": "what is looked for, in words",
    }
    sections = {
        "classes": classes,
        "launch": _section("how the graph is started", _LAUNCH),
        **{
            node.name: _section(
                node.purpose,
                {
                    name: _property(default, *rule)
                    for (name, rule), default in zip(
                        rules_of(node.parameters_class).items(),
                        dataclasses.asdict(node.parameters_class()).values(),
                        strict=True,
                    )
                },
            )
            for node in nodes
            if node.name != "demo_judge"  # of the demo only
        },
    }
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "config.yaml of a robot",
        "description": "Made by `make docs` from the nodes' parameters.",
        **_section("", sections),
    }
    return json.dumps(schema, indent=1, allow_nan=False) + "\n"


def _section(document: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        **({"description": document} if document else {}),
        "x-allowed": "a section with some of " + ", ".join(properties),
        "additionalProperties": False,
        "properties": properties,
    }


def _property(default: Any, expected_type: Any, rules: ParameterRules) -> dict[str, Any]:
    made = {
        **_TYPES[expected_type],
        "description": rules.document,
        "x-allowed": rules.describe(expected_type),
    }
    if default == default and default not in (float("inf"), float("-inf")):  # JSON has no NaN
        made["default"] = list(default) if isinstance(default, tuple) else default
    if rules.choices:
        made["enum"] = list(rules.choices)
    if rules.minimum is not None and expected_type in (int, float):
        made |= {"minimum": rules.minimum, "maximum": rules.maximum}
    return made
