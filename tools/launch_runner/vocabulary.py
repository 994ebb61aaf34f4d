"""The entities and attributes that launch files may use: those that Humble and Jazzy share.

A table, read by `document`. What is not in it is refused; HINTS says what to write instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What an attribute holds, named as in messages."""

    TEXT = "a string (quote it)"  # may hold substitutions
    LITERAL = "a string without substitutions (quote it)"
    FLAG = "true or false"
    SECONDS = "a number of at least 0.0, written with a point"
    CHOICE = "one of the parameter types"
    VALUE = "a parameter value"
    ITEMS = "a list of mappings, not empty"
    CHILDREN = "a list of entities"


@dataclass(frozen=True)
class Attribute:
    """How one attribute is read; `items` names the table entry of each mapping in ITEMS."""

    kind: Kind = Kind.TEXT
    is_required: bool = False
    items: str = ""


_TEXT = Attribute()
_NEEDED = Attribute(is_required=True)
_CONDITION = {"if": _TEXT, "unless": _TEXT}
_PROCESS = {
    **_CONDITION,
    "name": _TEXT,
    "env": Attribute(Kind.ITEMS, items="env"),
    "output": _TEXT,
    "cwd": _TEXT,
    "respawn": _TEXT,
    "respawn_delay": Attribute(Kind.SECONDS),
    "launch-prefix": _TEXT,
}
_PARAMETER = {
    "name": _TEXT,
    "value": Attribute(Kind.VALUE),
    "type": Attribute(Kind.CHOICE),
    "param": Attribute(Kind.ITEMS, items="nested param"),
}
_NAMED_TEXT = {"name": _NEEDED, "value": _NEEDED}
_NAMESPACE = {**_CONDITION, "namespace": _NEEDED}

ENTITIES: dict[str, dict[str, Attribute]] = {
    "arg": {
        **_CONDITION,
        "name": Attribute(Kind.LITERAL, is_required=True),
        "default": _TEXT,
        "description": Attribute(Kind.LITERAL),
        "choice": Attribute(Kind.ITEMS, items="choice"),
    },
    "let": {**_CONDITION, **_NAMED_TEXT},
    "set_env": {**_CONDITION, **_NAMED_TEXT},
    "node": {
        **_PROCESS,
        "pkg": _NEEDED,
        "exec": _NEEDED,
        "exec_name": _TEXT,
        "namespace": _TEXT,
        "args": _TEXT,
        "ros_args": _TEXT,
        "param": Attribute(Kind.ITEMS, items="param"),
        "remap": Attribute(Kind.ITEMS, items="remap"),
    },
    "executable": {**_PROCESS, "cmd": _NEEDED},
    "include": {**_CONDITION, "file": _NEEDED, "arg": Attribute(Kind.ITEMS, items="include arg")},
    "group": {
        **_CONDITION,
        "scoped": Attribute(Kind.FLAG),
        "children": Attribute(Kind.CHILDREN, is_required=True),
    },
    "push_ros_namespace": _NAMESPACE,
    "push-ros-namespace": _NAMESPACE,
}

ITEMS: dict[str, dict[str, Attribute]] = {
    "choice": {"value": Attribute(Kind.LITERAL, is_required=True)},
    "env": _NAMED_TEXT,
    "include arg": _NAMED_TEXT,
    "remap": {"from": _NEEDED, "to": _NEEDED},
    "param": {**_PARAMETER, "from": _TEXT},
    "nested param": {**_PARAMETER, "name": _NEEDED},
}

# Attributes of which at most one may be given.
EXCLUSIVE = [("if", "unless"), ("value", "param", "from"), ("name", "from"), ("type", "param")]

# Marks a process whose end is the end of the launch, for this runner; an environment variable,
# because Humble's frontend has no attribute for it and both frontends pass it on unread.
REQUIRED_MARK = "LAUNCH_ON_EXIT"
REQUIRED_VALUE = "shutdown"
# Set for files that are read here: what `ros2 launch` needs a Python file for is left out.
RUNNER_MARK = "LAUNCH_RUNNER"

# Tells a node that it is started again after a mistake of the user's, too, at once and for ever, so
# that it waits instead (ros_support_pkg.running). This runner stops trying: it takes the mark away.
RESPAWN_MARK = "LAUNCH_RESPAWNS"

HINTS = {
    "on_exit": f"Humble has no such attribute; set env {REQUIRED_MARK} to {REQUIRED_VALUE}",
    "respawn_max_retries": "Humble has no such attribute",
    "sigterm_timeout": "Humble has no such attribute; use let with this name",
    "sigkill_timeout": "Humble has no such attribute; use let with this name",
    "emulate_tty": "Humble has no such attribute",
}
