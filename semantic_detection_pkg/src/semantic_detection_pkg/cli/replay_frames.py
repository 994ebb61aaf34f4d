"""`replay --from frames`: the recorded pictures are detected and decided about again."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np

from semantic_detection_pkg.cli.replay_report import print_speed, print_summary
from semantic_detection_pkg.common.pictures import decode_picture
from semantic_detection_pkg.detector.backends.loading import LoadedDetector, load_detector
from semantic_detection_pkg.detector.core.proposal_settings import ProposalSettings
from semantic_detection_pkg.detector.core.proposer import Proposer, with_proposals
from semantic_detection_pkg.detector.core.settings import DetectorSettings
from semantic_detection_pkg.errors import ConfigurationError
from semantic_detection_pkg.recorder.core.replay.comparison import Digest
from semantic_detection_pkg.recorder.core.replay.player import Change, Recorded, replay
from semantic_detection_pkg.recorder.core.replay.recorded_words import RecordedWords
from semantic_detection_pkg.recorder.core.replay.redetect import (
    Comparison,
    RecordedPicture,
    detected_again,
)
from semantic_detection_pkg.recorder.core.replay.rehearsal import rehearse
from semantic_detection_pkg.recorder.core.replay.summary import Summary
from semantic_detection_pkg.recorder.storage.bag_messages import (
    DETECTIONS,
    GIMBAL,
    JOURNAL,
    PICTURES,
    recording,
    words_by_stamp,
)
from semantic_detection_pkg.recorder.storage.bag_reader import BagReader
from semantic_detection_pkg.scan.core.area import Area
from semantic_detection_pkg.scan.core.inputs import FrameDetections, Goal

#: Of a recording without a goal: all that a gimbal can reach.
_EVERYWHERE = Area(-3.0, 3.0, -1.5, 1.5)


def replay_frames(reader: BagReader, options: argparse.Namespace, change: Change) -> bool:
    """Detect and decide again; print how both differ.

    Returns:
        Whether all recorded steps could be replayed.

    Raises:
        SemanticDetectionError: the bag, the model or an option is no good.
    """
    if not options.model:
        raise ConfigurationError("--from frames needs --model FILE")
    words = tuple(filter(None, options.words.split(",")))
    settings = None if options.conf is None else DetectorSettings(confidence_threshold=options.conf)
    robot = reader.namespace_of([PICTURES], options.namespace)
    has_journal = any(c.topic == robot + JOURNAL for c in reader.connections)
    known = {
        item.stamp_ns: item
        for item in recording(reader, robot, [DETECTIONS])
        if isinstance(item, FrameDetections)
    }
    pictures = frozenset(
        item.stamp_ns
        for item in recording(reader, robot, [PICTURES])
        if isinstance(item, RecordedPicture)
    )
    comparison = Comparison()
    with load_detector(
        options.model,
        engine=options.engine,
        threads=options.threads,
        words=words,
        settings=settings,
    ) as detector:
        source = recording(reader, robot, (GIMBAL, DETECTIONS, JOURNAL, PICTURES))
        detect = _Detect(detector, words, words_by_stamp(reader, robot))
        again = detected_again(source, known, pictures, detect, comparison)
        if has_journal:
            started_s = time.perf_counter()
            summary = Summary.of(replay(again, change))
            elapsed_s = time.perf_counter() - started_s
            _print_comparison(comparison)
            print_summary(summary, reader.path, elapsed_s)
            return summary.exact == summary.steps
        _rehearse(again, Goal("replay", _EVERYWHERE, words), change, comparison)
        return True


def _rehearse(
    again: Iterable[Recorded], goal: Goal, change: Change, comparison: Comparison
) -> None:
    digest, stamps = Digest(), []
    findings: dict[str, str] = {}
    started_s = time.perf_counter()
    for now_ns, decision in rehearse(again, goal, change):
        stamps.append(now_ns)
        digest.add(decision.to_json())
        for finding in decision.findings:
            findings[finding.finding_id] = finding.class_name
    elapsed_s = time.perf_counter() - started_s
    _print_comparison(comparison)
    print(f"no journal was recorded: {len(stamps)} steps decided as for a goal of all directions")
    print(f"replayed sha256 {digest.text}")
    if stamps:
        print_speed(1e-9 * (stamps[-1] - stamps[0]), elapsed_s)
    print(f"looked closer at: {', '.join(sorted(findings.values())) or 'nothing'}")


class _Detect:
    """The pipeline with the vocabulary that each picture had, looking where it looked then.

    What was known by example then is known by the same embeddings, where they are of this model;
    what was proposed then is proposed by the same settings.
    """

    def __init__(
        self,
        detector: LoadedDetector,
        words: tuple[str, ...],
        recorded: Mapping[int, RecordedWords] = MappingProxyType({}),
    ) -> None:
        """Take a detector.

        Args:
            words: to look for instead of the recorded ones; none: those.
            recorded: what was looked for, by the stamps that frames name.
        """
        self._detector = detector
        self._pipeline = detector.pipeline
        self._model = detector.pipeline.info.name
        self._words = words
        self._recorded = recorded
        self._taught: RecordedWords | None = None
        self._asked: tuple[str, ...] | None = detector.pipeline.vocabulary
        self._proposer = Proposer()

    def __call__(self, picture: RecordedPicture, then: FrameDetections | None) -> FrameDetections:
        self._look_for(then)
        data = np.frombuffer(picture.jpeg, np.uint8)
        image = decode_picture(data, f"of {picture.stamp_ns} ns")
        result = self._pipeline.process(image, looks=() if then is None else then.looks)
        proposer = "" if then is None else then.proposer
        if proposer != self._proposer.settings.as_text():
            self._proposer.change(ProposalSettings.from_text(proposer))
        proposals = self._proposer.propose(image, result.detections)
        detections, vocabulary = with_proposals(result.detections, result.vocabulary, proposals)
        return FrameDetections(
            picture.stamp_ns,
            detections,
            vocabulary,
            self._model,
            looks=result.looks,
            proposed_classes=len(proposals.class_names),
            proposer=proposer,
        )

    def _look_for(self, then: FrameDetections | None) -> None:
        told = None if then is None else self._recorded.get(then.words_since_ns)
        if told is not None and told is not self._taught:
            self._teach(told)
        words = self._words or (() if then is None else then.words)
        if told is not None and not self._words and told.words == words:
            words = told.wanted
        if words and words != self._asked:
            self._detector.set_vocabulary(words)
            self._asked = words

    def _teach(self, told: RecordedWords) -> None:
        """Have the pipeline know what the recorded one knew beyond its model's words.

        Raises:
            ConfigurationError: classes were known by examples that mean nothing to this model.
        """
        space = self._pipeline.embedding_space
        self._taught, self._asked = told, None
        if told.space == space:
            if space:
                self._pipeline.learn_words(told.typed)
                self._pipeline.replace_examples(told.examples)
            return
        shown = dict.fromkeys(one.name for one in told.examples)
        if shown and not self._words:
            raise ConfigurationError(
                f"recorded by example, {', '.join(shown)}: the embeddings are of {told.space}, "
                f"{self._model} takes {space or 'none'}; say what to look for by --words"
            )


def _print_comparison(comparison: Comparison) -> None:
    print(f"{comparison.frames} pictures detected again")
    if comparison.without_picture:
        print(f"{comparison.without_picture} frames have no picture: taken as recorded")
    if comparison.compared:
        lost, new = comparison.lost, comparison.new
        print(
            f"{comparison.same} of {comparison.compared} frames have the same detections; "
            f"{comparison.found_again} detections found again (scores differ by up to "
            f"{comparison.score_off:.3f}), {lost.total()} not{_by_class(lost)}, "
            f"{new.total()} new{_by_class(new)}"
        )


def _by_class(counts: Counter[str]) -> str:
    return f" ({', '.join(f'{n} {name}' for name, n in counts.most_common())})" if counts else ""
