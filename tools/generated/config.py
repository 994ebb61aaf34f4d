"""config/<node>.param.yaml: every parameter with its default, from the parameter classes."""

from __future__ import annotations

import dataclasses
import textwrap
from typing import Any

import yaml

from generated.nodes import NodeEntry
from ros_support_pkg.parameters import rules_of

_WIDTH = 100


def parameter_file(node: NodeEntry) -> str:
    """The complete parameter file of a node."""
    lines = [
        f"# Defaults of the node {node.name}. Made by `make docs` from {node.parameters};",
        "# copy it to change it. `/**` matches the node in any namespace.",
        "/**:",
        "  ros__parameters:",
    ]
    defaults = dataclasses.asdict(node.parameters_class())
    for name, (expected_type, rules) in rules_of(node.parameters_class).items():
        comment = f"{rules.document} ({rules.describe(expected_type)})"
        if rules.is_runtime:
            comment += "; can be changed while it runs"
        lines += textwrap.wrap(
            comment, _WIDTH, initial_indent="    # ", subsequent_indent="    #   "
        )
        lines.append(f"    {name}: {_yaml_value(defaults[name])}")
    return "\n".join(lines) + "\n"


def _yaml_value(value: Any) -> str:
    if isinstance(value, tuple):
        value = list(value) or [""]
    return (
        yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("\n...\n").strip()
    )
