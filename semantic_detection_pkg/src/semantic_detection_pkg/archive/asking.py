"""Questions to a vision-language model about what the tiers leave open, and answers that are kept.

How it is asked is another package's, found by entry point; see `common.core.picture_questions`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ros_support_pkg.core.words import Verdict
from semantic_detection_pkg.common.core.picture_questions import (
    GROUP,
    PictureAnswer,
    PictureAsker,
)
from semantic_detection_pkg.common.file_system import FileSystem
from semantic_detection_pkg.common.plugins import load_plugin, plugin_names
from semantic_detection_pkg.errors import ConfigurationError, SemanticDetectionError, StorageError

_SUFFIX = ".vlm.json"
#: So many questions one after another without an answer: the server is left alone.
_UNANSWERED_MAX = 3
_NO_ANSWER = "the vision-language model gave no answer"


def open_asker(address: str, *, model: str, timeout_s: float) -> PictureAsker:
    """Return a way to ask the server at an address, from the package that offers one.

    Raises:
        ConfigurationError: the address is none, or no package offers it.
    """
    for name in plugin_names(GROUP):
        module = load_plugin(GROUP, name)
        if module is not None:
            try:
                asker: PictureAsker = module.open_asker(address, model=model, timeout_s=timeout_s)
            except SemanticDetectionError as error:
                raise ConfigurationError(f"vlm: {error}") from None
            return asker
    raise ConfigurationError(
        f"vlm {address}: no installed package can ask a vision-language model; vlm_bridge_pkg can"
    )


class Asking:
    """Asks what was not answered before, until the server turns out to be of no use.

    Attributes:
        asked: questions that were put now.
        unanswered: that have no answer, put or not.
        problem: why, of the first of these; empty: there is none.
    """

    def __init__(self, asker: PictureAsker, folder: Path) -> None:
        """Keep answers in a folder, which is there, by the names of their questions.

        An answer counts as long as the server has the model that gave it, and where it does not
        tell its model now.
        """
        self._asker = asker
        self._folder = folder
        self._files = FileSystem()
        self._served: str | None = None
        self._is_known_late = False
        self._in_a_row = 0
        self._is_given_up = False
        self.asked = 0
        self.unanswered = 0
        self.problem = ""

    def ask(self, jpeg: bytes, class_name: str) -> PictureAnswer:
        """Return the answer, kept or new; one that is none says why in `reason`.

        Raises:
            StorageError: an answer cannot be kept.
        """
        try:
            path = self._folder / f"{self._asker.key(jpeg, class_name)}{_SUFFIX}"
            if self._served is None:
                self._served = self._asker.served_model()
            kept = _kept(path, self._served)
            if kept is not None:
                return kept
            answer = self._new(jpeg, class_name)
        except SemanticDetectionError as error:
            answer = PictureAnswer(Verdict.UNSURE, reason=str(error), is_answered=False)
        if answer.is_answered:
            self._keep(path, answer)
            return answer
        self.unanswered += 1
        self.problem = self.problem or answer.reason
        return replace(answer, reason=f"{_NO_ANSWER}: {answer.reason}")

    def _new(self, jpeg: bytes, class_name: str) -> PictureAnswer:
        if self._is_given_up:
            return PictureAnswer(Verdict.UNSURE, reason=self.problem, is_answered=False)
        self.asked += 1
        answer = self._asker.ask(jpeg, class_name)
        self._in_a_row = 0 if answer.is_answered else self._in_a_row + 1
        self._is_given_up = answer.is_hopeless or self._in_a_row >= _UNANSWERED_MAX
        if answer.is_answered and not self._served and not self._is_known_late:
            self._is_known_late = True  # it was not there when the search began, or does not tell
            self._served = self._asker.served_model()
        return answer

    def _keep(self, path: Path, answer: PictureAnswer) -> None:
        document = {"served": self._served, **asdict(answer), "verdict": answer.verdict.name}
        try:
            self._files.write_atomically(path, json.dumps(document).encode())
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise StorageError(f"{path}: cannot be written: {reason}") from error


def _kept(path: Path, served: str) -> PictureAnswer | None:
    """Return an answer of before; None: there is none, or of another model."""
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        if document.pop("served") != served and served:
            return None
        document["verdict"] = Verdict[document["verdict"]]
        return PictureAnswer(**document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
