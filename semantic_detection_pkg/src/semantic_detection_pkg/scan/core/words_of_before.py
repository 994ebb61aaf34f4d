"""What was asked of a detector by what it looks for, where it does not tell the acts themselves.

So do detectors and recordings of before. A reader of these has to have heard every message, and to
know what the detector looked for before each.
"""

from __future__ import annotations

from semantic_detection_pkg.common.core.word_acts import bare
from semantic_detection_pkg.scan.core.detector_words import WordsInForce


def wanted_by(
    told: WordsInForce, own: dict[str, str], vocabulary: tuple[str, ...], *, began_otherwise: bool
) -> dict[str, str]:
    """Return what is to be looked for by what was asked of the detector.

    Args:
        own: how each word of the mission is asked for, by the name of its class.
        vocabulary: class names that the detector was known to look for; empty: it was not.
        began_otherwise: it began with words that nobody has asked for.

    Returns:
        As `own`.
    """
    named = dict(zip(told.words, told.asked, strict=True))
    is_shown = told.cause == "shown"
    if told.cause == "set":
        is_own = not vocabulary and told.asked == tuple(own.values())[: len(told.asked)]
        return own if is_own else named
    if not vocabulary or began_otherwise or (is_shown and own.keys() - named.keys()):
        if is_shown and bare(told.shown) not in map(bare, own):
            own = own | {name: one for name, one in named.items() if bare(name) == bare(told.shown)}
        return own
    if told.cause == "forgotten" and not own.keys() & named.keys():
        return {}  # nothing is left: then it looks for all that it was prepared with
    besides = set(vocabulary) - own.keys()  # of detectors that look for more than is asked
    return {name: own.get(name, one) for name, one in named.items() if name not in besides}
