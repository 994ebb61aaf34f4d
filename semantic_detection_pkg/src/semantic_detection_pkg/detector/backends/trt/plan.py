"""TensorRT plans as files: raw ones, and those that Ultralytics puts its metadata in front of.

    raw          plan
    Ultralytics  length of the header (int32, little-endian), header (JSON object, UTF-8), plan

A plan begins with (TensorRT's samples/common/sampleEngines.cpp, `printPlanVersion`)

    0   4  "ftrt"; "vtrt" of TensorRT for RTX
    4   4  version of the serialisation (uint32, little-endian); what follows is known of 0 only
    24  4  library that built it: major, minor, patch, build, a byte each
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semantic_detection_pkg.detector.backends.trt.api import TensorRt
from semantic_detection_pkg.detector.backends.trt.families import (
    TAG_LENGTH,
    Family,
    family_of,
    family_of_plan,
    title,
    version,
)
from semantic_detection_pkg.errors import ModelError

VERSION_AT = 24
BUILD_HINT = "build it on this machine: python tools/build_engine.py"
_LENGTH = struct.Struct("<i")
_LONGEST_HEADER = 1 << 20
_SHORTEST_PLAN = VERSION_AT + 4


@dataclass(frozen=True, eq=False)
class Plan:
    """A plan file.

    Attributes:
        name: of the file, without folders.
        plan: what TensorRT takes.
        family: whose plan it is.
        metadata: of the header; empty for a raw plan.
        version: of the library that built it, "10.3.0"; "" if it cannot be read from the plan.
        sha256: of the whole file, hexadecimal.
        size: of the whole file [bytes].
    """

    name: str
    plan: bytes
    family: Family
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
    family = family_of_plan(plan)
    if len(plan) < _SHORTEST_PLAN or family is None:
        raise ModelError(f"model {path}: is not a TensorRT plan; {BUILD_HINT}")
    digest = hashlib.sha256(content).hexdigest()
    return Plan(path.name, plan, family, metadata, _version(plan), digest, len(content))


def family_of_file(path: Path) -> Family | None:
    """Return whose plan a file is; None: it is none, as `read_plan` will say."""
    try:
        with path.open("rb") as file:
            head = file.read(_LENGTH.size + _LONGEST_HEADER + TAG_LENGTH)
    except OSError:
        return None
    return family_of_plan(head[_split(head)[1] :])


def check_library(plan: Plan, tensorrt: TensorRt) -> None:
    """Check that the library is the one that built the plan: no other runs it.

    Raises:
        ModelError: it is of the other family, or of another version.
    """
    is_family = plan.family is family_of(tensorrt)
    if is_family and plan.version in ("", version(tensorrt)):
        return
    built_by = f"{plan.family.title} {plan.version}".strip()
    here = version(tensorrt) if is_family else title(tensorrt)
    raise ModelError(f"{plan.name}: is a plan of {built_by}, this machine has {here}; {BUILD_HINT}")


def _split(content: bytes) -> tuple[Mapping[str, Any], int]:
    """Return the metadata, and where the plan begins."""
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
    (serialisation,) = struct.unpack_from("<I", plan, TAG_LENGTH)
    if serialisation != 0:
        return ""
    return ".".join(str(part) for part in plan[VERSION_AT : VERSION_AT + 3])
