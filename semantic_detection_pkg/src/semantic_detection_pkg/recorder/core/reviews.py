"""What people say of findings: accepted, rejected, commented on, with who and when.

A log only grows: who changes his mind adds a line. The newest verdict of a finding counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

#: A comment alone leaves the verdict as it is; "open" takes one back.
COMMENT, ACCEPTED, REJECTED, OPEN = "", "accepted", "rejected", "open"
VERDICTS = (COMMENT, ACCEPTED, REJECTED, OPEN)
WHO_CHARS_MAX = 80
COMMENT_CHARS_MAX = 2000
_TIME = re.compile(r"[0-9]{1,20}", re.ASCII)


@dataclass(frozen=True)
class Review:
    """One line of the log.

    Attributes:
        finding_id: of the finding.
        time_ns: [ns] since the epoch.
        who: a person's name.
        verdict: one of `VERDICTS`.
        comment: may be empty.
    """

    finding_id: str
    time_ns: int
    who: str
    verdict: str
    comment: str

    def to_line(self) -> str:
        """Return it as JSON, without a line break."""
        fields = {
            "time_ns": str(self.time_ns),
            "finding": self.finding_id,
            "who": self.who,
            "verdict": self.verdict,
            "comment": self.comment,
        }
        return json.dumps(fields, ensure_ascii=True)


@dataclass(frozen=True)
class FindingReview:
    """All that was said of one finding.

    Attributes:
        entries: oldest first.
    """

    entries: tuple[Review, ...] = ()

    @property
    def decided(self) -> Review | None:
        """Return the entry whose verdict counts; None: nobody has decided."""
        said = [one for one in self.entries if one.verdict != COMMENT]
        return said[-1] if said and said[-1].verdict != OPEN else None

    @property
    def verdict(self) -> str:
        """Return "accepted", "rejected", or nothing."""
        return self.decided.verdict if self.decided else ""

    @property
    def comments(self) -> tuple[Review, ...]:
        """Return the entries that have a comment."""
        return tuple(one for one in self.entries if one.comment)


#: Of a finding that nobody has looked at.
UNREVIEWED = FindingReview()


def review_of_line(line: bytes) -> Review | None:
    """Return what a line of the log says; None: it is cut off, or none."""
    try:
        fields = json.loads(line)
        texts = [fields[name] for name in ("time_ns", "finding", "who", "verdict", "comment")]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not all(isinstance(text, str) for text in texts):
        return None
    time, finding_id, who, verdict, comment = texts
    if not _TIME.fullmatch(time) or verdict not in VERDICTS or not finding_id:
        return None
    return Review(finding_id, int(time), who, verdict, comment)


def by_finding(reviews: Iterable[Review]) -> dict[str, FindingReview]:
    """Return what was said of each finding, in the order of the log."""
    found: dict[str, FindingReview] = {}
    for one in reviews:
        before = found.get(one.finding_id, UNREVIEWED)
        found[one.finding_id] = FindingReview((*before.entries, one))
    return found
