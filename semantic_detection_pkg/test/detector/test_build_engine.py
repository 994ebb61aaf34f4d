"""tools/build_engine.py against a fake builder: what it asks for, writes, and refuses."""

import json
import re

import build_engine
import numpy as np
import pytest
import tiny_models
from fake_builder import building_machine

from semantic_detection_pkg.detector.backends import tensorrt
from semantic_detection_pkg.detector.backends.loading import load_detector
from semantic_detection_pkg.detector.core.tiles import TileSettings
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.health.checkup import Machine

GOOD_L4T = "# R36 (release), REVISION: 5.0, GCID: 1, BOARD: generic, EABI: aarch64\n"
GOOD_MEMORY = "MemTotal: 7800000 kB\nMemAvailable: 6000000 kB\nSwapFree: 1000000 kB\n"
WORDS = {"red": (1, 0, 0), "green": (0, 1, 0)}


@pytest.fixture
def onnx(tmp_path):
    folder = tmp_path / "exported"
    folder.mkdir()
    np.savez(folder / "colours.vocabulary.npz", **tiny_models.prompt_side_file(WORDS))
    return tiny_models.save(tiny_models.prompt_model(), folder / "colours.onnx")


@pytest.fixture
def jetson(tmp_path):
    """A machine's files; change them with `write`."""
    root = tmp_path / "root"
    write(root, "etc/nv_tegra_release", GOOD_L4T)
    write(root, "proc/meminfo", GOOD_MEMORY)
    return Machine(root=root)


