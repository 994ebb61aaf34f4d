"""`/api/examples`: classes by example, a box on a picture that comes as the request's body."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import JSONResponse

from semantic_detection_pkg.common.pictures import EXAMPLE_BYTES_MAX
from semantic_detection_pkg.dashboard.api.api import (
    REFUSALS,
    CommandReply,
    Shared,
    answer_of,
    holds_control,
    may_control,
)
from semantic_detection_pkg.dashboard.api.commands import (
    EXAMPLE_TIMEOUT_S,
    AddExample,
    ForgetExamples,
    ShowExample,
)

router = APIRouter(
    prefix="/api",
    tags=["control"],
    responses=REFUSALS,
    dependencies=[Depends(may_control), Depends(holds_control)],
)
_PICTURE = {"schema": {"type": "string", "format": "binary"}}


@router.post(
    "/examples",
    response_model=CommandReply,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": dict.fromkeys(("image/jpeg", "image/png", "image/webp"), _PICTURE),
        }
    },
)
async def add_example(
    dashboard: Shared, request: Request, example: Annotated[AddExample, Query()]
) -> JSONResponse:
    """Look for what a box on the picture in the body shows, or not for what it shows."""
    content = bytearray()
    async for part in request.stream():  # the gate bounds it
        content += part
    if not content:
        raise HTTPException(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"no picture came: JPEG, PNG or WebP of at most {EXAMPLE_BYTES_MAX >> 20} MiB",
        )
    shown = ShowExample(**example.model_dump(), picture=bytes(content))
    return answer_of(await dashboard.ask(shown, EXAMPLE_TIMEOUT_S + 1.0))


@router.post("/examples/forget", response_model=CommandReply)
async def forget_examples(dashboard: Shared, body: ForgetExamples) -> JSONResponse:
    """Forget what was shown of a class; a word is then what it says again."""
    return answer_of(await dashboard.ask(body))
