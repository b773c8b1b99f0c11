"""What a link shows to whoever has it: no login, no script, nothing from elsewhere.

    GET /s/{token} ─────────▶ the page            a link that leads nowhere, for whatever reason:
    GET /s/{token}.json ────▶ the same as JSON       the same answer
    GET /s/{token}/files/{id} ─▶ a file of it

HEAD is answered as GET is, without the body: who draws a preview of a link asks so. No word in the
address is checked beforehand: what is no token is a link that leads nowhere.
"""

from __future__ import annotations

import asyncio
from functools import partial

from fastapi import APIRouter
from starlette.responses import FileResponse, HTMLResponse, Response

from ..errors import NotFound
from ..exporters import page, snapshots
from ..exporters.names import disposition
from ..store import shares
from ..store.database import Connection
from ..store.shares import Opened
from .deps import PartsDep
from .errors import of

router = APIRouter(include_in_schema=False)

HEADERS = {
    "content-security-policy": page.LINK_POLICY,
    "cache-control": "private, no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex, nofollow",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
FILE_HEADERS = {**HEADERS, "content-security-policy": "sandbox; default-src 'none'"}


def _nothing() -> Response:
    return HTMLResponse(page.nothing_here(), 404, HEADERS)


@router.head("/s/{token}.json")
@router.get("/s/{token}.json")
async def shared_json(parts: PartsDep, token: str) -> Response:
    """What a link shows, for programs."""
    now = parts.now()

    def work(conn: Connection) -> tuple[Opened, str] | None:
        link = shares.opened(conn, token, now)
        text = link and shares.snapshot(conn, link.id)
        return (link, text) if link and text else None

    found = await parts.database.read(work)
    if found is None:
        response: Response = of(
            NotFound(
                "this link does not exist, has expired, or was taken back by whoever shared it",
                code="share_not_found",
            )
        )
    else:
        link, text = found
        body = await asyncio.to_thread(_json, text, link, f"/s/{token}/files")
        response = Response(body, media_type="application/json")
    response.headers.update(HEADERS)
    return response


def _json(text: str, link: Opened, folder: str) -> bytes:
    return snapshots.public(snapshots.from_text(text), folder, link.expires_at)


def _page(link: Opened, folder: str, text: str) -> bytes:
    return snapshots.paged(snapshots.from_text(text), folder, link.expires_at)


@router.head("/s/{token}")
@router.get("/s/{token}")
async def shared_page(parts: PartsDep, token: str) -> Response:
    """What a link shows, as a page."""
    now = parts.now()
    link = await parts.database.read(lambda conn: shares.opened(conn, token, now))
    found = link and await parts.pages.get(link, partial(_page, link, f"/s/{token}/files"))
    return HTMLResponse(found, 200, HEADERS) if found else _nothing()


@router.head("/s/{token}/files/{file_id}")
@router.get("/s/{token}/files/{file_id}")
async def shared_file(parts: PartsDep, token: str, file_id: str) -> Response:
    """A file that a link shows."""
    now = parts.now()
    file = await parts.database.read(lambda conn: shares.file_of(conn, token, file_id, now))
    if file is None:
        return _nothing()
    try:
        _, path = await parts.uploads.find(file.id)
    except NotFound:
        return _nothing()
    seen = file.media_type in page.PICTURES
    headers = {**FILE_HEADERS, "content-disposition": disposition(file.name, inline=seen)}
    return FileResponse(path, media_type=file.media_type, headers=headers)
