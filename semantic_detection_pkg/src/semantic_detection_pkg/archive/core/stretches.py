"""A camera's pictures in the order of recording, divided where bearings and tracks do not go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import median

from semantic_detection_pkg.archive.core.evaluation import (
    Evaluation,
    Inspect,
    Sighted,
    archive_settings,
)
from semantic_detection_pkg.archive.core.question import SeenFrame, UnitAnswer
from semantic_detection_pkg.archive.core.surroundings import Surroundings

#: After so long without a picture the robot may stand elsewhere: as between missions.
PAUSE_S = 120.0
#: Pictures that are farther apart than this are no video: none says where a thing goes.
_STILL_S = 2.0
_SET_BACK_S = 2.0  # no picture is as late: the clock was set back
_NS_PER_S = 1_000_000_000


def sightings_of(
    scene: int,
    answers: Callable[[], Iterable[UnitAnswer]],
    labels: Mapping[str, str],
    around: Surroundings,
    inspect: Inspect,
) -> list[Sighted]:
    """Return what the tiers came to about all that one camera's pictures show.

    Args:
        scene: number of the camera.
        answers: gives what its units gave, in their order; called twice.
        labels: what models call each class that is looked for.
        inspect: asks the classifier about a frame of this camera.
    """
    stamps = [frame.stamp_ns for answer in answers() for frame in answer.frames]
    if not around.is_still:
        around = replace(around, is_still=_is_still(stamps))
    sighted: list[Sighted] = []
    evaluation: Evaluation | None = None
    stretch, last_ns, next_track = 0, 0, 1
    for frame, answer in _frames(answers()):
        later_s = (frame.stamp_ns - last_ns) / _NS_PER_S
        if evaluation and not around.is_still and -_SET_BACK_S <= later_s <= 0.0:
            continue  # the same picture twice, or one that came late
        if evaluation is None or around.is_still or not 0.0 < later_s <= PAUSE_S:
            if evaluation is not None:
                sighted += evaluation.finish()
                next_track = evaluation.next_track
            stretch += 1
            settings = archive_settings(around.settings.at(frame.stamp_ns))
            # Stills from one base are one stretch: there bearings tell things apart.
            number = 0 if around.is_still and around.has_bearings else stretch
            name = (scene, number)
            evaluation = Evaluation(name, labels, around, settings, inspect, next_track)
        last_ns = frame.stamp_ns
        evaluation.add(frame, answer.vocabulary, answer.model)
    return sighted + (evaluation.finish() if evaluation is not None else [])


def _frames(answers: Iterable[UnitAnswer]) -> Iterator[tuple[SeenFrame, UnitAnswer]]:
    for answer in answers:
        for frame in answer.frames:
            yield frame, answer


def _is_still(stamps: Sequence[int]) -> bool:
    gaps = [after - before for before, after in zip(stamps, stamps[1:], strict=False)]
    return not gaps or median(gaps) > _STILL_S * _NS_PER_S
