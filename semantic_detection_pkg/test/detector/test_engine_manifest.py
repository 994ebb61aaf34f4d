"""Plan files and their manifests: what is read, what is refused and with which words."""

import dataclasses
import hashlib
import json
import struct

import pytest
from fake_gpu import PICTURE, SUM, TWICE, WEIGHTS, arithmetic_plan, fake_machine
from hypothesis import given
from hypothesis import strategies as st

from semantic_detection_pkg.detector.backends.loading import open_backend
from semantic_detection_pkg.detector.backends.trt.manifest import (
    FileMark,
    Manifest,
    manifest_path,
    read_manifest,
    write_manifest,
)
from semantic_detection_pkg.detector.backends.trt.plan import family_of_file, read_plan
from semantic_detection_pkg.detector.backends.trt.runner import TensorRtBackend
from semantic_detection_pkg.errors import ConfigurationError, ModelError

METADATA = {"task": "segment", "names": {"0": "person"}}


def with_header(plan: bytes, header: bytes) -> bytes:
    return struct.pack("<i", len(header)) + header + plan


def manifest_of(content: bytes) -> Manifest:
    mark = FileMark("model.engine", len(content), hashlib.sha256(content).hexdigest())
    return Manifest(
        plan=mark,
        onnx=FileMark("model.onnx", 5, "0" * 64),
        tensorrt="10.3.0",
        device_name="Orin",
        compute_capability="8.7",
        l4t="36.4.7",
        precision="fp16",
        inputs=(PICTURE, WEIGHTS),
        outputs=(SUM, TWICE),
        metadata={"names": "{0: 'person'}"},
    )


@pytest.fixture
def model(tmp_path):
    """A plan with its manifest."""
    path = tmp_path / "model.engine"
    path.write_bytes(arithmetic_plan())
    write_manifest(manifest_path(path), manifest_of(arithmetic_plan()))
    return path


def test_a_manifest_comes_back_as_it_was_written(model):
    assert manifest_path(model).name == "model.manifest.json"
    assert read_manifest(manifest_path(model)) == manifest_of(arithmetic_plan())
    assert read_manifest(model.with_name("other.manifest.json")) is None


def test_metadata_come_from_the_header_or_else_from_the_manifest(model):
    backend = TensorRtBackend(model, fake_machine().platform)
    assert backend.metadata == {"names": "{0: 'person'}"}
    backend.close()

    manifest_path(model).unlink()
    model.write_bytes(with_header(arithmetic_plan(), json.dumps(METADATA).encode()))
    backend = TensorRtBackend(model, fake_machine().platform)
    assert backend.metadata == METADATA
    backend.close()

    model.write_bytes(arithmetic_plan())
    backend = TensorRtBackend(model, fake_machine().platform)
    assert backend.metadata == {}
    backend.close()


