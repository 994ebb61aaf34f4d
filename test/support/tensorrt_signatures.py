"""Prints, as JSON, the classes of the installed TensorRT bindings: a program of its own.

    python tensorrt_signatures.py [FOLDER | MODULE]

The bindings are an extension over libnvinfer, which is gigabytes large. To be imported they need
nine symbols of it, to describe themselves none: so where the library is missing, an empty one
stands in. FOLDER holds `tensorrt_bindings`; without it they are imported from where they are.
MODULE is another one with this interface and its own library, `tensorrt_rtx_bindings`.
"""

from __future__ import annotations

import ctypes
import inspect
import json
import re
import subprocess
import sys
import tempfile
from importlib import import_module, util
from pathlib import Path
from types import ModuleType

_SYMBOLS = (
    "createInferBuilder_INTERNAL",
    "createInferRefitter_INTERNAL",
    "createInferRuntime_INTERNAL",
    "createNvOnnxParserRefitter_INTERNAL",
    "createNvOnnxParser_INTERNAL",
    "getBuilderPluginRegistry",
    "getNvOnnxParserVersion",
    "getPluginRegistry",
    "initLibNvInferPlugins",
)
_LIBRARIES = ("nvinfer", "nvinfer_plugin", "nvonnxparser")


def main() -> None:
    if sys.argv[1:] and not Path(sys.argv[1]).is_dir():
        module = import_module(sys.argv[1])
    else:
        sys.path[:0] = sys.argv[1:]
        module = import_bindings()
    json.dump(describe(module), sys.stdout)


def import_bindings() -> ModuleType:
    """The real `tensorrt` where it is whole, else its bindings over an empty library."""
    try:
        return import_module("tensorrt")
    except ImportError:
        pass
    spec = util.find_spec("tensorrt_bindings")
    assert spec is not None
    assert spec.origin is not None
    binary = (Path(spec.origin).parent / "tensorrt.so").read_bytes()
    needed = re.search(rb"libnvinfer\.so\.(\d+)", binary)
    assert needed is not None
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "empty.c"
        source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in _SYMBOLS))
        for library in _LIBRARIES:
            file = f"lib{library}.so.{needed[1].decode()}"
            path = Path(folder) / file
            command = ["cc", "-shared", "-fPIC", f"-Wl,-soname,{file}", "-o", path, source]
            subprocess.run(command, check=True)
            ctypes.CDLL(str(path), ctypes.RTLD_GLOBAL)
        return import_module("tensorrt_bindings")


def describe(module: ModuleType) -> dict[str, object]:
    """Members of each class: the first paragraph of a method's help, or what else it is."""
    classes = {
        name: {member: _describe(value) for member, value in inspect.getmembers(thing)}
        for name, thing in vars(module).items()
        if isinstance(thing, type)
    }
    functions = {
        name: str(inspect.signature(thing))
        for name, thing in vars(module).items()
        if inspect.isfunction(thing)
    }
    severities = list(module.ILogger.Severity.__members__)
    return {
        "version": module.__version__,
        "classes": classes,
        "functions": functions,
        "severities": severities,
        "log": _log(module),
    }


def _describe(value: object) -> str:
    if isinstance(value, property):
        return "property"
    return (getattr(value, "__doc__", "") or "") if callable(value) else type(value).__name__


def _log(module: ModuleType) -> list[str]:
    """What the product's logger does with an error that the bindings hand over."""
    from semantic_detection_pkg.detector.backends.trt.engine import logger

    log, messages = logger(module)
    module.ILogger.log(log, module.ILogger.Severity.ERROR, "straight")
    log.log(module.ILogger.Severity.ERROR, "an\nerror")
    return list(messages.errors)


if __name__ == "__main__":
    main()
