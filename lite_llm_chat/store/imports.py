"""Imports: what was brought, and the rows that it becomes.

    imports ◀─ begin · settle · page                   the record of each import
    find ─▶ Here ─▶ match ─▶ Spot │ None               what is here of a conversation already
    add_session · add ─▶ rows ─▶ show                  what is new of it

An imported message has an `origin` and no generation. A conversation that takes more than one
transaction is not shown until it is whole: it counts as deleted in the year 9999 until then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from ..errors import NotFound
from .bare import first, run
from .codec import moment_to_text
from .files import LOCAL
from .places import folders, imports, preset_versions, presets, session_tags
from .tables import sessions
from .trash import UNFINISHED

_ADD = (
    "INSERT INTO chat_messages (session_id, parent_id, depth, role, content, created_at,"
    " reasoning, parts, call_id, origin, source_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    " RETURNING id"
)
_ATTACH = "INSERT INTO message_files (message_id, position, file_id) VALUES (?, ?, ?)"
_FIND_BY_UID = "SELECT id, leaf_id, deleted_at, title FROM chat_sessions WHERE uid = ?"
_FIND = (
    "SELECT id, leaf_id, deleted_at, title FROM chat_sessions WHERE source = ? AND source_id = ?"
)
_SPOTS = (
    "SELECT id, depth, created_at, source_id, parent_id, role FROM chat_messages"
    " WHERE session_id = ? ORDER BY id"
)
_IS_BEFORE = (
    "WITH RECURSIVE path (id) AS (SELECT ? UNION ALL SELECT child.parent_id"
    " FROM path JOIN chat_messages AS child ON child.id = path.id"
    " WHERE child.parent_id IS NOT NULL) SELECT 1 FROM path WHERE id = ?"
)
_SHOW = (
    "UPDATE chat_sessions SET deleted_at = NULL, leaf_id = ?, updated_at = ?"
    " WHERE id = ? AND deleted_at = ?"
)
_GROW = (
    "UPDATE chat_sessions SET leaf_id = coalesce(?, leaf_id), updated_at = max(updated_at, ?)"
    " WHERE id = ?"
)


# ── the record ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Import:
    """One import; `report` is JSON text."""

    id: str
    name: str
    dry_run: bool
    status: str
    created_at: datetime
    ended_at: datetime | None
    report: str


def begin(conn: Connection, one: Import) -> None:
    """A new one."""
    conn.execute(insert(imports).values(**{name: getattr(one, name) for name in one.__slots__}))


def settle(
    conn: Connection, import_id: str, status: str, ended_at: datetime | None, report: str
) -> None:
    """How it goes, or how it went."""
    values = {"status": status, "ended_at": ended_at, "report": report}
    conn.execute(update(imports).where(imports.c.id == import_id).values(**values))


def get(conn: Connection, import_id: str) -> Import:
    """Raises NotFound `import_not_found`."""
    row = conn.execute(select(imports).where(imports.c.id == import_id)).one_or_none()
    if row is None:
        raise NotFound(
            "there is no such import: GET /imports lists those that are known",
            code="import_not_found",
        )
    return Import(**row._asdict())


def page(conn: Connection, limit: int) -> Sequence[Import]:
    """The newest ones, newest first."""
    wanted = select(imports).order_by(imports.c.created_at.desc(), imports.c.id.desc())
    return [Import(**row._asdict()) for row in conn.execute(wanted.limit(limit))]


def forget_old(conn: Connection, keep: int) -> Sequence[str]:
    """Forget all but the newest ones; the ids of those that are forgotten."""
    newest = select(imports.c.id).order_by(imports.c.created_at.desc(), imports.c.id.desc())
    old = [row.id for row in conn.execute(newest.offset(keep))]
    conn.execute(delete(imports).where(imports.c.id.in_(old)))
    return old


def interrupt(conn: Connection, at: datetime) -> int:
    """End what an earlier process left running; how many there were."""
    left = update(imports).where(imports.c.status == "running")
    return conn.execute(left.values(status="interrupted", ended_at=at)).rowcount


# ── what is here already ──────────────────────────────────────────────────────────────────────


class Spot(NamedTuple):
    """A message that is here: where another one can follow it."""

    id: int
    depth: int


Place = tuple[int | None, str, str]  # the parent's id, the role, the moment as a row has it


@dataclass(slots=True)
class Here:
    """A session that is here, and its messages by their names at the source and by their places.
    `match` takes each place's messages in their order: ask once for each."""

    session_id: int
    leaf_id: int | None
    title: str
    in_trash: bool
    by_source: dict[str, Spot] = field(default_factory=dict)
    by_place: defaultdict[Place, list[Spot]] = field(default_factory=lambda: defaultdict(list))

    def match(self, source_id: str | None, place: Place | None) -> Spot | None:
        """The message that is this one, if it is here."""
        if source_id is not None:
            return self.by_source.get(source_id)
        found = self.by_place.get(place) if place is not None else None
        return found.pop(0) if found else None


