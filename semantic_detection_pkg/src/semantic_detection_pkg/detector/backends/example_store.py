"""Examples that were shown, on disk beside the model: they outlive the detector's process."""

from __future__ import annotations

import errno
import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from semantic_detection_pkg.common.file_system import FileSystem, turn_in
from semantic_detection_pkg.detector.core.class_names import is_text
from semantic_detection_pkg.detector.core.examples import MOST_EXAMPLES, ShownExample
from semantic_detection_pkg.errors import ConfigurationError

_PREFIX = "examples_"
_BYTES_MAX = 64 << 20  # of the file; 2 kB for each example are written
#: Arrays of the file, by their kinds of type, and what follows the number of examples in the shape.
_ARRAYS = {
    "names": ("U", 1),
    "embeddings": ("f", 2),
    "is_negative": ("b", 1),
    "shown_ns": ("i", 1),
    "frame_ns": ("i", 1),
    "boxes_xyxy": ("f", 2),
}


def space_and_names(path: Path) -> tuple[str, tuple[str, ...]]:
    """Return what the embeddings of a file are of, and its classes; both empty where it is none."""
    try:
        with np.load(path, allow_pickle=False) as file:
            names = tuple(dict.fromkeys(str(name) for name in file["names"].ravel()))
            return str(file["space"]), names
    except Exception:  # as `ExampleStore.read`
        return "", ()


#: By what an example is the same one: name, vector, negative or not, when and where it was shown.
_Key = tuple[str, bytes, bool, int, int]


class ExampleStore:
    """One file of one space of embeddings, `examples_<its hash>.npz`, replaced as a whole.

    Several detectors (two robots of one host, say) may have one: each adds its own examples and
    takes out what it was told to forget; what the others put there stays.
    """

    def __init__(self, folder: Path, space: str) -> None:
        """Touch nothing yet.

        Args:
            folder: beside the model, that of its words; made when the first is written.
            space: what the embeddings are of, see `WordTable.space`.
        """
        digest = hashlib.sha256(space.encode()).hexdigest()[:16]
        self.path = folder / f"{_PREFIX}{digest}.npz"
        self._space = space
        self._files = FileSystem()
        self._stored: frozenset[_Key] = frozenset()  # in the file when it was last looked at

    def read(self) -> tuple[ShownExample, ...]:
        """Return the examples, in the order in which they were shown; none without a file.

        Raises:
            ConfigurationError: the file cannot be read, or is none.
        """
        try:
            with self.path.open("rb") as stream:
                content = stream.read(_BYTES_MAX)
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                arrays = {name: file[name] for name in _ARRAYS}
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except Exception as error:  # readers of ZIP, deflate and NPY raise whatever they like
            reason = str(getattr(error, "strerror", "") or error).splitlines()[:1]
            raise self._unread("".join(reason)[:100].lower() or type(error).__name__) from None
        count = len(arrays["names"]) if arrays["names"].ndim else 0
        for name, (kind, dimensions) in _ARRAYS.items():
            one = arrays[name]
            if one.dtype.kind != kind or one.ndim != dimensions or len(one) != count:
                raise self._unread(f"{name} is {one.dtype} {one.shape}")
        if count > MOST_EXAMPLES or arrays["boxes_xyxy"].shape[1:] != (4,):
            raise self._unread(f"{count} examples with {arrays['boxes_xyxy'].shape} edges of boxes")
        names = [str(name) for name in arrays["names"]]
        numbers = arrays["embeddings"], arrays["boxes_xyxy"]
        if not all(map(is_text, names)) or not all(np.isfinite(one).all() for one in numbers):
            raise self._unread("it holds what is no name, or no number")
        examples = tuple(
            ShownExample(
                name,
                np.ascontiguousarray(arrays["embeddings"][row], np.float32),
                bool(arrays["is_negative"][row]),
                int(arrays["shown_ns"][row]),
                int(arrays["frame_ns"][row]),
                _box(arrays["boxes_xyxy"][row]),
            )
            for row, name in enumerate(names)
        )
        self._stored = _keys(examples)
        return examples

    def others(self) -> list[Path]:
        """Return the files of other spaces beside this one: of models that were here before."""
        return sorted(set(self.path.parent.glob(f"{_PREFIX}*.npz")) - {self.path})

    def write(
        self, examples: Sequence[ShownExample], forgotten: Sequence[ShownExample] = ()
    ) -> None:
        """Keep these beside those of other detectors; what another has forgotten stays so.

        Args:
            examples: that this detector knows.
            forgotten: that it knew, and does not want to be kept.

        Raises:
            OSError: the disk refuses, another detector keeps it from being written, or there is no
                room for all.
        """
        if not examples and not self.path.exists():
            return  # a folder that is read-only has nothing to forget
        with turn_in(self.path.parent, "detector"):
            kept = self._merged(examples, _keys(forgotten) - _keys(examples))
            self._replace(kept[:MOST_EXAMPLES])
        if len(kept) > MOST_EXAMPLES:
            raise OSError(
                errno.ENOSPC,
                f"{MOST_EXAMPLES} are kept there, of other detectors, too: forget some",
            )

    def _merged(
        self, examples: Sequence[ShownExample], forgotten: frozenset[_Key]
    ) -> list[ShownExample]:
        """Return what the file is to hold, in the order in which it came there."""
        known = self._stored
        try:
            found = self.read()
        except ConfigurationError:  # damaged since it was read: what is known is written anew
            found, known = (), frozenset()
        shapes = {one.embedding.shape for one in examples}
        kept = [
            one
            for one in found
            if _key(one) not in forgotten and (not shapes or one.embedding.shape in shapes)
        ]
        there = _keys(found) | known
        return [*kept, *(one for one in examples if _key(one) not in there)]

    def _replace(self, examples: Sequence[ShownExample]) -> None:
        """Have the file hold these; the lock is ours."""
        if not examples:
            self.path.unlink(missing_ok=True)
        else:
            content = io.BytesIO()
            np.savez(
                content,
                space=np.array(self._space),
                names=np.array([one.name for one in examples]),
                embeddings=np.stack([one.embedding for one in examples]),
                is_negative=np.array([one.is_negative for one in examples]),
                shown_ns=np.array([one.shown_ns for one in examples], np.int64),
                frame_ns=np.array([one.frame_ns for one in examples], np.int64),
                boxes_xyxy=np.array([one.box_xyxy for one in examples], np.float32),
            )
            self._files.write_atomically(self.path, content.getvalue())
        self._stored = _keys(examples)

    def _unread(self, reason: str) -> ConfigurationError:
        return ConfigurationError(f"examples {self.path}: {reason}; they are forgotten")


def _box(edges: NDArray[np.floating]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (float(edge) for edge in edges)
    return x0, y0, x1, y1


def _key(example: ShownExample) -> _Key:
    embedding = np.ascontiguousarray(example.embedding, np.float32).tobytes()
    return example.name, embedding, example.is_negative, example.shown_ns, example.frame_ns


def _keys(examples: Sequence[ShownExample]) -> frozenset[_Key]:
    return frozenset(map(_key, examples))
