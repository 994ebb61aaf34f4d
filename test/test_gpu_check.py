"""tools/gpu_check against fakes: it finds what is wrong, and says what could not be done."""

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tiny_models
from fake_builder import building_machine
from fake_cuda import FakeCuda, Status
from gpu_check import __main__ as command
from gpu_check import engine_steps, hand_over, spin, wheels
from gpu_check.cuda_steps import contract
from gpu_check.engine_steps import Bench
from gpu_check.steps import (
    FAILED,
    OK,
    SKIPPED,
    NotPossible,
    Outcome,
    Row,
    Step,
    Wrong,
    perform,
    perform_all,
    perform_apart,
)
from hypothesis import given
from hypothesis import strategies as st

from semantic_detection_pkg.detector.backends import tensorrt
from semantic_detection_pkg.detector.backends.onnx import CPU, BoundOnnxBackend
from semantic_detection_pkg.detector.backends.trt.cuda import Cuda

WORDS = {"red": (1, 0, 0), "green": (0, 1, 0)}


def fail(error):
    raise error


# Steps.


@pytest.mark.parametrize(
    ("do", "status", "why"),
    [
        (lambda: [Row("a", 1.5, "ms")], OK, ""),
        (lambda: fail(NotPossible("no GPU")), SKIPPED, "no GPU"),
        (lambda: fail(Wrong("differs")), FAILED, "differs"),
        (lambda: fail(KeyError("many\nlines")), FAILED, "KeyError: 'many\\nlines'"),
    ],
)
def test_however_a_step_ends_it_has_an_outcome(do, status, why):
    outcome = perform(Step("one", do, 1.0))
    assert (outcome.status, outcome.why) == (status, why)
    assert outcome.rows == ([{"name": "a", "value": 1.5, "unit": "ms"}] if status == OK else [])


PROGRAMS = {
    "an answer": (
        "import sys, json; json.dump({'name': 'x', 'status': 'ok'}, open(sys.argv[1], 'w'))",
        OK,
        "",
    ),
    "a crash": ("import os; os.abort()", FAILED, "its process ended with signal SIGABRT and no"),
    "an exit": ("import sys; sys.exit(7)", FAILED, "its process ended with status 7 and no answer"),
    "half an answer": ("import sys; open(sys.argv[1], 'w').write('{')", FAILED, "status 0 and no"),
    "no end": ("import time; time.sleep(60)", FAILED, "did not end within 1 s"),
}


@pytest.mark.parametrize("case", PROGRAMS)
def test_a_step_apart_takes_nobody_with_it(tmp_path, case):
    program, status, why = PROGRAMS[case]
    limit_s = 1.0 if case == "no end" else 60.0
    outcome = perform_apart("x", limit_s, [sys.executable, "-c", program], tmp_path)
    assert outcome.status == status
    assert why in outcome.why


def test_what_the_budget_does_not_suffice_for_is_said_to_be_left_out(tmp_path):
    steps = [Step(name, list, 10.0) for name in ("one", "two")]
    told = []
    outcomes = perform_all(steps, lambda _: ["false"], tmp_path, 0.0, told.append)
    assert told == outcomes
    assert [outcome.status for outcome in outcomes] == [SKIPPED, SKIPPED]
    assert outcomes[0].why == "the 0 s of all steps are used up"


# Wheels.


@pytest.fixture
def packed(tmp_path):
    folder = tmp_path / "packed"
    folder.mkdir()
    (folder / "large-1-py3-none-any.whl").write_bytes(bytes(range(256)) * 10)
    (folder / "small-1-py3-none-any.whl").write_bytes(b"small")
    wheels.split(folder, part_bytes=1000)
    return folder


