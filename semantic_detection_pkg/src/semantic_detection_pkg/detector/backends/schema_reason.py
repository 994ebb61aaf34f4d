"""Why a JSON file does not keep to its schema, in a short line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jsonschema

_HALF = 100  # letters
_DIGITS = re.compile(r"(\d{20})\d{20,}")


def schema_reason(problem: jsonschema.ValidationError) -> str:
    """Return the reason; values may be as long as the file, what is allowed stands behind them."""
    reason = _DIGITS.sub(r"\1...", " ".join(problem.message.split()))
    return reason if len(reason) <= 2 * _HALF else f"{reason[:_HALF]} ... {reason[-_HALF:]}"
