"""What an export reads: whole sessions in small steps, and what stands around them.

    uids_after ─▶ head ─▶ its message ids ─▶ record · record · record …      files_after

Every function here is short: an export of any size is many transactions. Messages only grow and
never change but for the end of an answer, so what is read in several steps still fits together.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection

from ..domain import Message, Session
from . import messages, sessions
from .bare import first, run
from .codec import options_to_text, text_to_moment, text_to_options

_UIDS = (
    "SELECT uid, id FROM chat_sessions WHERE uid > ? AND deleted_at IS NULL ORDER BY uid LIMIT ?"
)
_IDS = "SELECT id, coalesce(parent_id, 0) FROM chat_messages WHERE session_id = ? ORDER BY id"
_MARKS = (
    "SELECT origin IS NOT NULL OR generation_id IS NOT NULL, source_id FROM chat_messages"
    " WHERE id = ?"
)
_PATH = (
    "WITH RECURSIVE up (id, parent_id, name, height) AS ("
    " SELECT id, parent_id, name, 0 FROM folders WHERE id = ?"
    " UNION ALL SELECT f.id, f.parent_id, f.name, up.height + 1"
    " FROM up JOIN folders AS f ON f.id = up.parent_id WHERE up.height < 100)"
    " SELECT name FROM up ORDER BY height DESC"
)
_FOLDERS = "SELECT id, retention_days FROM folders"
_PRESET = "SELECT name FROM presets WHERE id = ?"
_VERSIONS = (
    "SELECT p.id, p.name, v.version, v.provider, v.model, v.system_prompt, v.options, v.created_at"
    " FROM presets AS p LEFT JOIN preset_versions AS v ON v.preset_id = p.id"
    " ORDER BY p.name, p.id, v.version"
)
_FILES = (
    "SELECT id, name, media_type FROM files AS f WHERE id > ? AND EXISTS ("
    " SELECT 1 FROM message_files AS mf JOIN chat_messages AS m ON m.id = mf.message_id"
    " JOIN chat_sessions AS s ON s.id = m.session_id"
    " WHERE mf.file_id = f.id AND s.deleted_at IS NULL) ORDER BY id LIMIT ?"
)


class Head(NamedTuple):
    """A session without its messages. `ids` are those of all its messages, in their order, and
    `parents` those of their parents (0: none)."""

    session: Session
    folder: tuple[str, ...] | None
    preset: str | None
    ids: Sequence[int]
    parents: Sequence[int]


class Record(NamedTuple):
    """A message with what only an export says of it. `made`: somebody answered it, here or where
    it was imported from."""

    message: Message
    made: bool
    source_id: str | None


class Folder(NamedTuple):
    """A folder by the names on the way to it."""

    path: tuple[str, ...]
    retention_days: int | None


class File(NamedTuple):
    """An attached file; `id` is the SHA-256 of its bytes."""

    id: str
    name: str
    media_type: str


def uids_after(conn: Connection, uid: str, limit: int) -> Sequence[tuple[str, int]]:
    """Lasting names and ids of the next sessions by their names, trashed ones left out."""
    return run(conn, _UIDS, (uid, limit))


def head(conn: Connection, session_id: int) -> Head:
    """A session and the ids of its messages. Raises NotFound `session_not_found`."""
    session = sessions.get(conn, session_id)
    ids, parents = array("q"), array("q")
    for message_id, parent_id in run(conn, _IDS, (session_id,)):
        ids.append(message_id)
        parents.append(parent_id)
    folder = None if session.folder_id is None else _path(conn, session.folder_id)
    preset = first(conn, _PRESET, (session.preset_id,))
    return Head(session, folder, preset and preset[0], ids, parents)


def record(conn: Connection, message_id: int) -> Record:
    """A message, a live answer with what it says so far. Raises NotFound `message_not_found`."""
    message = messages.get(conn, message_id)
    [(made, source_id)] = run(conn, _MARKS, (message_id,))
    return Record(message, bool(made), source_id)


def _path(conn: Connection, folder_id: int) -> tuple[str, ...]:
    return tuple(name for (name,) in run(conn, _PATH, (folder_id,)))


def folders(conn: Connection) -> Sequence[Folder]:
    """Every folder, by path."""
    rows = run(conn, _FOLDERS)
    return sorted((Folder(_path(conn, id_), days) for id_, days in rows), key=lambda one: one.path)


def presets(conn: Connection) -> Sequence[Mapping[str, Any]]:
    """Every preset with all its versions, by name: `name` and `versions`, whose `options` are JSON
    text."""
    found: dict[int, dict[str, Any]] = {}
    for id_, name, version, provider, model, prompt, options, created in run(conn, _VERSIONS):
        preset = found.setdefault(id_, {"name": name, "versions": []})
        if version is not None:
            one = {
                "version": version,
                "provider": provider,
                "model": model,
                "system_prompt": prompt,
                "options": options_to_text(text_to_options(options)),
                "created_at": text_to_moment(created),
            }
            preset["versions"].append(one)
    return list(found.values())


def files_after(conn: Connection, file_id: str, limit: int) -> Sequence[File]:
    """The next files by id that a session outside the trash has attached."""
    return [File(*row) for row in run(conn, _FILES, (file_id, limit))]
