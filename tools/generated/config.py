"""config/<node>.param.yaml: every parameter with its default, from the nodes' settings."""

from __future__ import annotations

import textwrap
from typing import Any

import yaml

from generated.nodes import NodeEntry
from ros_support_pkg.core.settings import settings_of

_WIDTH = 100


def parameter_file(node: NodeEntry) -> str:
    """The complete parameter file of a node."""
    lines = [
        f"# Defaults of the node {node.name}. Made by `make docs` from {node.settings};",
        "# copy it to change it. `/**` matches the node in any namespace.",
        "/**:",
        "  ros__parameters:",
    ]
    for name, one in settings_of(node.settings_class).items():
        comment = f"{one.document} ({one.allowed})"
        if one.rules.is_runtime:
            comment += "; can be changed while it runs"
        lines += textwrap.wrap(
            comment, _WIDTH, initial_indent="    # ", subsequent_indent="    #   "
        )
        lines.append(f"    {name}: {_yaml_value(one.default)}")
    return "\n".join(lines) + "\n"


def _yaml_value(value: Any) -> str:
    if isinstance(value, tuple):
        value = list(value) or [""]
    return (
        yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("\n...\n").strip()
    )
