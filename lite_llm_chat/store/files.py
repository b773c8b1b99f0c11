"""Uploaded files: a row says what a content-addressed file on disk is, and whose.

keep ─▶ row ─▶ get · page · texts · remove      each asks for the rows of one owner
                         ▲
         message_files ──┘ while a message refers to it, a file stays
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, select, tuple_
from sqlalchemy.dialects.sqlite import insert

from ..errors import Conflict, NotFound
from .tables import files, message_files

LOCAL = "local"  # the owner of everything, for there are no accounts


@dataclass(frozen=True, slots=True)
class StoredFile:
    """`id` is the SHA-256 of the bytes, in hexadecimal; `kind` is image, text, pdf or other; `text`
    is what a prompt can hold of it, `note` what has to be said of that."""

    id: str
    name: str
    media_type: str
    size_bytes: int
    created_at: datetime
    kind: str = "other"
    owner: str = LOCAL
    note: str | None = None
    text: str | None = None


_SHOWN = [files.c[name] for name in StoredFile.__slots__ if name != "text"]


def _owned(owner: str, *ids: str) -> ColumnElement[bool]:
    """The rows of an owner, all or those with some ids: the only way to any of them."""
    mine = files.c.owner == owner
    return and_(mine, files.c.id.in_(ids)) if ids else mine


def keep(conn: Connection, file: StoredFile) -> StoredFile:
    """The row of these bytes. Bytes that were here before keep their first name and day; what is
    known of them is as new as this."""
    values = {name: getattr(file, name) for name in StoredFile.__slots__}
    renewed = {name: values[name] for name in ("media_type", "kind", "note", "text")}
    statement = insert(files).values(values)
    statement = statement.on_conflict_do_update(
        index_elements=["id"], set_=renewed, where=files.c.owner == file.owner
    )
    conn.execute(statement)
    return get(conn, file.id, file.owner)


def get(conn: Connection, file_id: str, owner: str = LOCAL) -> StoredFile:
    """The row, without its text. Raises NotFound `file_not_found`."""
    row = conn.execute(select(*_SHOWN).where(_owned(owner, file_id))).one_or_none()
    if row is None:
        raise NotFound(
            "there is no such file: upload it, then name it by the id in the reply",
            code="file_not_found",
        )
    return StoredFile(**row._asdict())


def page(
    conn: Connection, after: str | None, limit: int, owner: str = LOCAL
) -> Sequence[StoredFile]:
    """At most `limit` rows without their texts, the newest first, behind the one with the id
    `after`. Raises NotFound `file_not_found` if there is none."""
    key = tuple_(files.c.created_at, files.c.id)
    wanted = select(*_SHOWN).where(_owned(owner))
    if after is not None:
        last = get(conn, after, owner)
        wanted = wanted.where(key < (last.created_at, last.id))
    wanted = wanted.order_by(files.c.created_at.desc(), files.c.id.desc()).limit(limit)
    return [StoredFile(**row._asdict()) for row in conn.execute(wanted)]


def texts(
    conn: Connection, ids: Sequence[str], owner: str = LOCAL
) -> Mapping[str, tuple[str | None, str | None]]:
    """The text and the note of each of some files that is here."""
    if not ids:
        return {}
    wanted = select(files.c.id, files.c.text, files.c.note).where(_owned(owner, *ids))
    return {row.id: (row.text, row.note) for row in conn.execute(wanted)}


def remove(conn: Connection, file_id: str, owner: str = LOCAL) -> None:
    """Forget a file. Raises NotFound `file_not_found`, or Conflict `file_in_use` while a message
    refers to it."""
    get(conn, file_id, owner)
    used = select(message_files.c.message_id).where(message_files.c.file_id == file_id).limit(1)
    if conn.execute(used).first() is not None:
        raise Conflict(
            "a message refers to this file: delete the session of that message for good first",
            code="file_in_use",
        )
    conn.execute(delete(files).where(_owned(owner, file_id)))
