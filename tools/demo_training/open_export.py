"""Writes the demo detector's text side: the same files as beside an exported YOLOE."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from model_export.text_files import write_encoder

from demo_training.files import DETECTOR_FILE
from demo_training.text_side import (
    CONTEXT_LENGTH,
    Shares,
    text_graph,
    tokenizer_json,
)
from semantic_detection_pkg.detector.core.vocabulary import SIDE_FILE_SUFFIX
from simulation_pkg.core.world.things import CLASS_NAMES

CHECKPOINT = "demo"
WORDNET_LICENCE = "WORDNET_LICENSE.txt"


def export_text_side(words: dict[str, Shares], folder: Path) -> Path:
    """Write the encoder, its tokenizer, and their names into the vocabulary; returns that."""
    model = folder / DETECTOR_FILE
    vocabulary = model.with_name(model.stem + SIDE_FILE_SUFFIX)
    with np.load(vocabulary) as file:
        arrays = {name: file[name] for name in file.files}
    metadata = {
        "author": "semantic detection maintainers",
        "description": "Words near those of the demo; of WordNet 3.1, see " + WORDNET_LICENCE,
        "license": "Apache-2.0 AND WordNet",
        "prompt_model": CHECKPOINT,
        "context_length": CONTEXT_LENGTH,
        "is_padded": False,
        "reach": ", ".join(CLASS_NAMES),
    }
    named = arrays["embeddings"][: len(CLASS_NAMES)]
    graph = text_graph(list(words.values()), named)
    arrays["text_encoder"] = np.array(
        write_encoder(model, graph, tokenizer_json(list(words)), metadata)
    )
    arrays["model"] = np.array(CHECKPOINT)
    np.savez(vocabulary, **arrays)
    return vocabulary