def find(conn: Connection, uid: str | None, source: tuple[str, str] | None) -> Here | None:
    """The session that was exported under this uid or imported from there, if it is here."""
    row = first(conn, _FIND_BY_UID, (uid,)) if uid is not None else None
    if row is None and source is not None:
        row = first(conn, _FIND, source)
    if row is None:
        return None
    session_id, leaf_id, deleted_at, title = row
    here = Here(session_id, leaf_id, title, deleted_at is not None)
    for id_, depth, at, source_id, parent_id, role in run(conn, _SPOTS, (session_id,)):
        if source_id is not None:
            here.by_source[source_id] = Spot(id_, depth)
        else:
            here.by_place[parent_id, role, at].append(Spot(id_, depth))
    return here


# ── what is new ───────────────────────────────────────────────────────────────────────────────


def add_session(conn: Connection, values: Mapping[str, Any], tags: Iterable[str]) -> int:
    """A new session; its id."""
    row = conn.execute(insert(sessions).values(**values).returning(sessions.c.id)).one()
    for tag in tags:
        conn.execute(insert(session_tags).values(session_id=row.id, tag=tag))
    return int(row.id)


class New(NamedTuple):
    """A message that is about to be added, in the columns' own words."""

    role: str
    content: str
    created_at: str
    reasoning: str | None
    parts: str | None
    call_id: str | None
    origin: str | None
    source_id: str | None
    files: tuple[str, ...]


def add(conn: Connection, session_id: int, parent: Spot | None, new: New) -> Spot:
    """A new message under a parent (None: a root)."""
    parent_id, depth = (None, 1) if parent is None else (parent.id, parent.depth + 1)
    [(message_id,)] = run(conn, _ADD, (session_id, parent_id, depth, *new[:-1]))
    for position, file_id in enumerate(new.files):
        run(conn, _ATTACH, (message_id, position, file_id))
    return Spot(message_id, depth)


def show(conn: Connection, session_id: int, leaf_id: int | None, at: datetime) -> None:
    """A session that was not shown is whole."""
    moments = moment_to_text(at), session_id, moment_to_text(UNFINISHED)
    run(conn, _SHOW, (leaf_id, *moments))


def grow(conn: Connection, here: Here, active: Spot | None, at: datetime) -> None:
    """Messages were added to a session that was here. Its branch is gone on with where the new
    end is a descendant of the present one; else it stays where a person left it."""
    ahead = active is not None and (
        here.leaf_id is None or first(conn, _IS_BEFORE, (active.id, here.leaf_id)) is not None
    )
    leaf_id = active.id if active is not None and ahead else None
    run(conn, _GROW, (leaf_id, moment_to_text(at), here.session_id))


# ── where it is put ───────────────────────────────────────────────────────────────────────────


def folder(
    conn: Connection, path: Sequence[str], at: datetime, retention_days: int | None = None
) -> int | None:
    """The folder at a path, made where it is not there; None for no path."""
    parent: int | None = None
    for depth, name in enumerate(path, start=1):
        level = folders.c.parent_id.is_(None) if parent is None else folders.c.parent_id == parent
        wanted = select(folders.c.id).where(folders.c.name == name[:255], level).limit(1)
        row = conn.execute(wanted.order_by(folders.c.id)).one_or_none()
        if row is None:
            days = retention_days if depth == len(path) else None
            values = {"name": name[:255], "parent_id": parent, "retention_days": days}
            made = insert(folders).values(**values, created_at=at).returning(folders.c.id)
            row = conn.execute(made).one()
        parent = int(row.id)
    return parent


def preset(conn: Connection, name: str) -> int | None:
    """The preset of a name."""
    wanted = select(presets.c.id).where(presets.c.name == name).order_by(presets.c.id).limit(1)
    row = conn.execute(wanted).one_or_none()
    return None if row is None else int(row.id)


def add_preset(conn: Connection, name: str, versions: Sequence[Mapping[str, Any]]) -> None:
    """A preset with its versions. Of one that is here, the versions that are here stay as they
    are, and those that are not are added."""
    preset_id = preset(conn, name)
    newest = max(versions, key=lambda one: int(one["version"]))
    if preset_id is None:
        values = {"name": name, "version": newest["version"], "updated_at": newest["created_at"]}
        made = insert(presets).values(**values, created_at=versions[0]["created_at"])
        preset_id = int(conn.execute(made.returning(presets.c.id)).one().id)
    had = select(preset_versions.c.version).where(preset_versions.c.preset_id == preset_id)
    known = {row.version for row in conn.execute(had)}
    for one in versions:
        if one["version"] not in known:
            conn.execute(insert(preset_versions).values(preset_id=preset_id, **one))
    if known and newest["version"] > max(known):
        changed = {"version": newest["version"], "updated_at": newest["created_at"]}
        conn.execute(update(presets).where(presets.c.id == preset_id).values(**changed))


def files_here(conn: Connection, ids: Sequence[str], owner: str = LOCAL) -> set[str]:
    """Those of some files that have a row."""
    marks = ", ".join("?" * len(ids))
    wanted = f"SELECT id FROM files WHERE owner = ? AND id IN ({marks})"
    return {id_ for (id_,) in run(conn, wanted, (owner, *ids))}
