"""A text encoder in INT8: a quarter of the size, near FP32, and its loss is told."""

import numpy as np
import text_encoders
from model_export.text_files import encoder_path, write_encoder
from model_export.text_graph import text_model
from model_export.text_int8 import as_int8, int8_loss
from model_export.text_weights import random_weights
from model_export.tokenizer_file import tokenizer_json

from semantic_detection_pkg.detector.backends.text_encoder import TextEncoder

PROMPTS = ["rope", "yellow rope", "boot", "boat", "a b c"]


def test_what_int8_saves_and_loses_is_measured(tmp_path, monkeypatch):
    """Weights of a size at which they are most of the file, as in a real one."""
    monkeypatch.chdir(tmp_path)  # an export into the working directory, over files of before
    (tmp_path / "small.text.onnx.data").write_bytes(b"of before")
    weights = random_weights(2, text_encoders.TOKENS, text_encoders.PLACES, 128, 2, 64, heads=4)
    whole = text_model(weights, None, {})
    tokenizer = tokenizer_json(text_encoders.merges_file(tmp_path))
    metadata = {"prompt_model": "'tiny-1'", "context_length": text_encoders.PLACES}
    paths = []
    for name, graph in (("small", as_int8(whole)), ("whole", whole)):
        model = tmp_path / f"{name}.onnx"
        write_encoder(model, graph, tokenizer, metadata)
        paths.append(encoder_path(model))

    loss = int8_loss(*paths, PROMPTS, "tiny-1")

    assert loss.size_bytes < 0.4 * loss.whole_bytes
    rows = [np.stack(list(TextEncoder(path).encode(PROMPTS, "").values())) for path in paths]
    cosines = np.sum(rows[0] * rows[1], axis=1)
    assert (loss.least_cosine, loss.mean_cosine) == (cosines.min(), cosines.mean())
    assert 0.95 < loss.least_cosine < 1.0  # not the same file twice
    assert str(loss).startswith(f"INT8, {loss.size_bytes / 1e6:.1f} MB instead of ")
    assert str(loss).endswith("in the mean of 5 words")