def change_byte(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def change_manifest(**changes):
    def change(path):
        manifest = dataclasses.replace(manifest_of(path.read_bytes()), **changes)
        write_manifest(manifest_path(path), manifest)

    return change


TAMPERED = {
    "a changed byte": (change_byte, "is not the manifest's .*: it was changed after it was built"),
    "cut off": (
        lambda path: path.write_bytes(path.read_bytes()[:-9]),
        r"has \d+ bytes, its manifest says \d+: it was cut off or replaced; copy it again",
    ),
    "another GPU": (
        change_manifest(device_name="NVIDIA H100", compute_capability="9.0"),
        r"was built on NVIDIA H100 \(compute capability 9.0\), this is Orin \(compute capability",
    ),
    "other inputs": (
        change_manifest(inputs=(PICTURE,)),
        "its inputs are images float32 1x3x4x4, cls_w float32 2x5; its manifest says images",
    ),
    "other outputs": (change_manifest(outputs=(SUM,)), "its outputs are .*; its manifest says"),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_a_plan_that_is_not_what_was_built_here_is_refused(model, case):
    tamper, message = TAMPERED[case]
    tamper(model)
    with pytest.raises(ModelError, match=message) as raised:
        TensorRtBackend(model, fake_machine().platform)

    text = str(raised.value)
    assert text.startswith("model.engine: ")
    assert "tools/build_engine.py" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("name", "capability", "refusal"),
    [
        ("", "any", ""),
        ("", "8.7", ""),
        ("Orin", "any", ""),
        ("", "8.9", r"was built for GPUs \(compute capability 8.9\), this is Orin \(compute"),
        ("NVIDIA RTX", "any", r"was built on NVIDIA RTX \(compute capability any\), this is Orin"),
    ],
)
def test_a_plan_for_a_kind_of_cards_runs_on_all_of_them(model, name, capability, refusal):
    change_manifest(device_name=name, compute_capability=capability)(model)
    if not refusal:
        TensorRtBackend(model, fake_machine().platform).close()
        return
    with pytest.raises(ModelError, match=refusal):
        TensorRtBackend(model, fake_machine().platform)


def test_manifests_say_which_library_and_older_ones_are_of_tensorrt(model):
    path = manifest_path(model)
    assert json.loads(path.read_text())["library"] == "tensorrt"
    older = json.loads(path.read_text())
    del older["library"]
    path.write_text(json.dumps(older))
    assert read_manifest(path).library == "tensorrt"
    change_manifest(library="tensorrt_rtx")(model)
    assert read_manifest(path).library == "tensorrt_rtx"
    path.write_text(json.dumps({**older, "library": "openvino"}))
    with pytest.raises(ConfigurationError, match="library: 'openvino' is not one of"):
        read_manifest(path)


def test_the_order_of_tensors_does_not_matter(model):
    change_manifest(inputs=(WEIGHTS, PICTURE), outputs=(TWICE, SUM))(model)
    TensorRtBackend(model, fake_machine().platform).close()


def document(**changes) -> str:
    manifest = {"format": 1, **dataclasses.asdict(manifest_of(b"x"))}
    return json.dumps({**manifest, **changes})


BAD_MANIFESTS = {
    "empty": ("", "is not JSON; delete it or build again"),
    "a list": ("[]", r"document: \[\] is not of type 'object'"),
    "another format": (document(format=2), "format: 1 was expected"),
    "unknown key": (document(gpu="Orin"), r"document: .*'gpu' was unexpected"),
    "no hash": (document(plan={"name": "a", "size": 1}), "plan: 'sha256' is a required property"),
    "short hash": (
        document(plan={"name": "a", "size": 1, "sha256": "12"}),
        "plan.sha256: '12' does not match",
    ),
    "precision": (document(precision="int4"), "precision: 'int4' is not one of"),
    "no tensor": (document(inputs=[]), "inputs: .* (too short|non-empty)"),
    "dynamic": (
        document(inputs=[{"name": "x", "shape": [1, None], "dtype": "float32"}]),
        r"inputs\[0\].shape\[1\]: None is not of type 'integer'",
    ),
    "number": (document(l4t=36), "l4t: 36 is not of type 'string'"),
    "deep": ("[" * 100_000, "is not JSON"),
    "long": (json.dumps([0] * 200_000), r"document: \[0, .* \.\.\. .* is not of type 'object'"),
    "large": (
        document(plan={"name": "a", "size": 10**400, "sha256": "0" * 64}),
        r"plan.size: 10+\.\.\. is greater than the maximum",
    ),
}


@pytest.mark.parametrize("case", BAD_MANIFESTS)
def test_manifests_of_another_form_are_refused(model, case):
    text, message = BAD_MANIFESTS[case]
    manifest_path(model).write_text(text)
    with pytest.raises(ConfigurationError, match=message) as raised:
        TensorRtBackend(model, fake_machine().platform)
    assert "model.manifest.json" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 500


def test_a_folder_in_place_of_the_manifest(model):
    manifest_path(model).unlink()
    manifest_path(model).mkdir()
    with pytest.raises(ConfigurationError, match="is a directory"):
        TensorRtBackend(model, fake_machine().platform)


PLAN = arithmetic_plan()
NO_PLANS = {
    "empty": b"",
    "an ONNX model": b"\x08\x08\x12\x07pytorch",
    "only a tag": b"ftrt",
    "header without plan": with_header(b"", json.dumps(METADATA).encode()),
    "header that is too long": struct.pack("<i", 1 << 30) + PLAN,
    "negative length": struct.pack("<i", -4) + PLAN,
    "header that is no JSON": with_header(PLAN, b"{names}"),
    "header that is a list": with_header(PLAN, b"[1]"),
    "header in another encoding": with_header(PLAN, b'{"a": "\xff"}'),
}


@pytest.mark.parametrize("case", NO_PLANS)
def test_files_that_are_no_plan_are_refused(tmp_path, case):
    path = tmp_path / "no.engine"
    path.write_bytes(NO_PLANS[case])
    with pytest.raises(ModelError, match=r"no\.engine: is not a TensorRT plan; build it on"):
        read_plan(path)


def test_what_is_read_of_a_plan(tmp_path):
    path = tmp_path / "model.engine"
    path.write_bytes(with_header(PLAN, json.dumps(METADATA).encode()))
    plan = read_plan(path)
    assert plan.plan == PLAN
    assert plan.metadata == METADATA
    assert plan.version == "10.3.0"
    assert plan.size == len(path.read_bytes())
    assert plan.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()

    later_form = PLAN[:4] + struct.pack("<I", 7) + PLAN[8:]
    path.write_bytes(later_form)
    assert read_plan(path).version == ""  # TensorRT itself has to say then


@given(content=st.binary(max_size=200), tag=st.sampled_from([b"", b"ftrt", b"vtrt"]))
def test_any_bytes_are_a_plan_or_refused(tmp_path_factory, content, tag):
    path = tmp_path_factory.getbasetemp() / "any.engine"
    path.write_bytes(tag + PLAN[4:8] + content if tag else content)
    try:
        plan = read_plan(path)
    except ModelError:
        return
    assert family_of_file(path) is plan.family
    assert plan.plan.startswith(plan.family.tag)


def test_a_missing_plan_says_how_to_make_one(tmp_path):
    with pytest.raises(ModelError, match=r"none\.engine: does not exist; build it on this machine"):
        open_backend("tensorrt", tmp_path / "none.engine")
