#!/usr/bin/env python3
"""Builds a TensorRT plan from an ONNX model: for this machine, or by TensorRT for RTX for any card.

    python tools/build_engine.py models/yoloe-26s-seg.onnx --out models

With TensorRT for RTX the plan runs on every card that it supports, and may be built without one.

Writes `<model>.engine` and `<model>.manifest.json`; the vocabulary beside the model goes along.
Stop the containers and the desktop first: the builder needs memory. See docs/models.md.
"""

from __future__ import annotations

import own_sources  # noqa: F401 - before what it makes importable

# isort: split

import argparse
import hashlib
import os
import shutil
import statistics
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime
from model_export.builder import BuiltPlan, Recipe, build_plan, check_capability
from model_export.preflight import (
    check_folder,
    check_free_memory,
    check_system,
    check_targets,
    check_tensorrt,
    l4t_release,
)

from semantic_detection_pkg.detector.backends.model_files import check_model_file
from semantic_detection_pkg.detector.backends.onnx import explain
from semantic_detection_pkg.detector.backends.trt.api import TensorRt, TensorRtBuilding
from semantic_detection_pkg.detector.backends.trt.cuda import Device
from semantic_detection_pkg.detector.backends.trt.engine import describe, deserialize
from semantic_detection_pkg.detector.backends.trt.families import (
    FAMILIES,
    RTX,
    family_of,
    title,
)
from semantic_detection_pkg.detector.backends.trt.manifest import (
    ANY_CAPABILITY,
    FileMark,
    Manifest,
    manifest_path,
    write_manifest,
)
from semantic_detection_pkg.detector.backends.trt.plan import Plan, read_plan
from semantic_detection_pkg.detector.backends.trt.platform import (
    Platform,
    bare,
    find_library,
    find_platform,
)
from semantic_detection_pkg.detector.backends.trt.runner import TensorRtBackend
from semantic_detection_pkg.detector.core.class_names import literal
from semantic_detection_pkg.detector.core.model_layout import TensorSpec
from semantic_detection_pkg.detector.core.vocabulary import SIDE_FILE_SUFFIX
from semantic_detection_pkg.errors import ConfigurationError, ModelError, SemanticDetectionError
from semantic_detection_pkg.health.checkup import Machine

_EXIT_USAGE = 2
_LONGEST_PX = 100_000
_Tensors = tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]


def main(arguments: list[str] | None = None, machine: Machine | None = None) -> int:
    options = _parse(arguments)
    try:
        tensorrt, platform, untried = find_builder(options.library)
        path = build(options, tensorrt, platform, machine or Machine())
        if untried:
            print(f"{path}: not tried: {untried}")
    except SemanticDetectionError as error:
        print(f"build_engine: {error}", file=sys.stderr)
        return _EXIT_USAGE
    except OSError as error:  # a disk that is full, say
        reason = (error.strerror or str(error)).lower()
        print(f"build_engine: {error.filename or 'a file'}: {reason}", file=sys.stderr)
        return _EXIT_USAGE
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("onnx", type=Path, help="the model")
    parser.add_argument("--out", type=Path, help="folder; left out: that of the model")
    parser.add_argument("--precision", choices=("fp16", "fp32"), default="fp16")
    parser.add_argument("--workspace", type=int, default=1024, metavar="MB", help="at most")
    parser.add_argument(
        "--batch",
        type=int,
        default=0,
        help="pictures of one inference, for tiles; 0: one, or as many as the model has",
    )
    parser.add_argument(
        "--library",
        choices=[family.key for family in FAMILIES],
        help="left out: TensorRT where it is there, else TensorRT for RTX",
    )
    parser.add_argument(
        "--compute-capability",
        default="",
        metavar="X.Y",
        help="of the cards that the plan is for, TensorRT for RTX only; left out: all it supports",
    )
    parser.add_argument("--timing-cache", type=Path, help="left out: timing.cache in the folder")
    parser.add_argument("--runs", type=int, default=50, help="to time the plan; 0: do not")
    parser.add_argument("--force", action="store_true", help="although memory or L4T are no good")
    options = parser.parse_args(arguments)
    if not 64 <= options.workspace <= 65536:
        parser.error(f"--workspace {options.workspace}: 64 to 65536 are allowed")
    if not 0 <= options.batch <= 64:
        parser.error(f"--batch {options.batch}: 0 to 64 are allowed")
    if options.runs < 0:
        parser.error(f"--runs {options.runs}: must be >= 0")
    return options


def find_builder(key: str | None) -> tuple[TensorRt, Platform | None, str]:
    """Return the library, the platform to try its plans on, and why there is none.

    Args:
        key: `Family.key` of the library that it must be; None: what is there.

    Raises:
        ConfigurationError: there is no such library, or it is TensorRT and there is no GPU.
    """
    untried = ""
    wanted = next((family for family in FAMILIES if family.key == key), None)
    try:
        platform: Platform | None = find_platform(wanted)
    except ConfigurationError as error:
        platform, tensorrt = None, find_library(wanted)
        if family_of(tensorrt) is not RTX:
            raise
        untried = bare(error)
    else:
        assert platform is not None
        tensorrt = platform.tensorrt
    if wanted not in (None, family_of(tensorrt)):
        raise ConfigurationError(
            f"--library {key}: this machine has {title(tensorrt)} only; {wanted.remedy}"
        )
    return tensorrt, platform, untried


