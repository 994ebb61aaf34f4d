#!/usr/bin/env python3
"""Builds a TensorRT plan from an ONNX model, on the machine that will run it.

    tools/build_engine.py models/yoloe-26s-seg.onnx --out models

Writes `<model>.engine` and `<model>.manifest.json`; the vocabulary beside the model goes along.
Stop the containers and the desktop first: the builder needs memory. See docs/models.md.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import statistics
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnxruntime
from model_export.builder import Recipe, build_plan
from model_export.preflight import (
    check_folder,
    check_free_memory,
    check_system,
    check_tensorrt,
    l4t_release,
)

from semantic_detection_pkg.detector.backends.model_files import check_model_file
from semantic_detection_pkg.detector.backends.onnx import explain
from semantic_detection_pkg.detector.backends.trt.api import TensorRtBuilding
from semantic_detection_pkg.detector.backends.trt.engine import describe, deserialize
from semantic_detection_pkg.detector.backends.trt.manifest import (
    FileMark,
    Manifest,
    manifest_path,
    write_manifest,
)
from semantic_detection_pkg.detector.backends.trt.plan import read_plan
from semantic_detection_pkg.detector.backends.trt.platform import Platform, find_platform
from semantic_detection_pkg.detector.backends.trt.runner import TensorRtBackend
from semantic_detection_pkg.detector.core.vocabulary import SIDE_FILE_SUFFIX
from semantic_detection_pkg.errors import ModelError, SemanticDetectionError
from semantic_detection_pkg.health.checkup import Machine

_EXIT_USAGE = 2


def main(arguments: list[str] | None = None, machine: Machine | None = None) -> int:
    options = _parse(arguments)
    try:
        build(options, find_platform(), machine or Machine())
    except SemanticDetectionError as error:
        print(f"build_engine: {error}", file=sys.stderr)
        return _EXIT_USAGE
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("onnx", type=Path, help="the model")
    parser.add_argument("--out", type=Path, help="folder; left out: that of the model")
    parser.add_argument("--precision", choices=("fp16", "fp32"), default="fp16")
    parser.add_argument("--workspace", type=int, default=1024, metavar="MB", help="at most")
    parser.add_argument("--timing-cache", type=Path, help="left out: timing.cache in the folder")
    parser.add_argument("--runs", type=int, default=50, help="to time the plan; 0: do not")
    parser.add_argument("--force", action="store_true", help="although memory or L4T are no good")
    options = parser.parse_args(arguments)
    if not 64 <= options.workspace <= 65536:
        parser.error(f"--workspace {options.workspace}: 64 to 65536 are allowed")
    if options.runs < 0:
        parser.error(f"--runs {options.runs}: must be >= 0")
    return options


def build(options: argparse.Namespace, platform: Platform, machine: Machine) -> Path:
    """Check, build, write plan and manifest, time it. Returns the plan's path.

    Raises:
        ConfigurationError: the machine or the options are no good.
        ModelError: the model is.
    """
    folder = options.out or options.onnx.parent
    onnx = _read(options.onnx)
    metadata = _metadata(options.onnx)
    check_tensorrt(platform.tensorrt.__version__)
    check_folder(folder)
    if not options.force:
        check_system(machine)
        check_free_memory(machine, options.workspace)
    recipe = Recipe(
        options.precision, options.workspace, options.timing_cache or folder / "timing.cache"
    )
    print(f"{options.onnx}: builds on {platform.device}, this takes minutes ...", flush=True)
    tensorrt = cast(TensorRtBuilding, platform.tensorrt)
    content = build_plan(tensorrt, onnx, options.onnx.name, recipe)
    path = folder / f"{options.onnx.stem}.engine"
    _write(path, content)
    manifest = _describe(path, options, platform, l4t_release(machine), metadata)
    write_manifest(manifest_path(path), manifest)
    _take_vocabulary(options.onnx, path)
    print(f"{path}: {len(content) / 1e6:.1f} MB, {options.precision}; {manifest_path(path).name}")
    if options.runs:
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


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all; an older plan stays until then."""
    draft = path.with_name(f".{path.name}.tmp")
    draft.write_bytes(content)
    os.replace(draft, path)


def _describe(
    path: Path,
    options: argparse.Namespace,
    platform: Platform,
    l4t: str,
    metadata: dict[str, str],
) -> Manifest:
    plan = read_plan(path)
    runtime, engine = deserialize(platform.tensorrt, plan)
    inputs, outputs = describe(platform.tensorrt, engine, plan.name)
    del engine, runtime  # in this order
    return Manifest(
        plan=FileMark(path.name, plan.size, plan.sha256),
        onnx=_mark(options.onnx),
        tensorrt=platform.tensorrt.__version__,
        device_name=platform.device.name,
        compute_capability=platform.device.compute_capability,
        l4t=l4t,
        precision=options.precision,
        inputs=inputs,
        outputs=outputs,
        metadata=metadata,
    )


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
