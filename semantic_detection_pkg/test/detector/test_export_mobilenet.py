"""Export of the classifier with random weights, and that the closer look takes it.

Needs what `requirements/export.in` names, as `test_export_yoloe.py`.
"""

import numpy as np
import pytest

torch = pytest.importorskip(
    "torch",
    reason="PyTorch is missing: 2 GB, so only the environment of requirements/export.in has it",
)
if not torch.cuda.is_available():
    # A torchvision for CUDA beside a PyTorch for CPUs lacks these two and does not start without;
    # MobileNet needs none of them.
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        try:
            getattr(torch.ops.torchvision, name)
        except AttributeError:
            library.define(f"{name}(Tensor boxes, Tensor scores, float iou_threshold) -> Tensor")
models = pytest.importorskip(
    "torchvision.models",
    reason="torchvision is missing: it comes with PyTorch, by requirements/export.in",
)

import export_mobilenet  # noqa: E402 - imports torchvision

from semantic_detection_pkg.detector.classifier import load_classifier  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")
LABELS = ("footpath", "animal track", "ditch")


@pytest.fixture
def files(tmp_path):
    torch.manual_seed(1)
    network = models.mobilenet_v3_small(num_classes=len(LABELS))
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    (tmp_path / "names.txt").write_text("\n".join(LABELS))
    return tmp_path


def arguments(folder, **changes) -> list[str]:
    named = {"weights": folder / "weights.pt", "names": folder / "names.txt", "out": folder / "out"}
    named.update(changes)
    return ["small", *(text for key, value in named.items() for text in (f"--{key}", str(value)))]


@pytest.mark.parametrize("wrapped_in", [None, "state_dict", "model"])
def test_the_export_is_what_pytorch_computes_and_the_classifier_takes_it(files, capsys, wrapped_in):
    if wrapped_in:
        state = torch.load(files / "weights.pt", weights_only=True)
        torch.save({wrapped_in: state, "epoch": 3}, files / "weights.pt")
    assert export_mobilenet.main(arguments(files)) == 0
    assert "probabilities within" in capsys.readouterr().out

    classifier = load_classifier(files / "out" / "mobilenetv3_small.onnx", engine="onnxruntime")
    picture = np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)
    found = classifier.classify(picture, (50, 40, 150, 160))
    classifier.close()
    assert sorted(found.labels) == sorted(LABELS)
    assert sum(found.probabilities) == pytest.approx(1.0)


def rubbish(folder):
    (folder / "weights.pt").write_bytes(b"rubbish")


def pickled(folder):
    torch.save({"model": export_mobilenet.main}, folder / "weights.pt")


def one_label_more(folder):
    (folder / "names.txt").write_text("\n".join([*LABELS, "road"]))


def missing(folder):
    (folder / "weights.pt").unlink()


def a_tensor(folder):
    torch.save(torch.zeros(3), folder / "weights.pt")


REFUSALS = {
    "rubbish": (rubbish, "weights.pt: is no file of PyTorch with weights only"),
    "code": (pickled, "weights.pt: is no file of PyTorch with weights only"),
    "names": (one_label_more, "do not fit mobilenet_v3_small with 4 labels: size mismatch for cl"),
    "missing": (missing, "weights.pt: no such file or directory"),
    "tensor": (a_tensor, "weights.pt: holds Tensor, not a state dict"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_weights_that_are_none_are_refused_in_one_line(files, capsys, case):
    change, message = REFUSALS[case]
    change(files)
    assert export_mobilenet.main(arguments(files)) == 2
    said = capsys.readouterr().err.strip()
    assert message in said
    assert "\n" not in said
