"""`/api/findings/ID/review`: people accept, reject or comment on findings; kept in a log."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, HTTPException, Path, Request
from pydantic import BaseModel, ConfigDict, Field, field_validator

from semantic_detection_pkg.dashboard.api.api import REFUSALS, CommandReply, Refusal, may_control
from semantic_detection_pkg.dashboard.api.dashboard import Dashboard
from semantic_detection_pkg.recorder.core.reviews import COMMENT_CHARS_MAX, WHO_CHARS_MAX, Review

router = APIRouter(
    prefix="/api", tags=["control"], responses=REFUSALS, dependencies=[Depends(may_control)]
)


class FindingVerdict(BaseModel):
    """What a person says of a finding."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    who: Annotated[
        str,
        Field(min_length=1, max_length=WHO_CHARS_MAX, pattern=r"^[^\x00-\x1f]+$"),
    ]
    verdict: Annotated[
        Literal["", "accepted", "rejected", "open"],
        Field(description="empty: a comment alone; open: takes a verdict back"),
    ] = ""
    comment: Annotated[str, Field(max_length=COMMENT_CHARS_MAX)] = ""

    @field_validator("comment")
    @classmethod
    def _check_text(cls, comment: str) -> str:
        if any(ord(letter) < 32 and letter not in "\n\t" for letter in comment):
            raise ValueError("a comment has text and line breaks only")
        return comment


@router.post(
    "/findings/{finding_id}/review",
    response_model=CommandReply,
    responses={404: {"model": Refusal, "description": "no such finding is known"}},
)
async def review_finding(
    request: Request, finding_id: Annotated[str, Path(max_length=200)], body: FindingVerdict
) -> CommandReply:
    """Accept, reject or comment on a finding; the log keeps who and when."""
    dashboard: Dashboard = request.app.state.dashboard
    if not body.verdict and not body.comment:
        raise HTTPException(HTTPStatus.CONFLICT, "a verdict or a comment is needed")
    if not dashboard.findings.knows(finding_id):
        raise HTTPException(HTTPStatus.NOT_FOUND, f"no finding {finding_id!r} is known")
    review = Review(finding_id, time.time_ns(), body.who, body.verdict, body.comment)
    try:
        await asyncio.to_thread(dashboard.reviews.add, review)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise HTTPException(
            HTTPStatus.SERVICE_UNAVAILABLE, f"the review cannot be kept: {reason}"
        ) from error
    return CommandReply(message=body.verdict or "commented")
