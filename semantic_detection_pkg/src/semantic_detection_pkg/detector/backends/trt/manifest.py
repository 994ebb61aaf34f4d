"""The manifest beside a plan: what it was built from, with what, for which machine.

`tools/build_engine.py` writes `<model>.manifest.json` beside `<model>.engine`; whoever loads the
plan checks it. A plan without a manifest loads too, with less to check.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jsonschema

from semantic_detection_pkg.detector.backends.schema_reason import schema_reason
from semantic_detection_pkg.detector.backends.trt.cuda import Device
from semantic_detection_pkg.detector.backends.trt.families import FAMILIES, TENSORRT
from semantic_detection_pkg.detector.backends.trt.plan import BUILD_HINT, Plan
from semantic_detection_pkg.detector.core.model_layout import TensorSpec
from semantic_detection_pkg.errors import ConfigurationError, ModelError

MANIFEST_SUFFIX = ".manifest.json"
FORMAT = 1
ANY_CAPABILITY = "any"


@dataclass(frozen=True)
class FileMark:
    """A file as it was: name without folders, length [bytes], SHA-256 in hexadecimal."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What is known of a plan.

    Attributes:
        plan, onnx: the plan, and the model that it was built from.
        library: `Family.key` of what built it.
        tensorrt: version of that, "10.3.0".
        device_name, compute_capability: GPU that it was built on and runs on. A name of "" is any
            GPU of this capability, a capability of "any" any that the library supports.
        l4t: release of Jetson Linux it was built on, "36.4.7"; "": not on a Jetson.
        precision: "fp16" or "fp32".
        inputs, outputs: tensors of the engine.
        metadata: of the ONNX file: texts of Python literals.
    """

    plan: FileMark
    onnx: FileMark
    tensorrt: str
    device_name: str
    compute_capability: str
    l4t: str
    precision: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    metadata: Mapping[str, str]
    library: str = TENSORRT.key


def manifest_path(plan: Path) -> Path:
    """Return where the manifest of a plan is."""
    return plan.with_name(plan.stem + MANIFEST_SUFFIX)


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write it; OSError as of any file."""
    document = {"format": FORMAT, **asdict(manifest)}
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def read_manifest(path: Path) -> Manifest | None:
    """Read it; None: there is none.

    Raises:
        ConfigurationError: it cannot be read or has another form.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"manifest {path}: {(error.strerror or '').lower()}") from error
    except (ValueError, RecursionError):
        raise ConfigurationError(
            f"manifest {path}: is not JSON; delete it or build again: python tools/build_engine.py"
        ) from None
    problem = jsonschema.exceptions.best_match(_VALIDATOR.iter_errors(document))
    if problem is not None:
        where = problem.json_path.removeprefix("$.").removeprefix("$") or "document"
        raise ConfigurationError(f"manifest {path}: {where}: {schema_reason(problem)}")
    return Manifest(
        plan=FileMark(**document["plan"]),
        onnx=FileMark(**document["onnx"]),
        inputs=_tensors(document["inputs"]),
        outputs=_tensors(document["outputs"]),
        **{key: document[key] for key in _TEXTS},
        metadata=document["metadata"],
        library=document.get("library", TENSORRT.key),
    )


def check_file(manifest: Manifest, plan: Plan) -> None:
    """Check that this is the file that was built.

    Raises:
        ModelError: it is not.
    """
    wanted = manifest.plan
    if plan.size != wanted.size:
        raise ModelError(
            f"{plan.name}: has {plan.size} bytes, its manifest says {wanted.size}: it was cut off "
            f"or replaced; copy it again, or {BUILD_HINT}"
        )
    if plan.sha256 != wanted.sha256:
        raise ModelError(
            f"{plan.name}: its SHA-256 {plan.sha256[:12]}... is not the manifest's "
            f"{wanted.sha256[:12]}...: it was changed after it was built; do not use it, "
            f"{BUILD_HINT}"
        )


def check_machine(manifest: Manifest, name: str, device: Device) -> None:
    """Check that it was built for this GPU; for its TensorRT see `plan.check_version`.

    Raises:
        ModelError: it was not.
    """
    is_capability = manifest.compute_capability in (ANY_CAPABILITY, device.compute_capability)
    if not is_capability or manifest.device_name not in ("", device.name):
        built_on = Device(manifest.device_name, manifest.compute_capability, device.is_integrated)
        was_built = "was built on" if manifest.device_name else "was built for"
        raise ModelError(f"{name}: {was_built} {built_on}, this is {device}; {BUILD_HINT}")


def check_tensors(
    manifest: Manifest, name: str, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
) -> None:
    """Check that the engine has the tensors that the manifest names, in whatever order.

    Raises:
        ModelError: it does not.
    """
    for kind, wanted, found in (
        ("inputs", manifest.inputs, inputs),
        ("outputs", manifest.outputs, outputs),
    ):
        if set(wanted) != set(found):
            listed = ", ".join(str(spec) for spec in found)
            expected = ", ".join(str(spec) for spec in wanted)
            raise ModelError(
                f"{name}: its {kind} are {listed}; its manifest says {expected}; {BUILD_HINT}"
            )


def _tensors(documents: Sequence[Mapping[str, Any]]) -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(value["name"], tuple(value["shape"]), value["dtype"]) for value in documents
    )


_TEXTS = ("tensorrt", "device_name", "compute_capability", "l4t", "precision")
_TEXT = {"type": "string"}
_FILE = {
    "type": "object",
    "required": ["name", "size", "sha256"],
    "additionalProperties": False,
    "properties": {
        "name": _TEXT,
        "size": {"type": "integer", "minimum": 0, "maximum": 1 << 62},
        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    },
}
_TENSORS = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["name", "shape", "dtype"],
        "additionalProperties": False,
        "properties": {
            "name": _TEXT,
            "shape": {
                "type": "array",
                "items": {"type": "integer", "minimum": 1, "maximum": 1 << 62},
            },
            "dtype": _TEXT,
        },
    },
}
_VALIDATOR = jsonschema.Draft202012Validator(
    {
        "type": "object",
        "required": ["format", "plan", "onnx", *_TEXTS, "inputs", "outputs", "metadata"],
        "additionalProperties": False,
        "properties": {
            "format": {"const": FORMAT},
            "plan": _FILE,
            "onnx": _FILE,
            **dict.fromkeys(_TEXTS, _TEXT),
            "precision": {"enum": ["fp16", "fp32"]},
            "library": {"enum": [family.key for family in FAMILIES]},
            "inputs": _TENSORS,
            "outputs": _TENSORS,
            "metadata": {"type": "object", "additionalProperties": _TEXT},
        },
    }
)
