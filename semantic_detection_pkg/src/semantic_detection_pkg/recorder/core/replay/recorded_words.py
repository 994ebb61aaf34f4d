"""What a recorded detector looked for, with the embeddings by which it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ros_support_pkg.core.stamps import from_time
from semantic_detection_pkg.detector.core.examples import ShownExample
from semantic_detection_pkg.detector.core.prompts import as_prompt


@dataclass(frozen=True, eq=False)
class RecordedWords:
    """A message of `detector/words`.

    Attributes:
        since_ns: stamp, by which detections name it.
        space: what the embeddings are of; empty: there are none.
        words: class names.
        wanted: the same as they were asked for, synonyms with them.
        typed: embeddings (D) of words that the model did not have, by prompt.
        examples: that it had been shown.
    """

    since_ns: int
    space: str
    words: tuple[str, ...]
    wanted: tuple[str, ...]
    typed: Mapping[str, NDArray[np.float32]]
    examples: tuple[ShownExample, ...]


def from_words(message: Any) -> RecordedWords:
    """Return a message of `detector/words` of rclpy or of a recording."""
    words = tuple(message.words)
    texts: dict[int, list[str]] = {}
    for one in message.meanings:
        texts.setdefault(int(one.word), []).append(one.text)
    embeddings = {one.text: np.asarray(one.embedding, np.float32) for one in message.meanings}
    return RecordedWords(
        from_time(message.header.stamp),
        message.embedding_space,
        words,
        tuple(_as_asked(name, texts.get(place, [name])) for place, name in enumerate(words)),
        {as_prompt(text): one for text, one in embeddings.items() if len(one)},
        tuple(_example(one) for one in message.examples),
    )


def _as_asked(name: str, texts: list[str]) -> str:
    return name if texts == [name] else f"{name}={'|'.join(texts)}"


def _example(message: Any) -> ShownExample:
    x0, y0, x1, y1 = (float(edge) for edge in message.box_xyxy)
    return ShownExample(
        message.name,
        np.asarray(message.embedding, np.float32),
        bool(message.is_negative),
        from_time(message.shown),
        from_time(message.frame),
        (x0, y0, x1, y1),
    )