def write(root, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def gpu(monkeypatch):
    machine = building_machine()
    use(monkeypatch, machine)
    return machine


def use(monkeypatch, machine) -> None:
    monkeypatch.setattr(build_engine, "find_platform", lambda _: machine.platform)
    monkeypatch.setattr(tensorrt, "find_platform", lambda _: machine.platform)


def test_what_is_built_runs_in_the_detector(tmp_path, onnx, jetson, gpu, capsys, colour_picture):
    out = tmp_path / "models"
    assert build_engine.main([str(onnx), "--out", str(out)], jetson) == 0

    names = {path.name for path in out.iterdir()}
    assert names == {
        "colours.engine",
        "colours.manifest.json",
        "colours.vocabulary.npz",
        "timing.cache",
    }
    (told,) = gpu.tensorrt.builds
    assert (told.flags, told.workspace, told.cache) == (["FP16"], 1024 << 20, b"")
    said = capsys.readouterr().out
    assert "colours.engine: upload " in said
    assert "ms (median of 50, with CUDA graph, Orin, TensorRT 10.3.0, mapped buffers)" in said
    assert gpu.cuda.live == set()

    found = {}
    for engine, model in (("onnxruntime", onnx), ("tensorrt", out / "colours.engine")):
        with load_detector(model, engine=engine, words=["green"]) as detector:
            detections = detector.pipeline.process(colour_picture).detections
            found[engine] = detections.boxes_xyxy.tolist()
    assert found["tensorrt"] == found["onnxruntime"]
    assert found["tensorrt"]


@pytest.fixture
def any_batch(tmp_path):
    """A model for any number of pictures that finds the mean colours of their cells."""
    return save_any_batch(tmp_path / "any.onnx", ("batch", 3, 64, 64))


def save_any_batch(path, shape):
    onnx = pytest.importorskip(
        "onnx", reason="onnx is missing: requirements/dev.in has it, a robot has not"
    )
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    anchors = 8 * 8 + 4 * 4 + 2 * 2
    boxes = np.full((1, 4, anchors), 32.0, np.float32)
    nodes = [
        helper.make_node("GlobalAveragePool", ["images"], ["means"]),
        helper.make_node("Reshape", ["means", "column"], ["colours"]),
        helper.make_node("Mul", ["colours", "ones"], ["scores"]),
        helper.make_node("ReduceSum", ["scores", "axis"], ["sums"], keepdims=1),
        helper.make_node("Mul", ["sums", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "boxes"], ["places"]),
        helper.make_node("Concat", ["places", "scores"], ["output0"], axis=1),
    ]
    constants = {
        "column": np.array([0, 3, 1], np.int64),
        "ones": np.ones((1, 3, anchors), np.float32),
        "axis": np.array([1], np.int64),
        "zero": np.zeros((1, 1, 1), np.float32),
        "boxes": boxes,
    }
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "any batch",
        [value("images", onnx.TensorProto.FLOAT, shape)],
        [value("output0", onnx.TensorProto.FLOAT, (shape[0], 7, anchors))],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    texts = {"task": "detect", "names": "{0: 'r', 1: 'g', 2: 'b'}", "imgsz": "[64, 64]"}
    helper.set_model_props(model, texts)
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize(("arguments", "batch"), [(["--batch", "3"], 3), ([], 1)])
def test_a_profile_for_a_batch_axis(any_batch, jetson, gpu, arguments, batch):
    """What takes any number of pictures computes so many at once, and the detector knows it."""
    assert build_engine.main([str(any_batch), "--runs", "2", *arguments], jetson) == 0

    (told,) = gpu.tensorrt.builds
    assert told.profile == {"images": [[batch, 3, 64, 64]] * 3}
    tiling = TileSettings("tiles", tile_px=64, tile_overlap=0.25)
    picture = np.zeros((64, 150, 3), np.uint8)  # three tiles
    picture[:, :64] = (0, 255, 0)
    found = {}
    for engine, model in (
        ("onnxruntime", any_batch),
        ("tensorrt", any_batch.with_suffix(".engine")),
    ):
        with load_detector(model, engine=engine, tiling=tiling) as detector:
            assert detector.pipeline.info.batch == (None if engine == "onnxruntime" else batch)
            result = detector.pipeline.process(picture)
            assert len(result.looks) == 3
            found[engine] = result.detections.scores.tolist()
    assert found["tensorrt"] == found["onnxruntime"]
    assert found["tensorrt"]
    assert gpu.cuda.mistakes == []


def test_the_size_of_what_takes_any_is_that_of_its_metadata(tmp_path, jetson, gpu):
    model = save_any_batch(tmp_path / "any.onnx", ("batch", 3, "height", "width"))
    assert build_engine.main([str(model), "--runs", "0", "--batch", "2"], jetson) == 0
    assert gpu.tensorrt.builds[0].profile == {"images": [[2, 3, 64, 64]] * 3}


def test_a_batch_that_is_fixed_at_another_number_is_refused(onnx, jetson, gpu, capsys):
    assert build_engine.main([str(onnx), "--batch", "4"], jetson) == 2
    assert "its batch is 1, --batch 4 asks for another one" in capsys.readouterr().err
    assert gpu.tensorrt.builds == []


def test_the_manifest_says_where_the_plan_is_from(tmp_path, onnx, jetson, gpu):
    build_engine.main([str(onnx), "--precision", "fp32", "--runs", "0"], jetson)
    manifest = json.loads(onnx.with_name("colours.manifest.json").read_text())
    assert manifest["tensorrt"] == "10.3.0"
    assert (manifest["device_name"], manifest["compute_capability"]) == ("Orin", "8.7")
    assert (manifest["l4t"], manifest["precision"]) == ("36.5.0", "fp32")
    assert manifest["onnx"]["size"] == onnx.stat().st_size
    assert manifest["inputs"][0] == {"name": "images", "shape": [1, 3, 64, 64], "dtype": "float32"}
    assert manifest["metadata"]["task"] == "segment"
    assert gpu.tensorrt.builds[0].flags == []


def test_measurements_of_earlier_builds_are_used_if_they_are_of_this_version(onnx, jetson, gpu):
    arguments = [str(onnx), "--runs", "0"]
    cache = onnx.with_name("timing.cache")
    for content, used in ((None, b""), (None, gpu.tensorrt.measured), (b"other version", b"")):
        if content is not None:
            cache.write_bytes(content)
        assert build_engine.main(arguments, jetson) == 0
        assert gpu.tensorrt.builds[-1].cache == used
        assert cache.read_bytes() == gpu.tensorrt.measured


def test_a_desktop_has_no_l4t_and_needs_none(tmp_path, onnx, gpu):
    assert build_engine.main([str(onnx), "--runs", "0"], Machine(root=tmp_path / "nothing")) == 0
    manifest = json.loads(onnx.with_name("colours.manifest.json").read_text())
    assert manifest["l4t"] == ""


@pytest.mark.parametrize("precision", ["fp16", "fp32"])
def test_version_11_takes_the_precision_from_the_model(onnx, jetson, monkeypatch, precision):
    pytest.importorskip(
        "onnx", reason="onnx is missing: requirements/dev.in has it, a robot has not"
    )
    machine = building_machine("11.4.0")
    use(monkeypatch, machine)
    assert build_engine.main([str(onnx), "--precision", precision, "--runs", "2"], jetson) == 0

    (told,) = machine.tensorrt.builds
    assert told.flags == []
    types = [value.type for value in machine.tensorrt.session.get_inputs()]
    assert types == ["tensor(float)"] * 3  # inputs stay as they are
    halves = b"Cast" in machine.tensorrt.session._model_bytes
    assert halves == (precision == "fp16")


def test_tensorrt_for_rtx_builds_for_every_card(onnx, jetson, monkeypatch, capsys):
    machine = building_machine("1.7.1.116")
    use(monkeypatch, machine)
    assert build_engine.main([str(onnx), "--runs", "2"], jetson) == 0

    (told,) = machine.tensorrt.builds
    assert (told.flags, told.capability, told.cache) == ([], None, None)
    assert not onnx.with_name("timing.cache").exists()
    manifest = json.loads(onnx.with_name("colours.manifest.json").read_text())
    assert (manifest["library"], manifest["tensorrt"]) == ("tensorrt_rtx", "1.7.1.116")
    assert (manifest["device_name"], manifest["compute_capability"]) == ("", "any")
    assert "with CUDA graph, Orin, TensorRT for RTX 1.7.1, mapped buf" in capsys.readouterr().out

    assert build_engine.main([str(onnx), "--runs", "0", "--compute-capability", "8.9"], jetson) == 0
    assert machine.tensorrt.builds[-1].capability == "SM89"


def test_a_library_that_is_asked_for_must_be_there(onnx, jetson, gpu, capsys):
    arguments = [str(onnx), "--library", "tensorrt_rtx"]
    assert build_engine.main(arguments, jetson) == 2
    assert capsys.readouterr().err.startswith(
        "build_engine: --library tensorrt_rtx: this machine has TensorRT 10.3.0 only; on a workst"
    )
    assert build_engine.main([str(onnx), "--compute-capability", "8.9"], jetson) == 2
    assert "TensorRT 10.3.0 builds for only the GPU of this machine" in capsys.readouterr().err
    assert gpu.tensorrt.builds == []


def test_a_plan_that_this_gpu_refuses_does_not_replace_the_older(onnx, jetson, gpu, capsys):
    assert build_engine.main([str(onnx), "--runs", "0"], jetson) == 0
    names = ["colours.engine", "colours.manifest.json"]
    before = [onnx.with_name(name).read_bytes() for name in names]
    gpu.tensorrt.failures.add(("deserialize_cuda_engine", 2))
    assert build_engine.main([str(onnx), "--runs", "0", "--precision", "fp32"], jetson) == 2
    assert "colours.engine: TensorRT 10.3.0 refuses this plan" in capsys.readouterr().err
    assert [onnx.with_name(name).read_bytes() for name in names] == before
    assert not list(onnx.parent.glob(".*.tmp"))


def no_room(machine, _):
    write(machine.root, "proc/meminfo", "MemTotal: 7800000 kB\nMemAvailable: 1500000 kB\n")


def old_l4t(machine, _):
    write(machine.root, "etc/nv_tegra_release", GOOD_L4T.replace("5.0", "4.7"))


def jetpack_5(machine, _):
    write(machine.root, "etc/nv_tegra_release", GOOD_L4T.replace("R36", "R35"))


def old_tensorrt(_, gpu):
    gpu.tensorrt.__version__ = "8.6.2"


def refuse(method):
    def change(_, gpu):
        gpu.tensorrt.failures.add((method, 1))

    return change


def no_builder(_, gpu):
    def builder(logger):
        raise TypeError("pybind11::init(): factory function returned nullptr")

    gpu.tensorrt.Builder = builder


REFUSALS = {
    "no builder": (no_builder, "colours.onnx: TensorRT 10.3.0 has no builder here: pybind11::ini"),
    "memory": (no_room, "1465 MB of memory and swap are free, a build needs about 3024: stop the"),
    "L4T with the fault": (old_l4t, "L4T 36.4.7 fails large allocations of GPU memory; install"),
    "JetPack 5": (jetpack_5, "L4T 35.5.0 has no TensorRT 10.3; install JetPack 6.2.2"),
    "TensorRT 8": (old_tensorrt, "TensorRT 8.6.2 is too old, 10.3 or newer is needed; install"),
    "parser": (
        refuse("parse"),
        "colours.onnx: TensorRT 10.3.0 cannot read it: error 0: no importer for",
    ),
    "builder": (
        refuse("build_serialized_network"),
        "colours.onnx: TensorRT 10.3.0 cannot build it: Error Code 10: Could not find any impl",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_cannot_be_built_is_refused_in_one_line(onnx, jetson, gpu, capsys, case):
    change, message = REFUSALS[case]
    change(jetson, gpu)
    assert build_engine.main([str(onnx)], jetson) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith(f"build_engine: {message}")
    assert "\n" not in said
    assert not list(onnx.parent.glob("*.engine"))


@pytest.mark.parametrize("case", ["memory", "L4T with the fault"])
def test_who_knows_better_may_go_on(onnx, jetson, gpu, case):
    REFUSALS[case][0](jetson, gpu)
    assert build_engine.main([str(onnx), "--force", "--runs", "0"], jetson) == 0


def test_files_that_are_no_model_and_folders_that_cannot_be_written(
    tmp_path, onnx, jetson, gpu, capsys
):
    rubbish = tmp_path / "rubbish.onnx"
    rubbish.write_bytes(b"rubbish")
    cases = [
        ([str(tmp_path / "none.onnx")], "none.onnx: no such file or directory"),
        ([str(tmp_path)], "is a directory"),
        ([str(rubbish)], "rubbish.onnx: is not an ONNX file but text of 7 bytes, 'rubbish'; "),
        ([str(onnx), "--out", str(rubbish)], "rubbish.onnx: file exists; choose another one"),
    ]
    for arguments, message in cases:
        assert build_engine.main(arguments, jetson) == 2
        said = capsys.readouterr().err.strip()
        assert message in said
        assert "\n" not in said


def test_a_machine_without_a_gpu_says_so(onnx, jetson, monkeypatch, capsys):
    def find_platform(_):
        raise ConfigurationError("no usable NVIDIA GPU")

    monkeypatch.setattr(build_engine, "find_platform", find_platform)
    monkeypatch.setattr(build_engine, "find_library", lambda _: building_machine().tensorrt)
    assert build_engine.main([str(onnx)], jetson) == 2
    assert capsys.readouterr().err == "build_engine: no usable NVIDIA GPU\n"


def test_that_a_plan_is_not_tried_is_said_once_there_is_one(onnx, jetson, monkeypatch, capsys):
    def find_platform(_):
        raise ConfigurationError(
            "inference engine 'tensorrt': no NVIDIA driver here, or choose the engine 'onnxruntime'"
        )

    rtx = building_machine("1.7.1.116").tensorrt
    monkeypatch.setattr(build_engine, "find_platform", find_platform)
    monkeypatch.setattr(build_engine, "find_library", lambda _: rtx)
    assert build_engine.main([str(onnx.with_name("none.onnx"))], jetson) == 2
    assert capsys.readouterr().out == ""
    assert build_engine.main([str(onnx)], jetson) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"{onnx.with_suffix('.engine')}: not tried: no NVIDIA driver here"


def test_a_build_that_fails_leaves_the_older_plan(onnx, jetson, gpu):
    assert build_engine.main([str(onnx), "--runs", "0"], jetson) == 0
    before = onnx.with_name("colours.engine").read_bytes()
    gpu.tensorrt.failures.add(("build_serialized_network", 2))
    assert build_engine.main([str(onnx)], jetson) == 2
    assert onnx.with_name("colours.engine").read_bytes() == before
    assert before.startswith(b"ftrt")


@pytest.mark.parametrize(
    "arguments", [["--workspace", "1"], ["--runs", "-1"], ["--precision", "x"]]
)
def test_options_out_of_range(onnx, arguments):
    with pytest.raises(SystemExit) as left:
        build_engine.main([str(onnx), *arguments])
    assert left.value.code == 2


@pytest.mark.parametrize(
    ("arguments", "folder", "what"),
    [
        (["--timing-cache", "colours.onnx"], "", "colours.onnx: is the model itself"),
        (["--timing-cache", "."], "", "is a folder; a file is to be written there"),
        (["--timing-cache", "colours.onnx/x/y"], "", "not a directory|file exists"),
        ([], "colours.engine", "colours.engine: is a folder"),
        ([], "colours.manifest.json", "colours.manifest.json: is a folder"),
        ([], ".colours.engine.tmp", "colours.engine.tmp: is a directory"),
    ],
)
def test_what_cannot_be_written_is_said_in_one_line_and_the_model_stays(
    onnx, jetson, gpu, capsys, monkeypatch, arguments, folder, what
):
    monkeypatch.chdir(onnx.parent)
    content = onnx.read_bytes()
    if folder:
        (onnx.parent / folder).mkdir()

    assert build_engine.main([str(onnx), *arguments], jetson) == 2

    said = capsys.readouterr().err
    assert re.search(what, said)
    assert said.count("\n") == 1
    assert onnx.read_bytes() == content


def test_a_model_that_is_named_like_its_plan_is_not_replaced(onnx, jetson, gpu, capsys):
    named = onnx.rename(onnx.with_suffix(".engine"))

    assert build_engine.main([str(named)], jetson) == 2
    assert "colours.engine: is the model itself, it would be replaced" in capsys.readouterr().err


@pytest.mark.parametrize("size", ["['a', 'b']", "[1e999, 2]", "[None, None]", "[-1, 0]"])
def test_a_size_that_is_none_is_nobody_s_word(tmp_path, jetson, gpu, size):
    """The model has its own; only one that is open would need it."""
    metadata = {**tiny_models.ultralytics_metadata("raw"), "imgsz": size}
    model = tiny_models.save(tiny_models.colour_model("raw", metadata), tmp_path / "m.onnx")

    assert build_engine.main([str(model), "--runs", "0"], jetson) == 0
