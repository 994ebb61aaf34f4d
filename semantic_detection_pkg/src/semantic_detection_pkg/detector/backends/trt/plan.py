"""TensorRT plans as files: raw ones, and those that Ultralytics puts its metadata in front of.

    raw          plan
    Ultralytics  length of the header (int32, little-endian), header (JSON object, UTF-8), plan

A plan begins with (TensorRT's samples/common/sampleEngines.cpp, `printPlanVersion`)

    0   4  "ftrt"
    4   4  version of the serialisation (uint32, little-endian); what follows is known of 0 only
    24  4  TensorRT that built it: major, minor, patch, build, a byte each
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semantic_detection_pkg.errors import ModelError

PLAN_TAG = b"ftrt"
VERSION_AT = 24
BUILD_HINT = "build it on this machine: tools/build_engine.py"
_LENGTH = struct.Struct("<i")
_LONGEST_HEADER = 1 << 20
_SHORTEST_PLAN = VERSION_AT + 4


@dataclass(frozen=True, eq=False)
class Plan:
    """A plan file.

    Attributes:
        name: of the file, without folders.
        plan: what TensorRT takes.
        metadata: of the header; empty for a raw plan.
        version: of the TensorRT that built it, "10.3.0"; "" if it cannot be read from the plan.
        sha256: of the whole file, hexadecimal.
        size: of the whole file [bytes].
    """

    name: str
    plan: bytes
    metadata: Mapping[str, Any]
    version: str
    sha256: str
    size: int


def read_plan(path: Path) -> Plan:
    """Read a plan file.

    Raises:
        ModelError: it cannot be read or is no plan.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"model {path}: {(error.strerror or str(error)).lower()}") from error
    metadata, start = _split(content)
    plan = content[start:] if start else content
    if len(plan) < _SHORTEST_PLAN or not plan.startswith(PLAN_TAG):
        raise ModelError(f"model {path}: is not a TensorRT plan; {BUILD_HINT}")
    digest = hashlib.sha256(content).hexdigest()
    return Plan(path.name, plan, metadata, _version(plan), digest, len(content))


def check_version(plan: Plan, library: str) -> None:
    """Plans run on the version that built them only.

    Args:
        library: `tensorrt.__version__`.

    Raises:
        ModelError: it is another one.
    """
    here = ".".join(library.split(".")[:3])
    if plan.version and plan.version != here:
        raise ModelError(
            f"{plan.name}: is a plan of TensorRT {plan.version}, this machine has {here}; "
            f"{BUILD_HINT}"
        )


def _split(content: bytes) -> tuple[Mapping[str, Any], int]:
    """Metadata and where the plan begins."""
    if len(content) < _LENGTH.size:
        return {}, 0
    (length,) = _LENGTH.unpack_from(content)
    end = _LENGTH.size + length
    if not 0 < length <= _LONGEST_HEADER or end > len(content):
        return {}, 0
    try:
        header = json.loads(content[_LENGTH.size : end])
    except (ValueError, RecursionError):
        return {}, 0
    return (header, end) if isinstance(header, dict) else ({}, 0)


def _version(plan: bytes) -> str:
    (serialisation,) = struct.unpack_from("<I", plan, len(PLAN_TAG))
    if serialisation != 0:
        return ""
    return ".".join(str(part) for part in plan[VERSION_AT : VERSION_AT + 3])
