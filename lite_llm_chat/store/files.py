"""Uploaded files: a row says what a content-addressed file on disk is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from ..errors import NotFound
from .tables import files


@dataclass(frozen=True, slots=True)
class StoredFile:
    """`id` is the SHA-256 of the bytes, in hexadecimal; `text` is what a prompt can hold of it."""

    id: str
    name: str
    media_type: str
    size_bytes: int
    created_at: datetime
    kind: str = "other"
    text: str | None = None
    owner: str = "local"


def keep(conn: Connection, file: StoredFile) -> StoredFile:
    """The row of these bytes; bytes that were here before keep their first name."""
    values = {name: getattr(file, name) for name in StoredFile.__slots__}
    conn.execute(insert(files).values(values).on_conflict_do_nothing())
    return get(conn, file.id)


def get(conn: Connection, file_id: str) -> StoredFile:
    """The row. Raises NotFound `file_not_found`."""
    row = conn.execute(select(files).where(files.c.id == file_id)).one_or_none()
    if row is None:
        raise NotFound("there is no such file", code="file_not_found")
    return StoredFile(**row._asdict())
