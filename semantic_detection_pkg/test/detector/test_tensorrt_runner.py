"""The TensorRT runner against a fake GPU: results, memory, and errors in every call."""

import gc
import logging

import fake_gpu
import numpy as np
import pytest
import tiny_models
from fake_cuda import Status
from fake_gpu import arithmetic, arithmetic_plan, fake_machine
from fake_tensorrt import TensorFormat, fake_plan

from semantic_detection_pkg.detector.backends import tensorrt
from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.detector.backends.trt.families import RTX
from semantic_detection_pkg.detector.backends.trt.runner import TensorRtBackend
from semantic_detection_pkg.detector.core.model_layout import TensorSpec
from semantic_detection_pkg.detector.core.settings import Buffers
from semantic_detection_pkg.errors import FrameError, ModelError, SemanticDetectionError

KINDS = (Buffers.PINNED, Buffers.MAPPED)
_GIVES_BACK = {
    "cudaFreeHost": "host memory",
    "cudaFree": "device memory",
    "cudaStreamDestroy": "stream",
    "cudaEventDestroy": "event",
    "cudaGraphDestroy": "graph",
    "cudaGraphExecDestroy": "executable graph",
}


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "model.engine"
    path.write_bytes(arithmetic_plan())
    return path


def frame(value: float) -> dict[str, np.ndarray]:
    return {
        "images": np.full((1, 3, 4, 4), value, np.float32),
        "cls_w": np.arange(10, dtype=np.float32).reshape(2, 5) * value,
    }


def assert_right(outputs, inputs) -> None:
    expected = arithmetic(inputs)
    assert outputs.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(outputs[name], value)
        assert outputs[name].dtype == value.dtype


def session(path, machine, buffers) -> list[str]:
    """Load, four frames, times, close. Returns the messages of what failed; all are one line."""
    messages = []
    try:
        backend = TensorRtBackend(path, machine.platform, buffers)
    except SemanticDetectionError as error:
        return [str(error)]
    for value in (1.0, 2.0, 3.0, 4.0):
        try:
            assert_right(backend.infer(frame(value)), frame(value))
        except FrameError as error:
            messages.append(str(error))
    try:
        backend.stage_times()
    except FrameError as error:
        messages.append(str(error))
    backend.close()
    backend.close()
    return messages


@pytest.mark.parametrize("buffers", KINDS)
def test_plain_then_recorded_then_replayed_runs_agree(plan, buffers):
    machine = fake_machine()
    backend = TensorRtBackend(plan, machine.platform, buffers)

    seen = []
    for value in (1.0, 2.0, 3.0):
        assert_right(backend.infer(frame(value)), frame(value))
        seen.append(backend.is_graph_used)

    assert seen == [False, True, True]
    assert machine.tensorrt.calls["execute_async_v3"] == 2
    assert machine.cuda.calls["cudaGraphLaunch"] == 2
    copies = machine.cuda.calls.get("cudaMemcpyAsync", 0)
    assert copies == (12 if buffers is Buffers.PINNED else 0)
    backend.close()


def test_nothing_is_computed_before_the_first_frame(plan):
    machine = fake_machine()
    backend = TensorRtBackend(plan, machine.platform)
    assert "execute_async_v3" not in machine.tensorrt.calls
    assert "cudaMemcpyAsync" not in machine.cuda.calls
    backend.close()


def test_no_call_goes_to_the_default_stream(plan):
    machine = fake_machine()
    session(plan, machine, Buffers.PINNED)
    assert machine.cuda.calls["cudaStreamCreateWithFlags"] == 1
    assert machine.cuda.mistakes == []


@pytest.mark.parametrize(("is_integrated", "word"), [(True, "mapped"), (False, "pinned")])
def test_buffers_follow_the_machine_unless_told(plan, is_integrated, word):
    backend = TensorRtBackend(plan, fake_machine(is_integrated=is_integrated).platform)
    assert backend.device == f"Orin, TensorRT 10.3.0, {word} buffers"
    backend.close()


