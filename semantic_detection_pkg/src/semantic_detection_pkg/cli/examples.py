"""Classes by example as options name them: a box in a picture file, and what it shows.

FILE:x0,y0,x1,y1=NAME     NAME looks like what is in the box [px]
FILE:x0,y0,x1,y1!=NAME    NAME is not what is in the box
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.pictures import read_example
from semantic_detection_pkg.detector.backends.loading import LoadedDetector
from semantic_detection_pkg.detector.core.prompts import as_prompt, read_word
from semantic_detection_pkg.errors import ConfigurationError, FrameError

OPTION = "--example"
_NUMBER = r"\s*-?[0-9]+(?:\.[0-9]*)?\s*"
_PLACE = rf"(?P<file>.+):(?P<box>{_NUMBER}(?:,{_NUMBER}){{3}})"
_NAMED = re.compile(rf"{_PLACE}(?P<no>!?)=(?P<name>.+)", re.DOTALL)
_UNNAMED = re.compile(_PLACE, re.DOTALL)


@dataclass(frozen=True)
class ExampleText:
    """What an option says.

    Attributes:
        file: the picture, as typed.
        box_xyxy: [px of the picture].
        name: of the class.
        is_negative: it is not of this class.
        is_named: the name was typed.
    """

    file: str
    box_xyxy: tuple[float, ...]
    name: str
    is_negative: bool = False
    is_named: bool = True

    def refusal(self, error: object) -> ConfigurationError:
        """Return what to raise, with the example named."""
        return ConfigurationError(f"{OPTION} {self.file}: {error}")


def parse_example(text: str, default_name: str = "") -> ExampleText:
    """Return what an option says.

    Args:
        default_name: of the class where none is typed; "": one must be.

    Raises:
        ConfigurationError: it is no example.
    """
    if found := _NAMED.fullmatch(text):
        name, no, is_named = found["name"].strip(), bool(found["no"]), True
    elif default_name and (found := _UNNAMED.fullmatch(text)):
        name, no, is_named = default_name, False, False
    else:
        raise ConfigurationError(
            f"{OPTION} {text!r}: PICTURE:x0,y0,x1,y1=NAME is needed, or !=NAME for what is not it"
        )
    box = tuple(float(value) for value in found["box"].split(","))
    return ExampleText(found["file"], box, name, no, is_named)


@dataclass(frozen=True, eq=False)
class Shown:
    """An example that a detector was shown.

    Attributes:
        name: of the class, as the detector spells it.
        embedding: (D) float32, of length 1.
        is_negative: it is not of this class.
    """

    name: str
    embedding: NDArray[np.float32]
    is_negative: bool


def show_example(detector: LoadedDetector, example: ExampleText) -> Shown:
    """Have a detector look for an example, too.

    Raises:
        ConfigurationError: the name is none, or the model takes no examples.
        FrameError: the picture or the box is no good.
    """
    pipeline = detector.pipeline
    try:
        image = read_example(Path(example.file))
        embedding = detector.embed_example(example.name, image, example.box_xyxy)
        names = pipeline.add_example(example.name, embedding, is_negative=example.is_negative)
    except (ConfigurationError, FrameError) as error:
        raise type(error)(str(example.refusal(error))) from None
    wanted = as_prompt(example.name)
    spelled = (one for one in (*names, *pipeline.dropped_words) if as_prompt(one) == wanted)
    return Shown(next(spelled, example.name), embedding, example.is_negative)


def show_examples(
    detector: LoadedDetector, texts: Sequence[str], words: Sequence[str], default_name: str
) -> list[Shown]:
    """Have a detector look for examples; several of one name are one class, as `show_example` says.

    Args:
        texts: as typed.
        words: that are looked for beside them; one of them may be told what it is not.
        default_name: of the one example that may have none.

    Raises:
        ConfigurationError, FrameError: as `parse_example` and `show_example`, or a name is there
            twice: a word's, that of another without one, or the same example again.
    """
    examples = [parse_example(text, default_name) for text in texts]
    asked = [read_word(word) for word in words]
    of_words = {as_prompt(text) for one in asked for text in (one.name, *one.meanings)}
    for number, example in enumerate(examples):
        if not example.is_named and any(not one.is_named for one in examples[:number]):
            raise example.refusal("several without a name: =NAME tells which are the same thing")
        if example in examples[:number]:
            raise example.refusal(f"{example.name!r} is given twice, with the same box")
        if as_prompt(example.name) in of_words and not example.is_negative:
            raise example.refusal(
                f"{example.name!r} is given twice, it is one of the words, too: an example needs "
                "another name, or stands for the word and that is left out"
            )
    return [show_example(detector, example) for example in examples]
