"""What is there: the card, its driver, and each library that could use it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from importlib import import_module

from gpu_check.steps import NotPossible, Row
from semantic_detection_pkg.detector.backends.trt.platform import survey


def look() -> Sequence[Row]:
    """Name all that is found; what is not, with its reason."""
    looks: tuple[tuple[str, Callable[[], str]], ...] = (
        ("driver", _driver),
        ("pytorch", _torch),
        ("onnxruntime", _onnxruntime),
    )
    rows = [Row(name, _or_why(find)) for name, find in looks]
    found, missing = survey()
    rows += [Row("found", text) for text in found]
    rows += [Row("missing", text) for text in missing]
    return rows


def _or_why(find: Callable[[], str]) -> str:
    try:
        return find()
    except NotPossible as error:
        return f"no: {error}"
    except Exception as error:  # libraries fail in any way where a driver is missing
        return f"no: {type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _driver() -> str:
    program = shutil.which("nvidia-smi")
    if program is None:
        raise NotPossible("there is no nvidia-smi")
    query = "name,driver_version,memory.total,compute_cap"
    command = [program, f"--query-gpu={query}", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    if done.returncode:
        raise NotPossible(" ".join((done.stdout + done.stderr).split())[:200])
    return done.stdout.strip().splitlines()[0]


def _torch() -> str:
    torch = import_module("torch")
    if not torch.cuda.is_available():
        raise NotPossible(f"PyTorch {torch.__version__} sees no CUDA")
    square = torch.ones(64, 64, device="cuda")
    if float((square @ square).sum().cpu()) != 64.0**3:
        raise NotPossible(f"PyTorch {torch.__version__} computes wrongly")
    return f"PyTorch {torch.__version__}, CUDA {torch.version.cuda}"


def _onnxruntime() -> str:
    module = import_module("onnxruntime")
    return f"ONNX Runtime {module.__version__}: {', '.join(module.get_available_providers())}"
