"""What uses TensorRT is type-checked against the module that NVIDIA publishes.

mypy checks runner, engine and builder with the classes of `backends/trt/api.py` replaced by the
real ones, whose signatures stubgen reads out of the module's own help.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_tensorrt_contract import CLASSES, CLASSES_OF_RTX

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "semantic_detection_pkg/src/semantic_detection_pkg/detector/backends/trt"
USERS = (FOLDER, ROOT / "tools/model_export", ROOT / "tools/build_engine.py")

#: What the help of a compiled module does not say, or stubgen cannot: pattern -> instead.
_UNSAID = {
    # The names of data types hide those of Python.
    r"^bool: DataType\n": "",
    # A parameter that has to be named may follow those with defaults.
    r"(= \.\.\., \w+: [\w.]+)(\) ->)": r"\1 = ...\2",
    # Lists and tuples become shapes by themselves; shapes are sequences.
    r"(\w+): Dims(?=[,) ])": r"\1: Dims | tuple[Any, ...] | list[Any]",
    r"^    shape: Dims$": "    shape: collections.abc.Sequence[int]",
    r"^class Dims:": "class Dims(collections.abc.Sequence[int]):",
    # Memory of the host is a buffer.
    r"^class IHostMemory:\n": "class IHostMemory:\n    def __bytes__(self) -> bytes: ...\n",
}


@pytest.fixture(scope="module")
def stubs(tensorrt_rtx, tmp_path_factory) -> Path:
    """The signatures of the real module, as stubs."""
    folder = tmp_path_factory.mktemp("stubs")
    program = "from mypy.stubgen import main; main()"  # compiled: -m does not run it
    command = [sys.executable, "-c", program, "--inspect-mode", "--quiet"]
    command += ["-p", tensorrt_rtx.__name__, "-o", str(folder)]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    path = folder / tensorrt_rtx.__name__ / "tensorrt_rtx.pyi"
    text = path.read_text()
    for pattern, instead in _UNSAID.items():
        text, count = re.subn(pattern, instead, text, flags=re.MULTILINE)
        assert count, f"{pattern} is not needed any more"
    path.write_text(text)
    return folder


@pytest.fixture(scope="module")
def real_api(stubs) -> Path:
    """`api.py` with NVIDIA's own classes for ours."""
    text = (FOLDER / "api.py").read_text()
    names = {ours.__name__: theirs for ours, theirs in (CLASSES | CLASSES_OF_RTX).items()}
    for ours, theirs in names.items():
        body = rf"^class {ours}\(.*\):\n(?:[ \t].*\n|\n)+?(?=^\w|\Z)"
        text, count = re.subn(body, f"{ours} = _rtx.{theirs}\n\n\n", text, flags=re.MULTILINE)
        assert count == 1, ours
    first = "from typing import Any, Protocol\n"
    assert first in text
    more = "from tensorrt_rtx_bindings import tensorrt_rtx as _rtx\n"
    path = stubs / "real_api.py"
    path.write_text(text.replace(first, first + more))
    return path


def check(stubs: Path, real_api: Path, *files: Path) -> list[str]:
    """Return what mypy says of these files, the stubs' own faults left out."""
    command = [sys.executable, "-m", "mypy", "--no-warn-redundant-casts"]
    command += ["--cache-dir", str(stubs / "cache"), "--shadow-file", str(FOLDER / "api.py")]
    command += [str(real_api), *map(str, files)]
    path = f"{stubs}:{ROOT / 'tools'}"
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env={"MYPYPATH": path, "PATH": ""}
    )
    lines = done.stdout.splitlines()
    assert "checked" in lines[-1], done.stdout + done.stderr
    return [line for line in lines[:-1] if stubs.name not in line.split(":")[0]]


@pytest.mark.long
def test_what_uses_tensorrt_has_the_types_of_the_real_module(stubs, real_api):
    assert check(stubs, real_api, *USERS) == []


def test_a_call_that_the_real_module_does_not_take_is_found(stubs, real_api, tmp_path):
    path = tmp_path / "wrong_calls.py"
    path.write_text(
        "from semantic_detection_pkg.detector.backends.trt import api\n\n\n"
        "def wrong(engine: api.Engine, context: api.ExecutionContext) -> str:\n"
        '    engine.get_tensor_shape("images", 3)\n'
        '    context.set_tensor_address(memory="images", name=1)\n'
        "    return engine.num_io_tensors\n"
    )
    said = "\n".join(check(stubs, real_api, path))
    for number in (5, 6, 7):
        assert f":{number}: error: " in said, said
