"""Links to snapshots: what a branch said when somebody made the link, for whoever has its token.

    token ─ SHA-256 ─▶ row ─▶ opened          nobody, if it expired, was taken back, or the
                        │                     session is in the trash
                        └─ file_of            only files of this snapshot, only if it has any

The token itself is stored nowhere. What was taken back keeps its row, without what it said.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from ..errors import NotFound
from . import sessions
from .bare import first, run
from .codec import moment_to_text, text_to_moment
from .records import File

_SHARES = "SELECT id, session_id, title, with_files, created_at, expires_at, revoked_at FROM shares"
_ONE = f"{_SHARES} WHERE id = ?"
_ALL = f"{_SHARES} ORDER BY id DESC LIMIT ? OFFSET ?"
_OF_SESSION = f"{_SHARES} WHERE session_id = ? ORDER BY id DESC LIMIT ? OFFSET ?"
_CREATE = (
    "INSERT INTO shares (token_hash, session_id, title, with_files, created_at, expires_at,"
    " snapshot) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id"
)
_ADD_FILE = "INSERT OR IGNORE INTO share_files (share_id, file_id) VALUES (?, ?)"
_REVOKE = "UPDATE shares SET revoked_at = ?, snapshot = '' WHERE id = ?"
_DROP_FILES = "DELETE FROM share_files WHERE share_id = ?"
_OPEN = (
    " FROM shares AS s JOIN chat_sessions AS c ON c.id = s.session_id"
    " WHERE s.token_hash = ? AND s.revoked_at IS NULL AND c.deleted_at IS NULL"
    " AND (s.expires_at IS NULL OR s.expires_at > ?)"
)
_OPENED = f"SELECT s.id, s.with_files, s.expires_at{_OPEN}"
_SNAPSHOT = "SELECT snapshot FROM shares WHERE id = ? AND revoked_at IS NULL"
_FILE = (
    "SELECT f.id, f.name, f.media_type FROM share_files AS sf JOIN files AS f ON f.id = sf.file_id"
    f" WHERE sf.file_id = ? AND sf.share_id = (SELECT s.id{_OPEN} AND s.with_files)"
)


class Share(NamedTuple):
    """A link as its maker sees it."""

    id: int
    session_id: int
    title: str
    with_files: bool
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewShare(NamedTuple):
    """A link that is about to be kept. `snapshot` is JSON text, `files` are the ids of those that
    go with it."""

    session_id: int
    token: str
    title: str
    snapshot: str
    files: Sequence[str] | None
    expires_at: datetime | None


class Opened(NamedTuple):
    """A link that leads somewhere now."""

    id: int
    with_files: bool
    expires_at: datetime | None


def _share(row: Any) -> Share:
    id_, session_id, title, with_files, created, expires, revoked = row
    return Share(
        id_,
        session_id,
        title,
        bool(with_files),
        text_to_moment(created),
        expires and text_to_moment(expires),
        revoked and text_to_moment(revoked),
    )


def _hashed(token: str) -> str:
    """A token has more than enough random bits: no salt and no slow hash are needed, and to look
    it up takes as long whatever it begins with."""
    return hashlib.sha256(token.encode()).hexdigest()


def create(conn: Connection, new: NewShare, at: datetime) -> Share:
    """Keep a link. Raises NotFound `session_not_found`."""
    sessions.get(conn, new.session_id)
    expires = new.expires_at and moment_to_text(new.expires_at)
    values = _hashed(new.token), new.session_id, new.title, new.files is not None
    [(share_id,)] = run(conn, _CREATE, (*values, moment_to_text(at), expires, new.snapshot))
    for file_id in new.files or ():
        run(conn, _ADD_FILE, (share_id, file_id))
    return get(conn, share_id)


def get(conn: Connection, share_id: int) -> Share:
    """A link. Raises NotFound `share_not_found`."""
    row = first(conn, _ONE, (share_id,))
    if row is None:
        raise NotFound(
            f"there is no share {share_id}: GET /shares lists those that exist",
            code="share_not_found",
        )
    return _share(row)


def page(conn: Connection, skip: int, limit: int) -> Sequence[Share]:
    """Links of all sessions, the newest first, those that lead nowhere any more too."""
    return [_share(row) for row in run(conn, _ALL, (limit, skip))]


def of_session(conn: Connection, session_id: int, skip: int, limit: int) -> Sequence[Share]:
    """A session's links, as `page`. Raises NotFound `session_not_found`."""
    sessions.get(conn, session_id)
    return [_share(row) for row in run(conn, _OF_SESSION, (session_id, limit, skip))]


def revoke(conn: Connection, share_id: int, at: datetime) -> None:
    """Take a link back: nothing of what it showed is kept. Raises NotFound `share_not_found`."""
    if get(conn, share_id).revoked_at is None:
        run(conn, _REVOKE, (moment_to_text(at), share_id))
        run(conn, _DROP_FILES, (share_id,))


def opened(conn: Connection, token: str, at: datetime) -> Opened | None:
    """The link of a token, None if it leads nowhere."""
    row = first(conn, _OPENED, (_hashed(token), moment_to_text(at)))
    return row and Opened(row[0], bool(row[1]), row[2] and text_to_moment(row[2]))


def snapshot(conn: Connection, share_id: int) -> str | None:
    """What a link shows, as JSON text; None if it was taken back."""
    row = first(conn, _SNAPSHOT, (share_id,))
    return row and row[0]


def file_of(conn: Connection, token: str, file_id: str, at: datetime) -> File | None:
    """A file that a link shows, None if it shows no such file."""
    row = first(conn, _FILE, (file_id, _hashed(token), moment_to_text(at)))
    return row and File(*row)
