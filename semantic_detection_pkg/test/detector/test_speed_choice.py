"""Which variant of a model runs: measured at the start, or as told; and that it is said."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import tiny_models

from semantic_detection_pkg.common.core.detection_curve import assumed_curves
from semantic_detection_pkg.detector.backends import onnx as onnx_engine
from semantic_detection_pkg.detector.backends.configured import Clocks, load_configured
from semantic_detection_pkg.detector.backends.curve_file import curve_path, read_curves
from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.detector.backends.variants import fast_path, words_path
from semantic_detection_pkg.detector.core.inference_cost import RUNS, Cost, measure
from semantic_detection_pkg.detector.core.settings import DetectorNodeSettings, Speed
from semantic_detection_pkg.detector.ros import notices
from semantic_detection_pkg.errors import ConfigurationError, FrameError

DEMO = Path(__file__).parents[3] / "models" / "demo" / "demo_detector.onnx"
HANGING_S = 1000.0  # between two inferences; what is outside them must not count


class Machine:
    """A machine of a known speed: each inference of a file takes so much of both clocks."""

    def __init__(self, monkeypatch, **processor_s: float) -> None:
        self.now_s = 0.0
        self.taken: list[str] = []
        self.closed: list[str] = []
        machine, infer, close = self, onnx_engine.OnnxBackend.infer, onnx_engine.OnnxBackend.close

        def timed(backend, inputs):
            machine.taken.append(backend.name)
            machine.now_s += processor_s[Path(backend.name).stem.replace(".", "_")]
            if len(machine.taken) % (RUNS + 1) == 1:
                machine.now_s += HANGING_S  # the first allocates
            return infer(backend, inputs)

        def closing(backend):
            machine.closed.append(backend.name)
            close(backend)

        monkeypatch.setattr(onnx_engine.OnnxBackend, "infer", timed)
        monkeypatch.setattr(onnx_engine.OnnxBackend, "close", closing)
        self.clocks = Clocks(lambda: 3.0 * self.now_s, lambda: self.now_s)


class Log:
    """A node's logger that keeps what is said."""

    def __init__(self) -> None:
        self.infos: list[str] = []
        self.warnings: list[str] = []
        self.info, self.warning = self.infos.append, self.warnings.append


class NoClassifier:
    """What the notices ask of the closer look, where there is none."""

    summary = fallback = ""

    def has_no_word_of(self, _words) -> bool:
        return False


@pytest.fixture
def model(tmp_path):
    path = tiny_models.save(tiny_models.prompt_model(), tmp_path / "m.onnx")
    words = tiny_models.prompt_side_file({"red": (1, 0, 0), "blue": (0, 0, 1)})
    np.savez(tmp_path / "m.vocabulary.npz", **words)
    tiny_models.save(tiny_models.prompt_model(), fast_path(path))
    return path


def settings(model: Path, **changed) -> DetectorNodeSettings:
    return DetectorNodeSettings(model=str(model), threads=1, **changed)


def said(configured) -> Log:
    log = Log()
    notices.tell_of_models(log, configured.loaded, configured.choice, NoClassifier())
    return log


@pytest.mark.parametrize(
    ("full_s", "fast_s", "runs", "is_fast_measured"),
    [
        (0.022, 0.012, "m.onnx", False),
        (0.050, 0.012, "m.onnx", False),
        (0.087, 0.049, "m.fast.onnx", True),
        (0.087, 0.087, "m.onnx", True),
        (0.087, 0.120, "m.onnx", True),
    ],
)
def test_auto_takes_the_fast_one_only_where_the_full_one_is_slow_and_it_is_faster(
    model, monkeypatch, full_s, fast_s, runs, is_fast_measured
):
    machine = Machine(monkeypatch, m=full_s, m_fast=fast_s)

    with load_configured(settings(model), machine.clocks) as configured:
        assert configured.loaded.backend.name == configured.loaded.path.name == runs
        assert configured.loaded.pipeline.vocabulary == ("red", "blue")
        # The one that does not run is closed; the one that runs is not.
        others = {"m.onnx", "m.fast.onnx"} - {runs} if is_fast_measured else set()
        assert set(machine.closed) == others
        counts = {name: machine.taken.count(name) for name in ("m.onnx", "m.fast.onnx")}
        assert counts == {"m.onnx": RUNS + 1, "m.fast.onnx": (RUNS + 1) * is_fast_measured}
        choice = configured.choice
        figures = {"speed": "fast" if runs == "m.fast.onnx" else "full"}
        figures["full_inference_ms"] = pytest.approx(1e3 * full_s)
        if is_fast_measured:
            figures["fast_inference_ms"] = pytest.approx(1e3 * fast_s)
        assert choice.figures == figures


def test_one_line_of_the_log_says_which_runs_and_the_figures(model, monkeypatch):
    machine = Machine(monkeypatch, m=0.087, m_fast=0.049)
    with load_configured(settings(model), machine.clocks) as configured:
        lines = [line for line in said(configured).infos if line.startswith("speed ")]
    assert lines == [
        "speed auto: m.fast.onnx runs: m.onnx takes 87 ms an inference (87 ms of processor time on "
        "1 thread, 261 ms on the clock), more than 50 ms; m.fast.onnx takes 49 ms an inference (49 "
        "ms of processor time on 1 thread, 147 ms on the clock)"
    ]
    machine = Machine(monkeypatch, m=0.022)
    with load_configured(settings(model), machine.clocks) as configured:
        lines = [line for line in said(configured).infos if line.startswith("speed ")]
    assert lines == [
        "speed auto: m.onnx runs: m.onnx takes 22 ms an inference (22 ms of processor time on 1 "
        "thread, 66 ms on the clock), up to 50 ms are allowed"
    ]


