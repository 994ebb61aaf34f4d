"""Files that are no model for an engine: each is said to be what it is, with what to do."""

import io
import json
import pickle
import struct
import tarfile
import zipfile

import onnx
import pytest
import tiny_models
from onnx import TensorProto, helper

from semantic_detection_pkg.detector.backends.loading import load_detector, open_backend
from semantic_detection_pkg.errors import ModelError


def archive(*names: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name in names:
            made.writestr(name, bytes(50))
    return file.getvalue()


def tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as made:
        made.addfile(tarfile.TarInfo("model.onnx"))
    return file.getvalue()


MODEL = tiny_models.colour_model("raw").SerializeToString()
PLAN = b"ftrt" + bytes(20) + b"\x0a\x03\x00\x00" + bytes(100)
HEADER = json.dumps({"task": "segment", "names": {"0": "person"}}).encode()
POINTER = (
    b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f"
    b"32b1258daaa5e2ca24d17e2393\nsize 12345678\n"
)
PAGE = b"\n<!DOCTYPE html>\n<html lang='en'><head><title>\n yolo11n.onnx at main </title></head>"
CASES = {
    "pointer": (POINTER, "a Git LFS pointer.*`git lfs pull`"),
    "page": (PAGE, r"a web page \('yolo11n.onnx at main'\); take the link that downloads"),
    "page in capitals": (b"\xef\xbb\xbf<HTML><BODY>No</BODY></HTML>", "a web page; take the link"),
    "answer": (b'{"message": "Not Found"}', 'text of 24 bytes, \'{"message": "Not Found"}\''),
    "checkpoint": (
        archive("best/data.pkl", "best/version", "best/data/0"),
        r"a PyTorch checkpoint \(\.pt\); export it to ONNX",
    ),
    "half a checkpoint": (archive("best/data.pkl")[:60], "a ZIP archive .* without its end"),
    "TorchScript": (
        archive("m/data.pkl", "m/code/__torch__.py", "m/constants.pkl"),
        "a TorchScript file; from its checkpoint .* export it to ONNX",
    ),
    "old checkpoint": (pickle.dumps({"model": 1}, 2), r"a pickle \(old PyTorch file\); export it"),
    "archive": (archive("yolo/best.onnx"), "a ZIP archive with an ONNX file in it; unpack it"),
    "tar": (tar(), "a tar archive; unpack it"),
    "packed": (b"\x1f\x8b\x08\x00" + bytes(50), "packed; unpack it"),
    "TensorFlow Lite": (b"\x1c\0\0\0TFL3" + bytes(50), "a TensorFlow Lite model; the engines here"),
    "OpenVINO": (b'<?xml version="1.0"?>\n<net name="m" version="11">', "an OpenVINO model"),
    "safetensors": (struct.pack("<Q", 40) + b'{"a": {}}' + bytes(40), "a safetensors file"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(50), "a picture; give the model's file"),
    "empty": (b"", "empty; download or copy it again"),
    "zeros": (bytes(1000), "nothing but zeros; download or copy it again"),
}


def refusal(path, engine: str) -> str:
    with pytest.raises(ModelError) as raised:
        open_backend(engine, path)
    message = str(raised.value)
    assert message.startswith(f"model {path}: ")
    assert "\n" not in message
    return message.removeprefix(f"model {path}: ")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("engine", "wanted"), [("onnxruntime", "an ONNX file"), ("tensorrt", "a TensorRT plan")]
)
def test_other_files_are_named(tmp_path, case, engine, wanted):
    content, message = CASES[case]
    path = tmp_path / "m.onnx"
    path.write_bytes(content)

    said = refusal(path, engine)
    assert said.startswith(f"is not {wanted} but ")
    with pytest.raises(ModelError, match=message):
        open_backend(engine, path)


@pytest.mark.parametrize(
    "content", [PLAN, b"v" + PLAN[1:], struct.pack("<i", len(HEADER)) + HEADER + PLAN]
)
def test_a_plan_is_not_for_onnxruntime(tmp_path, content):
    path = tmp_path / "m.engine"
    path.write_bytes(content)

    said = refusal(path, "onnxruntime")

    assert said.startswith("is not an ONNX file but a TensorRT plan; take the engine tensorrt")


def test_an_onnx_model_is_not_for_tensorrt(tmp_path):
    path = tmp_path / "m.engine"
    path.write_bytes(MODEL)

    said = refusal(path, "tensorrt")

    assert said.startswith("is not a TensorRT plan but an ONNX model; build it on this machine")
    assert said.endswith("or take the engine onnxruntime")


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5, 0.9, 0.99])
def test_a_part_of_a_model_is_said_to_be_one(tmp_path, share):
    path = tmp_path / "m.onnx"
    path.write_bytes(MODEL[: int(share * len(MODEL))])

    assert "its download or copy was cut off" in refusal(path, "onnxruntime")


@pytest.mark.long
def test_wherever_a_model_is_cut_it_is_refused(tmp_path):
    path = tmp_path / "m.onnx"
    for length in (*range(1, 60), *range(len(MODEL) - 600, len(MODEL) - 1, 3)):
        path.write_bytes(MODEL[:length])
        with pytest.raises(ModelError):
            load_detector(path)


@pytest.mark.parametrize(
    ("change", "messages"),
    [
        ({"ir": 99}, ("is of ONNX IR version 99", "reads up to 1", "install a newer onnxruntime")),
        ({"opset": 99}, ("is of opset 99 (ai.onnx)", "knows up to 2", "export it with opset=2")),
        (
            {"external": "m.onnx.data"},
            ("weights in a file of their own, 'm.onnx.data'", "beside it"),
        ),
        ({"operator": "Frobnicate"}, ("No Op registered for Frobnicate",)),
        ({"domain": "com.acme"}, ("com.acme:", "is not a registered function/op")),
    ],
)
def test_the_reason_is_said_whole(tmp_path, change, messages):
    model = onnx.load_from_string(MODEL)
    model.ir_version = change.get("ir", model.ir_version)
    model.opset_import[0].version = change.get("opset", 17)
    if "domain" in change:
        model.opset_import.append(helper.make_opsetid(change["domain"], 1))
        model.graph.node[0].domain = change["domain"]
    model.graph.node[0].op_type = change.get("operator", model.graph.node[0].op_type)
    if "external" in change:
        weights = next(t for t in model.graph.initializer if t.name == "others")
        weights.ClearField("raw_data")
        weights.data_location = TensorProto.EXTERNAL
        weights.external_data.add(key="location", value=change["external"])
    folder = tmp_path / ("a long folder name " * 10)
    folder.mkdir()
    path = tiny_models.save(model, folder / "m.onnx")

    said = refusal(path, "onnxruntime")

    for message in messages:
        assert message in said
    assert "onnxruntime_src" not in said


def test_an_operator_that_is_missing_in_a_form_is_named(realdata):
    path = realdata.path("models/yolov8n-seg_int8.onnx")

    assert refusal(path, "onnxruntime").startswith("needs the operator ConvInteger, which this")
