"""The fast variant of a model: `<model>.fast.onnx` beside `<model>.onnx`, likewise of a plan.

It has the same classes and words, computes less and finds less. The files of words beside the model
(`<model>.vocabulary.npz`, `<model>.text.onnx`, ...) are for both; the detection curve is its own.
"""

from __future__ import annotations

from pathlib import Path

_FAST = ".fast"


def fast_path(model: Path) -> Path:
    """Return where the fast variant of a model is looked for."""
    return model.with_name(model.stem + _FAST + model.suffix)


def words_path(model: Path) -> Path:
    """Return the model beside which a file's words lie: for a fast variant, that of the full one.

    A model that is only called so, with no full one beside it, has its own.
    """
    if not model.stem.endswith(_FAST):
        return model
    full = model.with_name(model.stem.removesuffix(_FAST) + model.suffix)
    return full if full.is_file() else model
