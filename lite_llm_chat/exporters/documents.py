"""One session as a document, written while it is read.

head ─▶ its messages, chosen ─▶ steps of records ─ a thread ─▶ Markdown · HTML · JSON, in pieces
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Literal, NamedTuple, assert_never

from ..domain import Message
from ..errors import NotFound
from ..files.uploads import Uploads
from ..store import records
from ..store.database import Connection, Database
from ..store.records import Head, Record
from . import chosen, form, markdown, page
from .archive import STEP_BYTES
from .chosen import Step
from .page import PICTURES
from .shown import Shown, What, shown, worth_showing

Format = Literal["markdown", "json", "html"]
Branch = Literal["active", "all"]

PICTURES_BYTES = 8 * 1024 * 1024  # of one message: they are put into the page

MEDIA_TYPES: dict[Format, tuple[str, str]] = {
    "markdown": ("text/markdown; charset=utf-8", "md"),
    "json": ("application/json", "json"),
    "html": ("text/html; charset=utf-8", "html"),
}


Urls = Mapping[str, str]  # of pictures that are in the document itself, by the id of the file


class _Document(NamedTuple):
    """How a session is written: what comes first, each message, what comes last. `pictured`:
    it can hold pictures."""

    steps: Sequence[Step]
    start: bytes
    message: Callable[[Step, Record, Urls], bytes]
    end: bytes = b""
    pictured: bool = False


class Sources(NamedTuple):
    """Where a document is made from."""

    database: Database
    uploads: Uploads


async def document(
    sources: Sources, head: Head, form_of: Format, branch: Branch, what: What
) -> AsyncIterator[bytes]:
    """The bytes of a document of a session, in pieces. Raises StorageUnavailable, or NotFound if
    the session is deleted meanwhile."""
    wanted = _document(head, form_of, branch, what)
    yield wanted.start
    done = 0
    while done < len(wanted.steps):
        step = partial(_step, steps=wanted.steps, done=done)
        for at, record in enumerate(await sources.database.read(step), done):
            urls = await _pictures(sources.uploads, record.message) if wanted.pictured else {}
            yield await asyncio.to_thread(wanted.message, wanted.steps[at], record, urls)
            done += 1
    yield wanted.end


def _step(conn: Connection, steps: Sequence[Step], done: int) -> Sequence[Record]:
    """The next records, about STEP_BYTES of them."""
    found: list[Record] = []
    size = 0
    while done + len(found) < len(steps) and size < STEP_BYTES:
        found.append(records.record(conn, steps[done + len(found)].id))
        said = found[-1].message
        size += len(said.content) + len(said.reasoning or "") + 500
    return found


async def _pictures(uploads: Uploads, said: Message) -> Urls:
    """The pictures of a message, up to PICTURES_BYTES of them; one that is gone is left out."""
    urls: dict[str, str] = {}
    left = PICTURES_BYTES
    for file in said.attachments:
        if file.media_type in PICTURES and file.size_bytes <= left:
            left -= file.size_bytes
            with suppress(NotFound):
                data = b64encode(await uploads.bytes_of(file.id)).decode()
                urls[file.id] = f"data:{file.media_type};base64,{data}"
    return urls


def _document(head: Head, form_of: Format, branch: Branch, what: What) -> _Document:
    session = head.session
    active = chosen.path(head, session.leaf_id)
    walk = [Step(one) for one in active] if branch == "active" else chosen.walk(head)
    match form_of:
        case "json":
            ids = active if branch == "active" else head.ids
            return _Document(
                [Step(one) for one in ids],
                form.start(head, ids),
                lambda _, record, _urls: form.message(record, ids, reasoning=what.reasoning),
                form.END,
            )
        case "markdown":
            tell = _told(lambda one, step, _: markdown.message(one, step), what)
            return _Document(walk, markdown.start(session).encode(), tell)
        case "html":
            home = f"{session.provider}/{session.model}"
            cover = page.Cover(session.title, session.created_at, (home,), policy=page.FILE_POLICY)
            tell = _told(_on_page, what)
            return _Document(walk, page.start(cover).encode(), tell, page.end(cover).encode(), True)
        case _:
            assert_never(form_of)


def _on_page(one: Shown, step: Step, urls: Urls) -> str:
    return page.message(one, step, lambda file: urls.get(file.id))


def _told(
    tell: Callable[[Shown, Step, Urls], str], what: What
) -> Callable[[Step, Record, Urls], bytes]:
    def told(step: Step, record: Record, urls: Urls) -> bytes:
        one = shown(record.message, what)
        return tell(one, step, urls).encode() if worth_showing(one) else b""

    return told