@pytest.mark.parametrize("buffers", KINDS)
def test_what_was_allocated_for_an_input_is_the_input(plan, buffers):
    machine = fake_machine()
    backend = TensorRtBackend(plan, machine.platform, buffers)
    picture = backend.allocate((1, 3, 4, 4), "float32")
    assert not picture.any()
    picture[:] = 5
    inputs = {**frame(5.0), "images": picture}

    assert_right(backend.infer(inputs), inputs)
    assert backend.allocate((1, 3, 4, 4), "float32") is not picture  # it has an owner
    other = backend.allocate((7,), "uint8")
    assert other.shape == (7,)
    assert not other.any()
    backend.close()


def test_a_graph_that_cannot_be_recorded_costs_nothing_but_a_line(plan, caplog):
    machine = fake_machine()
    machine.tensorrt.is_capturable = False
    with caplog.at_level(logging.WARNING):
        assert session(plan, machine, Buffers.PINNED) == []

    assert [record.getMessage() for record in caplog.records] == [
        "no CUDA graph, goes on without: execute_async_v3: refused"
    ]
    assert machine.cuda.live == set()


def test_times_are_those_between_the_stages(plan):
    backend = TensorRtBackend(plan, fake_machine().platform, Buffers.PINNED)
    with pytest.raises(FrameError, match=r"model\.engine: no times: cudaEventElapsedTime"):
        backend.stage_times()
    backend.infer(frame(1.0))
    times = backend.stage_times()
    assert (times.upload, times.compute, times.download) == (1.0, 1.0, 1.0)  # events of the fake
    backend.close()
    with pytest.raises(FrameError, match="closed"):
        backend.stage_times()


@pytest.mark.parametrize("buffers", KINDS)
def test_arrays_outlive_the_engine_and_take_their_memory_with_them(plan, buffers):
    machine = fake_machine()
    backend = TensorRtBackend(plan, machine.platform, buffers)
    picture = backend.allocate((1, 3, 4, 4), "float32")
    result = backend.infer(frame(2.0))["sum"]
    backend.close()

    assert {kind for kind, _ in machine.cuda.live} == {"host memory"}
    assert len(machine.cuda.live) == 2
    picture[:] = 1  # would be a crash if it were freed
    assert result[0, 1] == 2.0 + 2.0 * 48
    view = result[0]
    del picture, result
    assert len(machine.cuda.live) == 1
    del view
    assert machine.cuda.live == set()
    assert machine.cuda.mistakes == []


WRONG_INPUTS = {
    "shape": ({"images": np.zeros((1, 3, 4, 5), np.float32)}, "1x3x4x5 must be .* 1x3x4x4"),
    "type": ({"images": np.zeros((1, 3, 4, 4))}, "images float64 .* must be images float32"),
    "one more": ({"extra": np.zeros(1)}, "inputs cls_w, extra, images are given, cls_w, images"),
}


@pytest.mark.parametrize("case", WRONG_INPUTS)
def test_wrong_inputs_cost_one_frame(plan, case):
    change, message = WRONG_INPUTS[case]
    backend = TensorRtBackend(plan, fake_machine().platform)
    with pytest.raises(FrameError, match=message):
        backend.infer({**frame(1.0), **change})

    assert_right(backend.infer(frame(1.0)), frame(1.0))
    backend.close()


def clean_calls(tmp_path, buffers) -> list[tuple[str, int]]:
    """Every call of a session without errors, in no order."""
    path = tmp_path / "clean.engine"
    path.write_bytes(arithmetic_plan())
    machine = fake_machine()
    assert session(path, machine, buffers) == []
    return [(name, n) for name, times in machine.cuda.calls.items() for n in range(1, times + 1)]