def test_wheels_are_whole_again_and_their_parts_small(packed, tmp_path):
    assert max(path.stat().st_size for path in packed.iterdir()) <= 1000
    assert wheels.PART_BYTES <= 60e6
    whole = wheels.join(packed, tmp_path / "whole")
    assert [path.name for path in whole] == [
        "large-1-py3-none-any.whl",
        "small-1-py3-none-any.whl",
    ]
    assert whole[0].read_bytes() == bytes(range(256)) * 10
    assert wheels.join(packed, tmp_path / "whole") == whole  # a second time it is not twice as long
    assert whole[0].stat().st_size == 2560


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "parts.json").unlink(), "no parts.json; make the folder with"),
        (lambda folder: next(folder.glob("*.part001")).unlink(), "part001: is missing; copy"),
        (
            lambda folder: next(folder.glob("*.part001")).write_bytes(b"x"),
            "part001: is not what was packed",
        ),
        (lambda folder: (folder / "parts.json").write_text("[1]"), "no parts.json"),
        (lambda folder: (folder / "parts.json").write_text('{"../a.whl": "x"}'), "no parts.json"),
        (lambda folder: (folder / "parts.json").write_text("[" * 100_000), "no parts.json"),
    ],
)
def test_parts_that_do_not_fit_are_refused(packed, tmp_path, capsys, change, message):
    change(packed)
    arguments = ["run", "--wheels", str(packed), "--out", str(tmp_path / "out.json")]
    assert command.main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("gpu_check: ")
    assert message in said
    assert said.count("\n") == 1


def test_a_folder_that_is_packed_again_has_nothing_of_before(packed, tmp_path, monkeypatch):
    """A shorter wheel has fewer parts; one of another version would be installed, too."""
    (packed / "notes").mkdir()

    def download(arguments, **_):
        folder = Path(arguments[arguments.index("--dest") + 1])
        (folder / "large-1-py3-none-any.whl").write_bytes(b"y" * 1500)
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(wheels.subprocess, "run", download)
    monkeypatch.setattr(wheels.split, "__defaults__", (1000,))
    wheels.fetch(tmp_path / "any.in", packed, "3.11")

    (whole,) = wheels.join(packed, tmp_path / "whole")
    assert whole.read_bytes() == b"y" * 1500


def test_a_file_in_place_of_the_folder_is_refused(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert command.main(["pack", "--out", str(tmp_path / "file")]) == 2
    assert "file: file exists" in capsys.readouterr().err


# CUDA.


def test_the_contract_of_cuda_holds_and_leaves_nothing():
    cuda = FakeCuda(is_integrated=False)
    rows = {row.name: row.value for row in contract(Cuda(cuda))}
    assert rows["a recorded graph does its work"] is True
    assert rows["too much memory is refused"] == "cudaMalloc: cudaErrorMemoryAllocation"
    assert cuda.live == set()
    assert cuda.mistakes == []


def break_copies(cuda):
    cuda.cudaMemcpyAsync = lambda *_: (Status.cudaSuccess,)


def break_graphs(cuda):
    cuda.cudaGraphLaunch = lambda *_: (Status.cudaSuccess,)


def give_anything(cuda):
    cuda.cudaMalloc = lambda size, ask=cuda.cudaMalloc: ask(min(size, 8 << 20))


def map_nothing(cuda):
    cuda.cudaHostGetDevicePointer = lambda *_: (Status.cudaSuccess, 0)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (break_copies, "what was copied to the GPU and back is not what it was"),
        (break_graphs, "a launched graph did not do what was recorded"),
        (give_anything, "the GPU gave 1e[+]15 bytes of memory"),
        (map_nothing, "mapped memory has no address on the GPU"),
    ],
)
def test_a_cuda_that_breaks_the_contract_is_found(spoil, message):
    cuda = FakeCuda(is_integrated=False)
    spoil(cuda)
    with pytest.raises(Wrong, match=message):
        contract(Cuda(cuda))


# Engines.


@pytest.fixture(params=["10.3.0", "1.7.1.116"])
def bench(request, tmp_path, monkeypatch):
    """A machine that computes what ONNX Runtime does, and a small model in place of the demo's."""
    machine = building_machine(request.param)
    demo = tiny_models.save(tiny_models.prompt_model(), tmp_path / "demo.onnx")
    np.savez(tmp_path / "demo.vocabulary.npz", **tiny_models.prompt_side_file(WORDS))
    monkeypatch.setattr(engine_steps, "DEMO", demo)
    monkeypatch.setattr(tensorrt, "find_platform", lambda _: machine.platform)
    folder = tmp_path / "bench"
    folder.mkdir()
    made = Bench(machine.platform, folder)
    yield made
    assert {kind for kind, _ in machine.cuda.live} <= {"host memory"}
    assert machine.cuda.mistakes == []


