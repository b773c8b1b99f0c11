"""Exports: one session as a document, everything as one archive.

    GET /sessions/{id}/export ─▶ documents.document ─┐
                                                     ├─▶ Download: sent while it is made
    GET /export ─▶ archive.everything ───────────────┘

A client that leaves ends the work; so does a server that stops.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ..errors import LiteError, Unavailable
from ..exporters.archive import everything
from ..exporters.documents import MEDIA_TYPES, Branch, Format, Sources, document
from ..exporters.names import disposition, safe_name
from ..exporters.shown import What
from ..store import records
from .deps import Parts, PartsDep, SessionId
from .errors import responses

router = APIRouter(tags=["exports"])

PRIVATE = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
LOCKED = "sandbox; default-src 'none'"  # of a file that a browser might show after all

log = logging.getLogger("lite_llm_chat.api")


class Download(StreamingResponse):
    """Bytes that are sent while they are made. If making them fails in the middle the connection is
    closed without an end, so that nobody takes a part for the whole."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except LiteError as error:
            log.warning("an export was broken off: %s", error.detail)
            client = scope["state"].get("client")  # with another web server: it sees by itself
            if client is not None:
                client.transport.abort()
                await asyncio.sleep(0)


async def _while_open(parts: Parts, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for piece in pieces:
        yield piece
        if parts.chat.draining:
            raise Unavailable("the server is stopping", code="draining")


def _content(*media_types: str) -> dict[int | str, dict[str, Any]]:
    """What a download is, for the description."""
    kinds = {one: {"type": "string", "format": "binary"} for one in media_types}
    if "application/json" in kinds:
        kinds["application/json"] = {"type": "object"}
    content = {one: {"schema": kind} for one, kind in kinds.items()}
    return {200: {"description": "The file", "content": content}}


@router.get(
    "/sessions/{session_id}/export",
    response_class=Download,
    responses=_content("text/markdown", "application/json", "text/html") | responses(404, 422, 503),
)
async def export_session(
    parts: PartsDep,
    session_id: SessionId,
    wanted: Annotated[
        Format, Query(alias="format", description="`json` is the form that can be imported")
    ] = "markdown",
    branch: Annotated[
        Branch | None,
        Query(description="`active` is usual for documents, `all` for `json`"),
    ] = None,
    reasoning: Annotated[bool, Query(description="With what the model thought")] = True,
) -> Download:
    """A session as a file: a Markdown text, a page that prints well, or JSON."""
    head = await parts.database.read(lambda conn: records.head(conn, session_id))
    media_type, suffix = MEDIA_TYPES[wanted]
    chosen = branch or ("all" if wanted == "json" else "active")
    pieces = document(
        Sources(parts.database, parts.uploads), head, wanted, chosen, What(reasoning=reasoning)
    )
    headers = {
        **PRIVATE,
        "content-disposition": disposition(f"{safe_name(head.session.title)}.{suffix}"),
        "content-security-policy": LOCKED,
    }
    return Download(_while_open(parts, pieces), headers=headers, media_type=media_type)


@router.get(
    "/export", response_class=Download, responses=_content("application/zip") | responses(503)
)
async def export_everything(parts: PartsDep) -> Download:
    """All sessions, folders, presets and attached files as one zip, which another instance
    imports without a loss. Sessions in the trash are left out."""
    name = f"lite-llm-chat {parts.now():%Y-%m-%d}.zip"
    headers = {**PRIVATE, "content-disposition": disposition(name)}
    pieces = everything(parts.database, parts.uploads)
    return Download(_while_open(parts, pieces), headers=headers, media_type="application/zip")