@pytest.mark.parametrize("failure", [Status.cudaErrorMemoryAllocation, RuntimeError("no\ndriver")])
@pytest.mark.parametrize("buffers", KINDS)
def test_an_error_in_any_call_of_cuda_is_one_line_and_leaks_nothing(
    tmp_path, plan, buffers, failure
):
    calls = clean_calls(tmp_path, buffers)
    assert len(calls) > 40
    silent = set()
    for name, n in calls:
        machine = fake_machine()
        machine.cuda.failures[name, n] = failure
        messages = session(plan, machine, buffers)

        left = [kind for kind, _ in machine.cuda.live]
        assert left == ([_GIVES_BACK[name]] if name in _GIVES_BACK else []), (name, n)
        if name != "cudaGraphExecDestroy":  # a graph that stays outlives its context
            assert machine.cuda.mistakes == [], (name, n)
        assert len(messages) <= 1, (name, n)
        assert all("\n" not in message for message in messages), messages
        if not messages:
            silent.add(name)
    # What fails without a word to the caller: giving back (logged) and what a graph is for.
    graph = {"cudaStreamBeginCapture", "cudaStreamEndCapture", "cudaGraphInstantiate"}
    assert silent == {name for name, _ in calls} & (set(_GIVES_BACK) | graph)


REFUSALS = {
    ("deserialize_cuda_engine", 1): "refuses this plan: no reason given; build it",
    ("create_execution_context", 1): "create_execution_context: no context; free mem",
    ("set_tensor_address", 2): "set_tensor_address: cls_w refused",
    ("execute_async_v3", 1): "inference failed: execute_async_v3: refused",
}


@pytest.mark.parametrize("call", REFUSALS)
def test_what_tensorrt_refuses_is_one_line_and_leaks_nothing(plan, call):
    machine = fake_machine()
    machine.tensorrt.failures.add(call)
    messages = session(plan, machine, Buffers.PINNED)

    assert len(messages) == 1
    assert REFUSALS[call] in messages[0]
    assert machine.cuda.live == set()
    assert machine.cuda.mistakes == []


def test_a_failed_frame_is_over_before_the_next_one_begins(plan):
    machine = fake_machine()
    backend = TensorRtBackend(plan, machine.platform, Buffers.PINNED)
    machine.cuda.failures["cudaEventSynchronize", 1] = Status.cudaErrorNotReady
    with pytest.raises(FrameError, match="cudaEventSynchronize: cudaErrorNotReady"):
        backend.infer(frame(1.0))
    assert all(not stream.work for stream in machine.cuda.streams.values())
    assert_right(backend.infer(frame(2.0)), frame(2.0))
    backend.close()


def test_after_a_fatal_error_every_frame_says_what_to_do(plan):
    def explode(_):
        raise ValueError("an illegal address, say")

    machine = fake_machine(explode)
    backend = TensorRtBackend(plan, machine.platform, Buffers.PINNED)
    with pytest.raises(FrameError, match="cudaEventSynchronize: cudaErrorLaunchFailure"):
        backend.infer(frame(1.0))
    with pytest.raises(FrameError, match="restart this process"):
        backend.infer(frame(1.0))
    backend.close()
    assert machine.cuda.live == set()


def test_a_single_number_among_the_tensors_is_no_batch(tmp_path):
    """Some exports take a threshold as an input of no length."""
    path = tmp_path / "scalar.engine"
    picture, number = TensorSpec("images", (1, 3, 4, 4), "float32"), TensorSpec("t", (), "float32")
    path.write_bytes(fake_plan([number, picture], [TensorSpec("y", (), "float32")]))

    backend = TensorRtBackend(path, fake_machine().platform)

    assert set(backend.inputs) == {picture, number}
    backend.close()