def fake(bench):
    return bench.platform.tensorrt


def test_a_gpu_that_computes_the_same_has_parity(bench):
    rows = engine_steps.parity(bench)
    assert len(rows) == 10
    assert all(row.value <= 0.03 for row in rows)
    assert [row.value for row in rows if "raw, fp32" in row.name] == [0.0]


def test_a_gpu_that_computes_something_else_is_found(bench, monkeypatch):
    compute = fake(bench).compute
    monkeypatch.setattr(
        fake(bench),
        "compute",
        lambda inputs: {name: value * 1.05 for name, value in compute(inputs).items()},
    )
    with pytest.raises(Wrong, match=r"raw, fp32: differs by 0\.05, 0\.005 is allowed"):
        engine_steps.parity(bench)


def test_a_card_that_the_library_does_not_support_is_no_failure(bench):
    """An H100, say, with TensorRT for RTX; on a card that it names a refusal is one."""
    fake(bench).failures.add(("deserialize_cuda_engine", 1))
    is_rtx = fake(bench).__version__.startswith("1.")
    error, message = (
        (NotPossible, r"Orin \(compute capability 8\.7\) is not a card of TensorRT for RTX")
        if is_rtx
        else (Wrong, "TensorRT 10.3.0 refuses this plan")
    )
    with pytest.raises(error, match=message):
        engine_steps.parity(bench)


def test_what_cannot_be_built_is_a_failure(bench):
    fake(bench).failures.add(("build_serialized_network", 1))
    with pytest.raises(Wrong, match="cannot build it: Error Code 10"):
        engine_steps.parity(bench)


def test_the_runner_recovers_from_every_injected_failure(bench):
    rows = engine_steps.recovery(bench)
    assert [row.value for row in rows] == [True] * 4


def test_a_failure_that_nobody_notices_is_found(bench, monkeypatch):
    monkeypatch.setattr(engine_steps.FailsOnce, "_fail", lambda *_: (0, None))
    with pytest.raises(Wrong, match="cudaEventRecord failed, and the frame did not"):
        engine_steps.recovery(bench)


def test_many_inferences_do_not_grow(bench):
    rows = {row.name: row.value for row in engine_steps.endurance(bench, runs=200)}
    assert rows["inferences"] == 200
    assert rows["growth of the GPU's memory"] == 0


def test_growth_is_found(bench, monkeypatch):
    compute, cuda = fake(bench).compute, bench.platform.cuda.runtime

    def leak(inputs):
        leaked.append(cuda.cudaMalloc(1 << 20)[1])
        return compute(inputs)

    leaked: list[int] = []
    monkeypatch.setattr(fake(bench), "compute", leak)
    with pytest.raises(Wrong, match=r"40 inferences: the GPU's memory grew by 4\d\.\d MB"):
        engine_steps.endurance(bench, runs=40)
    for address in leaked:
        cuda.cudaFree(address)


def test_the_stages_are_timed_for_frames_and_tiles(bench):
    rows = {row.name: row.value for row in engine_steps.stage_times(bench, runs=10)}
    assert rows["demo detector, fp32, pinned: upload"] == 1.0  # the fake's events
    assert rows["demo detector, fp16, mapped: CUDA graph"] is True
    assert rows["demo detector, fp16, 1920x1080, full: looks"] == 1
    assert rows["demo detector, fp16, 1920x1080, tiles: looks"] > 3
    assert rows["demo detector, fp16, 1920x1080, tiles: whole frame"] > 0


def test_onnx_runtime_is_compared_with_itself(bench):
    rows = engine_steps.onnxruntime_on_cuda(
        bench.folder, lambda model: BoundOnnxBackend(model, 1, CPU, "cpu")
    )
    assert len(rows) == 10
    with pytest.raises(NotPossible, match="GPU=0"):
        engine_steps.onnxruntime_on_cuda(bench.folder, lambda _: fail(RuntimeError("GPU=0")))


# Two processes.

spans = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=6).map(
    lambda pairs: [(begin, begin + length) for begin, length in pairs]
)


@given(ours=spans, theirs=spans)
def test_the_overlap_is_what_counting_finds(ours, theirs):
    counted = sum(
        sum(begin <= at < end for at in range(other_begin, other_end))
        for begin, end in ours
        for other_begin, other_end in theirs
    )
    assert hand_over.overlap_ns(ours, theirs) == counted


