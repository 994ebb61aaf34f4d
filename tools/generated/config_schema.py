"""The JSON Schema of the robot's config.yaml, from the nodes' settings."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from generated.nodes import NodeEntry
from ros_support_pkg.core.renamed import RENAMED_ARGUMENTS
from ros_support_pkg.core.settings import Setting, renamed_in, settings_of

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
    "vlm": {**_SWITCH, "description": "share the GPU with a vision-language model and ask it"},
    "shared_dir": {**_TEXT, "description": "folder shared with the model's container"},
    "output_dir": {**_TEXT, "description": "where the recorder writes"},
    "processes": {
        "type": "string",
        "enum": ["each", "few", "one"],
        "x-allowed": "each, few, one",
        "description": "each: a process for every node; few: the light ones share one; one: all do",
    },
    "respawn": {**_SWITCH, "description": "start a node again that ended"},
    "tak": {**_SWITCH, "description": "tell teams with TAK what is found"},
    "vehicle": {**_SWITCH, "description": "ask the autopilot where the robot is, by MAVLink"},
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
        "launch": _section("how the graph is started", _LAUNCH, RENAMED_ARGUMENTS),
        **{
            node.name: _section(
                node.purpose,
                {name: _property(one) for name, one in settings_of(node.settings_class).items()},
                renamed_in(settings_of(node.settings_class).values()),
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


def _section(
    document: str, properties: dict[str, Any], renamed: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    return {
        "type": "object",
        **({"description": document} if document else {}),
        "x-allowed": "a section with some of " + ", ".join(properties),
        "additionalProperties": False,
        "properties": properties,
        **({"x-renamed": dict(renamed)} if renamed else {}),
    }


def _property(one: Setting) -> dict[str, Any]:
    rules, default = one.rules, one.default
    made = {
        **_TYPES[one.shown_kind],
        "description": one.document,
        "x-allowed": one.allowed,
    }
    if default == default and default not in (float("inf"), float("-inf")):  # JSON has no NaN
        made["default"] = list(default) if isinstance(default, tuple) else default
    if rules.choices:
        made["enum"] = list(rules.choices)
    if rules.minimum is not None and one.kind in (int, float):
        made |= {"minimum": rules.minimum, "maximum": rules.maximum}
    return made
