"""What the page is told of proposals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any


def split_vocabulary(vocabulary: Sequence[str], proposed: int) -> tuple[list[str], list[str]]:
    """Return the model's words, and the classes of proposals that come after them."""
    words = max(len(vocabulary) - proposed, 0)
    return list(vocabulary[:words]), list(vocabulary[words:])


def proposals_in_force(text: str, classes: list[str]) -> dict[str, Any]:
    """Return what is proposed, and how it was asked for.

    Args:
        text: the settings as a message has them; what cannot be read is taken for none.
        classes: of proposals.
    """
    try:
        settings = json.loads(text or "{}")
        is_anomaly = settings.get("propose_anomalies") is True
        colours = [str(one) for one in settings.get("propose_colours", ())]
    except (ValueError, TypeError, AttributeError):
        is_anomaly, colours = False, []
    return {"classes": classes, "is_anomaly": is_anomaly, "colours": colours}
