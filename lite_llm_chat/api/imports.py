"""Imports: a file is the body of a request, and its import goes on after the reply.

POST /imports ─▶ imports.receive ─▶ 202      GET /imports · /imports/{id} · /imports/{id}/report
                                             POST /imports/{id}/cancel
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from ..errors import Invalid, WrongMediaType
from ..history.imports import Shown, Wish
from .deps import PartsDep
from .errors import responses
from .replies import Moment

router = APIRouter(tags=["imports"])

ImportId = Annotated[str, Path(min_length=1, max_length=64)]
Format = Literal[
    "auto",
    "chatgpt",
    "claude",
    "open-webui",
    "librechat",
    "anythingllm",
    "llm",
    "lite-llm-chat",
]
FORMS = ("", "text/plain", "multipart/form-data", "application/x-www-form-urlencoded")
LINES = "application/x-ndjson"
_BODY = {
    "requestBody": {
        "required": True,
        "description": "The file itself: a zip, JSON, lines of JSON, CSV or a SQLite database",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class CountsOut(BaseModel):
    """Conversations by what became of them."""

    imported: int
    updated: int
    already_here: int
    skipped: int
    broken: int


class ImportOut(BaseModel):
    """An import. `bytes_read` of its `bytes` have been read; `messages` and `files` are those that
    were added, or in a dry run would be."""

    id: str
    name: str
    dry_run: bool
    status: Literal["running", "completed", "failed", "cancelled", "interrupted"]
    format: str | None
    created_at: Moment
    ended_at: Moment | None
    bytes: int
    bytes_read: int
    conversations: CountsOut
    messages: int
    files: int
    error: str | None


class EntryOut(BaseModel):
    """What became of a conversation of the file. `why` it is not there as it was, `notes` about
    files that could not be kept."""

    title: str
    source_id: str | None
    outcome: Literal["imported", "updated", "already_here", "skipped", "broken"]
    why: str | None
    session_id: int | None
    messages: int
    notes: list[str]


class ImportDetail(ImportOut):
    """An import with its first 1000 entries."""

    entries: list[EntryOut]


def _shown(shown: Shown) -> ImportDetail:
    row, progress = shown
    counts = progress.conversations
    return ImportDetail(
        id=row.id,
        name=row.name,
        dry_run=row.dry_run,
        status=row.status,  # type: ignore[arg-type]
        format=progress.format,
        created_at=row.created_at,
        ended_at=row.ended_at,
        bytes=progress.bytes,
        bytes_read=progress.bytes_read,
        conversations=CountsOut.model_validate(counts, from_attributes=True),
        messages=progress.messages,
        files=progress.files,
        error=progress.error,
        entries=[EntryOut.model_validate(one, from_attributes=True) for one in progress.entries],
    )


async def file_only(request: Request) -> None:
    """A body must say that it is a file, so that no web page can post one by a plain form. Raises
    WrongMediaType."""
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type in FORMS:
        raise WrongMediaType(
            "the file must be the body itself: send it with the header Content-Type:"
            " application/octet-stream",
            code="unsupported_media_type",
        )


@router.post(
    "/imports",
    status_code=202,
    dependencies=[Depends(file_only)],
    openapi_extra=_BODY,
    responses=responses(409, 413, 415, 422, 503),
)
async def start_import(
    request: Request,
    parts: PartsDep,
    name: Annotated[
        str, Query(max_length=1000, description="What the file is called, to be shown")
    ] = "import",
    format: Annotated[  # noqa: A002 - the agreed name of the field
        Format, Query(description="Only conversations of this product are taken")
    ] = "auto",
    dry_run: Annotated[bool, Query(description="Only say what would be done")] = False,
) -> ImportDetail:
    """Take conversations out of a file that another product, or this one, has exported."""
    try:
        wish = Wish(name, format, dry_run)
        return _shown(await parts.imports.receive(wish, request.stream()))
    except ClientDisconnect:
        raise Invalid("the body ended before its time: send it again", code="body_cut") from None


@router.get("/imports", responses=responses(422, 503))
async def list_imports(
    parts: PartsDep, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> list[ImportOut]:
    """The imports, newest first, without their entries."""
    return [
        ImportOut.model_validate(_shown(one), from_attributes=True)
        for one in await parts.imports.page(limit)
    ]


@router.get("/imports/{import_id}", responses=responses(404, 422, 503))
async def get_import(parts: PartsDep, import_id: ImportId) -> ImportDetail:
    """How an import goes, or how it went."""
    return _shown(await parts.imports.find(import_id))


@router.get(
    "/imports/{import_id}/report",
    response_class=FileResponse,
    responses={200: {"content": {LINES: {}}}, **responses(404, 422, 503)},
)
async def get_report(parts: PartsDep, import_id: ImportId) -> Response:
    """What became of every conversation so far, as lines of JSON."""
    path = await parts.imports.report(import_id)
    if path is None:
        return Response(b"", media_type=LINES)
    return FileResponse(path, media_type=LINES, filename=f"import-{import_id}.ndjson")


@router.post("/imports/{import_id}/cancel", responses=responses(404, 409, 422, 503))
async def cancel_import(parts: PartsDep, import_id: ImportId) -> ImportDetail:
    """Stop an import. What it has imported stays."""
    return _shown(await parts.imports.cancel(import_id))