def test_the_limit_is_a_setting(model, monkeypatch):
    machine = Machine(monkeypatch, m=0.087, m_fast=0.049)
    wanted = settings(model, inference_limit_s=0.1)
    with load_configured(wanted, machine.clocks) as configured:
        assert configured.choice.speed is Speed.FULL


@pytest.mark.parametrize(("speed", "runs"), [("full", "m.onnx"), ("fast", "m.fast.onnx")])
def test_as_told_nothing_is_measured(model, monkeypatch, speed, runs):
    machine = Machine(monkeypatch, m=9.0, m_fast=9.9)
    with load_configured(settings(model, speed=speed), machine.clocks) as configured:
        assert configured.loaded.backend.name == runs
        assert configured.choice.figures == {"speed": speed}
        assert f"speed {speed}: {runs} runs" in said(configured).infos
    assert machine.taken == []


@pytest.mark.parametrize("speed", ["auto", "full"])
def test_without_a_variant_nothing_is_measured_or_said(model, monkeypatch, speed):
    fast_path(model).unlink()
    machine = Machine(monkeypatch, m=9.0)
    with load_configured(settings(model, speed=speed), machine.clocks) as configured:
        assert configured.loaded.backend.name == "m.onnx"
        assert configured.choice.figures == {}
        assert not [line for line in said(configured).infos if "speed" in line]
    assert machine.taken == []


def test_a_missing_variant_that_was_asked_for_is_refused_in_one_line(model):
    fast_path(model).unlink()
    with pytest.raises(ConfigurationError) as raised:
        load_configured(settings(model, speed="fast"))
    assert str(raised.value).startswith("parameter 'speed' is 'fast', but m.fast.onnx is not besid")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"nothing", "is not an ONNX file"),
        (tiny_models.prompt_model(capacity=4).SerializeToString(), "other inputs for classes"),
        (tiny_models.colour_model("raw").SerializeToString(), "other classes"),
    ],
)
def test_a_variant_that_is_no_good_leaves_the_full_one_with_a_warning(
    model, monkeypatch, content, why
):
    fast_path(model).write_bytes(content)
    machine = Machine(monkeypatch, m=0.087, m_fast=0.049)
    with load_configured(settings(model), machine.clocks) as configured:
        assert configured.loaded.backend.name == "m.onnx"
        (warning,) = said(configured).warnings
        assert warning.startswith("m.onnx is slow, but its fast variant does not run: ")
        assert why in warning
        told = notices.fallback_of(configured.loaded, configured.choice, NoClassifier())
        assert told == warning
        assert "m.onnx" not in machine.closed


def test_a_model_that_fails_on_an_empty_picture_runs_all_the_same(model, monkeypatch):
    def fail(*_):
        raise FrameError("no inference")

    monkeypatch.setattr(onnx_engine.OnnxBackend, "infer", fail)
    with load_configured(settings(model)) as configured:
        assert configured.choice.said.endswith("m.onnx runs; not measured: no inference")


def test_on_a_gpu_nothing_is_measured(model, monkeypatch):
    machine = Machine(monkeypatch, m=9.0, m_fast=1.0)
    monkeypatch.setattr(
        onnx_engine, "_open_on_cuda", lambda path, threads: onnx_engine.OnnxBackend(path, threads)
    )
    with load_configured(settings(model, device="cuda"), machine.clocks) as configured:
        assert configured.choice.said.endswith("nothing was measured, a GPU computes")
    assert machine.taken == []


def test_without_the_gpu_that_was_asked_for_it_is_measured(model, monkeypatch):
    if onnx_engine.CUDA in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has CUDA")
    machine = Machine(monkeypatch, m=0.087, m_fast=0.049)
    with load_configured(settings(model, device="cuda"), machine.clocks) as configured:
        assert configured.choice.speed is Speed.FAST


@pytest.mark.parametrize(("threads", "inference_s"), [(1, 0.08), (2, 0.08), (4, 0.04), (16, 0.01)])
def test_half_of_the_threads_are_for_others(threads, inference_s):
    assert Cost(0.08, 9.0, threads).inference_s == pytest.approx(inference_s)


def test_one_inference_that_was_held_up_does_not_decide():
    ticks = iter([0.0, 0.01, 0.0, 0.9, 0.0, 0.01, 0.0, 0.01, 0.0, 0.02])
    cost = measure(lambda: None, lambda: 0.0, lambda: next(ticks), 1)
    assert cost.processor_s == pytest.approx(0.01)


def test_the_variant_has_curves_of_its_own_or_none(model):
    """Those of the full model would promise what the variant does not find."""
    with load_configured(settings(model, speed="fast")) as configured:
        path = configured.loaded.path
    assert curve_path(path).name == "m.fast.curve.json" != curve_path(model).name
    curve_path(model).write_bytes(curve_path(DEMO).read_bytes())
    assert read_curves(path, 0.25) is None
    curve_path(path).write_bytes(curve_path(DEMO).read_bytes())
    with pytest.raises(ConfigurationError, match="are of another model, demo_detector.onnx"):
        read_curves(path, 0.25)
    assert not assumed_curves(path.name, 0.25).classes


def test_of_other_engines_the_variant_has_the_same_end():
    assert fast_path(Path("/models/a.b.engine")) == Path("/models/a.b.fast.engine")
    assert replace(DetectorNodeSettings(), speed="auto").speed == DetectorNodeSettings().speed


def test_words_of_a_variant_are_those_beside_its_model(model, tmp_path):
    with load_detector(fast_path(model), words=["blue"]) as detector:
        assert detector.pipeline.vocabulary == ("blue",)
    assert words_path(fast_path(model)) == words_path(model) == model
    alone = tmp_path / "other.fast.onnx"  # a model that is only called so
    assert words_path(alone) == alone
