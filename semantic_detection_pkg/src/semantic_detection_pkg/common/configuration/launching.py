"""From a checked `config.yaml` and the environment to arguments of the launch file.

What the launch file has an argument for becomes one; everything else becomes a parameter file. The
environment wins over the file, and what is typed on the command line wins over both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from semantic_detection_pkg.common.configuration.reading import allowed_of, load_schema
from semantic_detection_pkg.errors import ConfigurationError

#: (node, parameter) that is an argument of robot.launch.yaml, and the argument's name.
ARGUMENTS = {
    ("camera", "source"): "source",
    ("detector", "model"): "model",
    ("detector", "engine"): "engine",
    ("detector", "classifier"): "classifier",
    ("detector", "classes"): "classes",
    ("scan_controller", "classes"): "classes",
    ("scan_controller", "autostart"): "autostart_scan",
    ("recorder", "output_dir"): "output_dir",
    ("dashboard", "output_dir"): "output_dir",
    ("health_monitor", "output_dir"): "output_dir",
    ("scan_controller", "output_dir"): "output_dir",
    ("scan_controller", "resume_policy"): "resume_policy",
    ("dashboard", "port"): "dashboard_port",
    ("gimbal_driver", "gimbal_mode"): "gimbal_mode",
    ("gimbal_driver", "mock_address"): "mock_address",
    ("vehicle", "line"): "vehicle_line",
}
#: Arguments that stand for parameters of several nodes which cannot differ.
_SAME_EVERYWHERE = {"output_dir"}
#: Variables of the environment that set a parameter.
VARIABLES = {
    "GIMBAL_MODE": ("gimbal_driver", "gimbal_mode"),
    "GIMBAL_DEVICE": ("gimbal_driver", "serial_device"),
    "DASHBOARD_HOST": ("dashboard", "host"),
    "INFERENCE_ENGINE": ("detector", "engine"),
}
#: Variables that the launch files read as they are: of one that is empty they make the folder `/`.
READ_BY_LAUNCH = (*VARIABLES, "OUTPUT_DIR", "TIER3_DIR", "XDG_RUNTIME_DIR")
#: Values of the variable ENV, and the launch arguments that each sets.
ENVIRONMENTS: Mapping[str, Mapping[str, str]] = {
    "production": {},
    "development": {"respawn": "false"},  # a node that ends is looked at, not started again
}


@dataclass(frozen=True)
class Launch:
    """How to start the robot.

    Attributes:
        arguments: of robot.launch.yaml, by name.
        parameters: text of a ROS parameter file with the rest; "" for none.
        remarks: one line for each value of the config that does not count.
    """

    arguments: dict[str, str]
    parameters: str
    remarks: tuple[str, ...] = ()


def variable(environment: Mapping[str, str], name: str) -> str:
    """Return a variable without the blanks around it; "" where it is not set, or is blank.

    Files of variables and `${NAME:-}` of a compose file make empty ones of those not given.
    """
    return environment.get(name, "").strip()


def plan_launch(config: Mapping[str, Any], environment: Mapping[str, str]) -> Launch:
    """Return what a checked config and the environment ask for.

    Raises:
        ConfigurationError: a variable's value is not allowed, or nodes do not agree on a value that
            must be the same for them.
    """
    kind = variable(environment, "ENV") or "production"
    if kind not in ENVIRONMENTS:
        raise ConfigurationError(f"variable ENV is {kind!r}, allowed is {', '.join(ENVIRONMENTS)}")
    arguments = dict(ENVIRONMENTS[kind])
    arguments.update({name: _argument(value) for name, value in config.get("launch", {}).items()})
    nodes = {
        node: dict(values)
        for node, values in config.items()
        if node not in ("launch", "classes") and values
    }
    if config.get("classes"):
        nodes.setdefault("detector", {}).setdefault("classes", config["classes"])
    remarks = _take_variables(environment, nodes)
    for argument in dict.fromkeys(ARGUMENTS.values()):
        text = _take_argument(argument, nodes)
        if text:
            arguments[argument] = text
    rest = {
        f"/**/{node}": {"ros__parameters": values}
        for node, values in sorted(nodes.items())
        if values
    }
    return Launch(arguments, yaml.safe_dump(rest, sort_keys=True) if rest else "", remarks)


def _take_variables(
    environment: Mapping[str, str], nodes: dict[str, dict[str, Any]]
) -> tuple[str, ...]:
    """Set what variables say in the nodes' parameters; return what of the config is overruled.

    Raises:
        ConfigurationError: not allowed is the value of a variable; one line for each.
    """
    schema, remarks, mistakes = load_schema(), [], []
    for word, (node, name) in VARIABLES.items():
        if not (value := variable(environment, word)):
            continue
        if allowed := allowed_of(schema["properties"][node]["properties"][name], value):
            mistakes.append(f"variable {word} is {value!r}, allowed is {allowed}")
        before = nodes.setdefault(node, {}).get(name, value)
        if before != value:
            remarks.append(
                f"parameter '{node}.{name}' is {value!r}, as the variable {word} says; "
                f"{before!r} of the config does not count"
            )
        nodes[node][name] = value
    if mistakes:
        raise ConfigurationError("\n".join(mistakes))
    return tuple(remarks)


def _take_argument(argument: str, nodes: dict[str, dict[str, Any]]) -> str:
    """Take out of the nodes' parameters what a launch argument says of all of them.

    Returns:
        Its value; "" where nothing is given, or where nodes differ and keep what is theirs.
    """
    given = {
        (node, name): value
        for (node, name), one in ARGUMENTS.items()
        if one == argument
        and (value := nodes.get(node, {}).get(name)) is not None
        and _argument(value)
    }
    if len({_argument(value) for value in given.values()}) > 1:
        if argument in _SAME_EVERYWHERE:
            said = ", ".join(f"{node}.{name} is {v!r}" for (node, name), v in given.items())
            raise ConfigurationError(f"{said}: the same value is allowed")
        return ""
    for node, name in given:
        del nodes[node][name]
    return next(map(_argument, given.values()), "")


def _argument(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join("'" + str(item).replace("'", "''") + "'" for item in value) + "]"
    return str(value)
