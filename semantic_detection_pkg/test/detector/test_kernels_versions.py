"""Which kernels run, and what one frame costs in memory once the buffers are there."""

import importlib.util
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from kernel_versions import compiled, needs_compiled

from semantic_detection_pkg.common.kernels import versions
from semantic_detection_pkg.detector import kernels
from semantic_detection_pkg.detector.core.letterbox import Letterbox
from semantic_detection_pkg.detector.kernels.candidates import CandidateSelector, Suppression
from semantic_detection_pkg.detector.kernels.letterbox import Letterboxer
from semantic_detection_pkg.detector.kernels.masks import MaskTracer

NAMES = ("letterbox", "candidates", "masks", "merging", "proposals", "runs")


@needs_compiled
@pytest.mark.parametrize("name", NAMES)
def test_what_is_compiled_runs(name):
    assert kernels.implementation(name) is compiled(name)


@pytest.mark.parametrize("name", NAMES)
def test_without_it_the_twins_run(name, monkeypatch):
    monkeypatch.setattr(versions, "find_spec", lambda _: None)

    assert kernels.implementation(name).__name__ == f"{kernels.__name__}.twins.{name}"


def test_what_is_compiled_but_does_not_load_is_an_error(tmp_path):
    """Never slow in silence: a damaged module stops the import."""
    (tmp_path / "letterbox.py").write_text("raise ImportError('built for another Python')\n")
    program = (
        "import semantic_detection_pkg.detector.kernels.compiled as folder\n"
        f"folder.__path__ = [{str(tmp_path)!r}]\n"
        "from semantic_detection_pkg.detector.kernels.letterbox import Letterboxer\n"
        "Letterboxer()\n"
    )
    source = importlib.util.find_spec("semantic_detection_pkg").submodule_search_locations[0]
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": f"{source}/.."},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 1
    assert "built for another Python" in result.stderr


def peak_of_a_frame(step) -> int:
    """Bytes at most in use above the start, in the frame after two that fill the buffers."""
    step()
    step()
    tracemalloc.start()
    try:
        step()
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        step()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak - before


OVERHEAD = 16 * 1024  # views, tuples and the like


@needs_compiled
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_the_letterbox_allocates_nothing(dtype):
    image, tensor = np.zeros((1080, 1920, 3), np.uint8), np.zeros((3, 640, 640), dtype)
    letterboxer = Letterboxer(compiled("letterbox"))

    peak = peak_of_a_frame(lambda: letterboxer.write(image, tensor, (640, 360), (0, 140)))

    assert peak < OVERHEAD


@needs_compiled
def test_candidates_and_masks_allocate_their_results_only():
    random = np.random.default_rng(0)
    head = np.zeros((4 + 80 + 32, 8400), np.float32)
    head[:4] = random.uniform(20, 600, (4, 8400))
    head[4:84] = random.uniform(0, 0.3, (80, 8400))
    prototypes = random.normal(size=(32, 160, 160)).astype(np.float32)
    selector, tracer = CandidateSelector(compiled("candidates")), MaskTracer(compiled("masks"))
    box, rule, columns = Letterbox(1920, 1080, 640, 640), Suppression(0.7, 50), np.arange(80)
    axes = box.prototype_axes(160, 160)
    results = []

    def step() -> None:
        found = selector.from_raw(head, columns, 32, 0.25, rule)
        boxes = box.boxes_to_source(found.boxes_xyxy)
        masks = tracer.polygons(prototypes, found.coefficients, boxes, *axes, 0.25)
        results[:] = [*found[:-1], boxes, *masks]

    peak = peak_of_a_frame(step)

    # The results before are given back only when the new ones are there.
    assert len(results[0]) == 50
    assert peak < sum(array.nbytes for array in results) + OVERHEAD