UNFIT = {
    "dynamic": (fake_plan([TensorSpec("x", (1, None), "float32")], []), "x float32 1x? has no"),
    "bfloat16": (fake_plan([TensorSpec("x", (1,), "bfloat16")], []), "x has elements bfloat16"),
    "other version": (
        arithmetic_plan(version=(10, 13, 3, 9)),
        "is a plan of TensorRT 10.13.3, this machine has 10.3.0; build it on this machine",
    ),
    "other family": (
        arithmetic_plan(version=(1, 7, 1, 116), family=RTX),
        "is a plan of TensorRT for RTX 1.7.1, this machine has TensorRT 10.3.0; build it on this",
    ),
    "other GPU": (
        arithmetic_plan(capability="8.9"),
        "incompatible device, expecting compute 8.7 got compute 8.9",
    ),
    "broken": (arithmetic_plan()[:-5], "plan.header.size == blobSize failed"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_plans_that_do_not_run_here_are_refused_in_one_line(tmp_path, case):
    content, message = UNFIT[case]
    path = tmp_path / "unfit.engine"
    path.write_bytes(content)
    machine = fake_machine()
    with pytest.raises(ModelError) as raised:
        TensorRtBackend(path, machine.platform)

    assert message in str(raised.value)
    assert "unfit.engine" in str(raised.value)
    assert "\n" not in str(raised.value)
    del raised
    gc.collect()
    assert machine.cuda.live == set()


def test_a_plan_of_tensorrt_for_rtx_runs_on_that_and_on_nothing_else(tmp_path):
    path = tmp_path / "rtx.engine"
    path.write_bytes(arithmetic_plan(version=(1, 7, 1, 116), family=RTX))
    machine = fake_machine(version="1.7.1.116", is_integrated=False)
    backend = TensorRtBackend(path, machine.platform)
    assert backend.device == "Orin, TensorRT for RTX 1.7.1, pinned buffers"
    assert_right(backend.infer(frame(2.0)), frame(2.0))
    backend.close()
    assert machine.cuda.live == set()

    for content, message in (
        (
            arithmetic_plan(version=(1, 6, 0, 9), family=RTX),
            "is a plan of TensorRT for RTX 1.6.0, this machine has 1.7.1; build it",
        ),
        (
            arithmetic_plan(),
            "is a plan of TensorRT 10.3.0, this machine has TensorRT for RTX 1.7.1; build it",
        ),
    ):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=message):
            TensorRtBackend(path, machine.platform)


def test_other_formats_in_memory_are_refused(plan):
    machine = fake_machine()
    machine.tensorrt.format_next = TensorFormat.CHW32
    with pytest.raises(ModelError, match="images float32 1x3x4x4 is not linear in memory"):
        TensorRtBackend(plan, machine.platform)


@pytest.mark.parametrize("buffers", ["pinned", "mapped"])
def test_the_detector_finds_the_same_as_with_onnx_runtime(
    tmp_path, monkeypatch, colour_picture, buffers
):
    onnx = tiny_models.save(tiny_models.prompt_model(), tmp_path / "colours.onnx")
    words = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1)}
    np.savez(tmp_path / "colours.vocabulary.npz", **tiny_models.prompt_side_file(words))
    machine = fake_gpu.onnx_as_plan(onnx, tmp_path / "colours.engine")
    monkeypatch.setattr(tensorrt, "find_platform", lambda _: machine.platform)

    found = {}
    for engine, file in (("onnxruntime", onnx), ("tensorrt", tmp_path / "colours.engine")):
        with load_detector(file, engine=engine, buffers=buffers, words=["red"]) as detector:
            for wanted in (["red"], ["blue", "green"], []):
                detector.pipeline.set_vocabulary(wanted)
                result = detector.pipeline.process(colour_picture)
                boxes = result.detections.boxes_xyxy.tolist()
                found.setdefault(engine, []).append((result.vocabulary, boxes))
    assert found["tensorrt"] == found["onnxruntime"]
    assert [len(boxes) for _, boxes in found["tensorrt"]] == [1, 6, 7]
    del detector, result
    gc.collect()
    assert machine.cuda.live == set()