@pytest.fixture
def importable(monkeypatch):
    """Programs of their own find what this one does."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(entry for entry in sys.path if entry))


class DriverByItsHelp:
    """Takes what the help of the real functions says that they take, and does nothing.

    Attributes:
        asked: functions that were called.
    """

    def __init__(self, real) -> None:
        self._real = real
        self.asked: list[str] = []

    def __getattr__(self, name):
        text = getattr(self._real, name).__doc__.splitlines()[0]
        parameters = [part for part in text[len(name) + 1 : -1].split(",") if part.strip()]

        def call(*arguments):
            assert len(arguments) == len(parameters), text
            self.asked.append(name)
            return 0, 1 << 20

        return call


def test_the_kernel_is_launched_as_the_driver_wants_it(monkeypatch):
    real = import_module("cuda.bindings.driver")
    driver = DriverByItsHelp(real)
    monkeypatch.setattr(spin, "import_module", lambda _: driver)
    assert spin.Spinner().spin(1000) == (0, 0)
    assert driver.asked[0] == "cuInit"
    assert driver.asked[-3:] == ["cuLaunchKernel", "cuCtxSynchronize", "cuMemcpyDtoH"]


def test_with_the_lock_one_computes_at_a_time_and_without_both_do(importable):
    rows = {row.name: row.value for row in hand_over.check(25, "pretended_gpu")}
    assert rows["overlap with the lock"] == 0
    assert rows["turns"] == 50
    assert rows["changes of hands"] > 1
    assert rows["overlap without the lock"] > 0


def test_two_that_compute_at_once_are_found(importable):
    with pytest.raises(Wrong, match=r"both processes were on the GPU for \d+ ns in spite of"):
        hand_over.check(25, "pretended_gpu_unlocked")


def test_without_a_gpu_nothing_changes_hands(importable):
    with pytest.raises(NotPossible, match="no kernel can run here: cuInit"):
        hand_over.check(5, "pretended_no_gpu")


# The command.


def test_each_step_answers_here_as_it_is(tmp_path):
    """Without a GPU that is: not possible, and why; with one it is what the step found."""
    for name in ("cuda contract", "onnxruntime"):
        answer = tmp_path / "answer.json"
        assert command.main(["step", name, str(answer)]) == 0
        outcome = json.loads(answer.read_text())
        assert outcome["name"] == name
        assert outcome["status"] == OK or outcome["why"]


def test_the_report_is_written_after_every_step(tmp_path, monkeypatch, importable, capsys):
    steps = [Step("cuda contract", list, 60.0), Step("unheard of", list, 60.0)]
    monkeypatch.setattr(command, "steps", lambda: steps)
    out = tmp_path / "figures" / "gpu.json"
    assert command.main(["inside", "--out", str(out)]) == 1
    report = json.loads(out.read_text())
    assert report["machine"]["cores"] > 0
    assert [step["name"] for step in report["steps"]] == ["cuda contract", "unheard of"]
    assert "its process ended with status 2" in report["steps"][1]["why"]
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize(
    ("contract", "status"), [(SKIPPED, 3), (OK, 0), (FAILED, 1)], ids=["nothing", "some", "wrong"]
)
def test_where_nothing_could_be_checked_the_status_says_so(
    tmp_path, monkeypatch, capsys, contract, status
):
    def pretend(steps, _command, _folder, _budget_s, tell):
        for step in steps:
            if step.name == "inventory":
                tell(Outcome(step.name, OK))
            else:
                tell(Outcome(step.name, contract if step.name == "parity" else SKIPPED, "why"))

    monkeypatch.setattr(command, "perform_all", pretend)
    assert command.main(["inside", "--out", str(tmp_path / "gpu.json")]) == status
    last = capsys.readouterr().out.splitlines()[-1]
    assert (last == "nothing of the GPU path was checked") == (status == 3)


def test_all_steps_end_within_the_time_that_was_promised():
    assert command._BUDGET_S < command._ALL_S < 360
    names = [step.name for step in command.steps()]
    assert len(set(names)) == len(names)
    listed = Path(command.REQUIREMENTS).read_text()
    assert "tensorrt-rtx-cu13-libs==" in listed
