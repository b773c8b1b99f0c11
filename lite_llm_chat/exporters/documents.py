"""One session as a document, written while it is read.

head ─▶ its messages, chosen ─▶ steps of records ─ a thread ─▶ Markdown · HTML · JSON, in pieces
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Literal, NamedTuple, assert_never

from ..store import records
from ..store.database import Connection, Database
from ..store.records import Head, Record
from . import chosen, form, markdown, page
from .archive import STEP_BYTES
from .chosen import Step
from .shown import Shown, What, shown, worth_showing

Format = Literal["markdown", "json", "html"]
Branch = Literal["active", "all"]

MEDIA_TYPES: dict[Format, tuple[str, str]] = {
    "markdown": ("text/markdown; charset=utf-8", "md"),
    "json": ("application/json", "json"),
    "html": ("text/html; charset=utf-8", "html"),
}


class _Document(NamedTuple):
    """How a session is written: what comes first, each message, what comes last."""

    steps: Sequence[Step]
    start: bytes
    message: Callable[[Step, Record], bytes]
    end: bytes

    def written(self, pairs: Sequence[tuple[Step, Record]]) -> bytes:
        """Some messages."""
        return b"".join(self.message(step, record) for step, record in pairs)


async def document(
    database: Database, head: Head, form_of: Format, branch: Branch, what: What
) -> AsyncIterator[bytes]:
    """The bytes of a document of a session, in pieces. Raises StorageUnavailable, or NotFound if
    the session is deleted meanwhile."""
    wanted = _document(head, form_of, branch, what)
    yield wanted.start
    done = 0
    while done < len(wanted.steps):
        found = await database.read(partial(_step, steps=wanted.steps, done=done))
        pairs = list(zip(wanted.steps[done : done + len(found)], found, strict=True))
        yield await asyncio.to_thread(wanted.written, pairs)
        done += len(found)
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
                lambda _, record: form.message(record, ids, reasoning=what.reasoning),
                form.END,
            )
        case "markdown":
            return _Document(
                walk, markdown.start(session).encode(), _told(markdown.message, what), b""
            )
        case "html":
            home = f"{session.provider}/{session.model}"
            cover = page.Cover(session.title, session.created_at, (home,), policy=page.FILE_POLICY)
            tell = _told(lambda one, step: page.message(one, step, _nowhere), what)
            return _Document(walk, page.start(cover).encode(), tell, page.end(cover).encode())
        case _:
            assert_never(form_of)


def _nowhere(_file: object) -> None:
    """A page on its own has no files beside it: they are named."""


def _told(tell: Callable[[Shown, Step], str], what: What) -> Callable[[Step, Record], bytes]:
    def told(step: Step, record: Record) -> bytes:
        one = shown(record.message, what)
        return tell(one, step).encode() if worth_showing(one) else b""

    return told