def build(
    options: argparse.Namespace, tensorrt: TensorRt, platform: Platform | None, machine: Machine
) -> Path:
    """Check, build, write plan and manifest, time it. Returns the plan's path.

    Args:
        platform: where the plan is tried; None: there is no GPU.

    Raises:
        ConfigurationError: the machine or the options are no good.
        ModelError: the model is.
    """
    folder = options.out or options.onnx.parent
    onnx = _read(options.onnx)
    metadata = _metadata(options.onnx)
    check_tensorrt(tensorrt)
    check_capability(tensorrt, options.compute_capability)
    check_folder(folder)
    path = folder / f"{options.onnx.stem}.engine"
    timing_cache = options.timing_cache or folder / "timing.cache"
    check_targets(options.onnx, (path, manifest_path(path), timing_cache))
    if not options.force:
        check_system(machine)
        check_free_memory(machine, options.workspace)
    recipe = Recipe(
        options.precision,
        options.workspace,
        timing_cache,
        options.batch,
        _size(options.onnx.name, metadata),
        options.compute_capability,
    )
    target = _target(tensorrt, platform, options.compute_capability)
    print(f"{options.onnx}: {title(tensorrt)} builds for {target} ...", flush=True)
    built = build_plan(cast(TensorRtBuilding, tensorrt), onnx, options.onnx, recipe)
    plan, (inputs, outputs) = _put(path, built, platform)
    manifest = Manifest(
        plan=FileMark(plan.name, plan.size, plan.sha256),
        onnx=_mark(options.onnx),
        library=plan.family.key,
        tensorrt=tensorrt.__version__,
        device_name=target.name,
        compute_capability=target.compute_capability,
        l4t=l4t_release(machine),
        precision=options.precision,
        inputs=inputs,
        outputs=outputs,
        metadata=metadata,
    )
    write_manifest(manifest_path(path), manifest)
    _take_vocabulary(options.onnx, path)
    size_mb = len(built.content) / 1e6
    print(f"{path}: {size_mb:.1f} MB, {options.precision}; {manifest_path(path).name}")
    if platform is not None and options.runs:
        print(f"{path}: {_time(path, platform, options.runs)}")
    return path


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"model {path}: {(error.strerror or str(error)).lower()}") from error


def _metadata(path: Path) -> dict[str, str]:
    """Of the ONNX file: names, size, layout."""
    check_model_file(path, "onnxruntime")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(
            str(path), sess_options=options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its classes have no common base but Exception
        raise ModelError(f"model {path}: {explain(error)}") from error
    return dict(session.get_modelmeta().custom_metadata_map)


def _size(name: str, metadata: dict[str, str]) -> tuple[int, int] | None:
    """(height, width) that the model was exported for; None: nobody says."""
    size = literal(name, metadata, "imgsz")
    sizes = [size, size] if isinstance(size, int) else size
    if not isinstance(sizes, (list, tuple)) or len(sizes) != 2:
        return None
    height, width = sizes
    is_size = all(isinstance(n, int) and 0 < n <= _LONGEST_PX for n in sizes)
    return (height, width) if is_size else None


def _target(tensorrt: TensorRt, platform: Platform | None, capability: str) -> Device:
    """What the plan is for: this GPU, or with TensorRT for RTX a kind of them."""
    if family_of(tensorrt) is RTX or platform is None:
        return Device("", capability or ANY_CAPABILITY, is_integrated=False)
    return platform.device


def _put(path: Path, built: BuiltPlan, platform: Platform | None) -> tuple[Plan, _Tensors]:
    """Write the plan; an older one stays until this one is known to be good.

    Raises:
        ModelError: the library does not take it on this GPU.
    """
    draft = path.with_name(f".{path.name}.tmp")
    draft.write_bytes(built.content)
    try:
        plan = replace(read_plan(draft), name=path.name)
        tensors = _tensors(built, plan, platform)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return plan, tensors


def _tensors(built: BuiltPlan, plan: Plan, platform: Platform | None) -> _Tensors:
    """Inputs and outputs as the engine has them; where none can run here, as the network has."""
    if platform is None:
        return built.inputs, built.outputs
    runtime, engine = deserialize(platform.tensorrt, plan)
    tensors = describe(platform.tensorrt, engine, plan.name)
    del engine, runtime  # in this order
    return tensors


def _mark(path: Path) -> FileMark:
    content = path.read_bytes()
    return FileMark(path.name, len(content), hashlib.sha256(content).hexdigest())


def _take_vocabulary(onnx: Path, plan: Path) -> None:
    source = onnx.with_name(onnx.stem + SIDE_FILE_SUFFIX)
    target = plan.with_name(plan.stem + SIDE_FILE_SUFFIX)
    if source.is_file() and source.resolve() != target.resolve():
        shutil.copyfile(source, target)


def _time(path: Path, platform: Platform, runs: int) -> str:
    """Median of each stage, and of the whole call, on noise; the first runs do not count."""
    backend = TensorRtBackend(path, platform)
    try:
        random = np.random.default_rng(0)
        inputs: dict[str, Any] = {}
        for spec in backend.inputs:
            shape = tuple(length or 0 for length in spec.shape)
            inputs[spec.name] = backend.allocate(shape, spec.dtype)
            inputs[spec.name][:] = random.random(shape)
        times = []
        for _ in range(3 + runs):
            backend.infer(inputs)
            times.append(backend.stage_times())
        medians = [
            f"{name} {statistics.median(getattr(one, name) for one in times[3:]):.2f}"
            for name in ("upload", "compute", "download")
        ]
        graph = "with" if backend.is_graph_used else "without"
        return f"{', '.join(medians)} ms (median of {runs}, {graph} CUDA graph, {backend.device})"
    finally:
        backend.close()


if __name__ == "__main__":
    sys.exit(main())
