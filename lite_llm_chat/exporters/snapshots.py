"""What a link shows: made once from a branch, kept as JSON text, turned into a page when asked for.

    head ─▶ path ─▶ records ─▶ shown ─▶ Snapshot ─▶ text        later messages are not in it
                                           text ─▶ page, public JSON

Of a person's things nothing is in it but the words, and what was asked to be in it: no system
prompt, no folder, no id of a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from ..domain import Attachment
from ..errors import Conflict, NotFound, TooLarge
from ..store import records
from ..store.codec import damaged
from ..store.database import Connection
from . import chosen, page
from .chosen import Step
from .form import moment
from .markdown import day
from .shown import Shown, Snapshot, What, Words, shown, worth_showing

LARGEST = 4 * 1024 * 1024  # bytes of a snapshot: it is made in one piece and shown in one
_decode = msgspec.json.Decoder(Snapshot).decode
_encode = msgspec.json.Encoder().encode


def taken(
    conn: Connection, session_id: int, message_id: int | None, what: What, at: datetime
) -> Snapshot:
    """The branch of a session that ends in a message (None: the active one), as it is now. Raises
    NotFound, Conflict `nothing_to_share` or TooLarge `share_too_large`."""
    head = records.head(conn, session_id)
    if message_id is not None and chosen.number(head.ids, message_id) is None:
        raise NotFound(
            f"there is no message {message_id} in this session", code="message_not_found"
        )
    said: list[Shown] = []
    size = 0
    for one in chosen.path(head, message_id or head.session.leaf_id):
        message = shown(records.record(conn, one).message, what)
        if message.role == "system" or not worth_showing(message):
            continue
        said.append(message)
        size += len(_encode(message))
        if size > LARGEST:
            raise TooLarge(
                f"this branch is over {LARGEST} bytes: share it up to an earlier message, or export"
                " it as a file",
                code="share_too_large",
            )
    if not said:
        raise Conflict("nothing was said in this session yet", code="nothing_to_share")
    return Snapshot(head.session.title, head.session.created_at, at, tuple(said))


def to_text(snapshot: Snapshot) -> str:
    """A snapshot as it is kept."""
    return _encode(snapshot).decode()


def from_text(text: str) -> Snapshot:
    """The snapshot that was kept. Raises StorageUnavailable if it was damaged."""
    try:
        return _decode(text)
    except ValueError as cause:
        raise damaged() from cause


def files(snapshot: Snapshot) -> Sequence[str]:
    """The ids of the files in a snapshot."""
    return list(dict.fromkeys(file.id for one in snapshot.messages for file in one.files))


def public(snapshot: Snapshot, folder: str, expires_at: datetime | None) -> bytes:
    """A snapshot for programs. `folder` is where its files are."""

    def fields(one: Shown) -> dict[str, object]:
        return {
            "role": one.role,
            "created_at": moment(one.created_at),
            "model": one.said_by,
            "status": one.status,
            "content": "".join(block.text for block in one.blocks if isinstance(block, Words)),
            "parts": one.blocks,
            "attachments": [
                {**msgspec.to_builtins(file), "url": f"{folder}/{file.id}"} for file in one.files
            ],
        }

    return _encode(
        {
            "title": snapshot.title,
            "created_at": moment(snapshot.created_at),
            "shared_at": moment(snapshot.shared_at),
            "expires_at": moment(expires_at),
            "messages": [fields(one) for one in snapshot.messages],
        }
    )


def paged(snapshot: Snapshot, folder: str, expires_at: datetime | None) -> bytes:
    """A snapshot as a page. `folder` is where its files are."""

    def url_of(file: Attachment) -> str:
        return f"{folder}/{file.id}"

    until = f" This link works until {day(expires_at)}." if expires_at else ""
    lines = f"{len(snapshot.messages)} messages", f"shared {day(snapshot.shared_at)}"
    below = f"A conversation as it was on {day(snapshot.shared_at)}, shared read-only.{until}"
    cover = page.Cover(snapshot.title, snapshot.created_at, lines, below)
    said = (page.message(one, Step(0), url_of) for one in snapshot.messages)
    return "".join((page.start(cover), *said, page.end(cover))).encode()
