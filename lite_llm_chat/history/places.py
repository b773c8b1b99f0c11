"""Where sessions are put: folders in each other, tags, one change to many sessions.

    folder ─▶ fits? (its name is free there, not too deep, not in itself) ─▶ row
    change ─▶ every session that is there ─▶ Outcome(changed, missing)

Functions with a connection run in a write transaction; the others go in steps, because they may
touch every session.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from ..domain import Session
from ..errors import Conflict, NotFound
from ..store import folders, sessions, tags
from ..store.database import Connection, Database
from ..store.folders import Folder

DEEPEST = 8  # folders in each other
MOST_TAGS = 32  # of a session
STEP = 500  # sessions that a tag is changed on in one transaction …
BULK_STEP = 100  # … and sessions of a bulk action

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """What is done to many sessions: columns that are set, tags that are put on and taken off."""

    values: Values
    more_tags: tuple[str, ...] = ()
    less_tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many sessions are another now than before, and who was not there."""

    changed: int
    missing: tuple[int, ...] = ()


def change_many(conn: Connection, ids: Sequence[int], change: Change) -> Outcome:
    """Change sessions; those in the trash are missing. Raises NotFound `folder_not_found`, or
    Conflict `too_many_tags`: then nothing is changed."""
    require_folder(conn, change.values)
    changed, missing = 0, []
    for session_id in ids:
        session = sessions.lying(conn, session_id)
        if session is None or session.deleted_at is not None:
            missing.append(session_id)
        else:
            changed += _changed(conn, session, change)
    return Outcome(changed, tuple(missing))


def _changed(conn: Connection, session: Session, change: Change) -> bool:
    other = {name: new for name, new in change.values.items() if _differs(session, name, new)}
    if other:
        sessions.put(conn, session.id, other)
    moved = tags.add(conn, session.id, change.more_tags)
    if moved and tags.count_of(conn, session.id) > MOST_TAGS:
        raise Conflict(
            f"session {session.id} would have more than {MOST_TAGS} tags: take some off first",
            code="too_many_tags",
        )
    moved += tags.take(conn, session.id, change.less_tags)
    return bool(other or moved)


def _differs(session: Session, name: str, new: object) -> bool:
    """Whether a column would change; an archived session keeps the moment it was archived at."""
    now = getattr(session, name)
    return (now is None) != (new is None) if name == "archived_at" else bool(now != new)


def put(conn: Connection, session: Session, values: Values) -> None:
    """Set where one session is put: columns, and `tags`, the whole of them. Raises NotFound
    `folder_not_found`."""
    require_folder(conn, values)
    columns = {name: new for name, new in values.items() if name != "tags"}
    other = {name: new for name, new in columns.items() if _differs(session, name, new)}
    if other:
        sessions.put(conn, session.id, other)
    if "tags" in values:
        tags.set_of(conn, session.id, values["tags"])


def require_folder(conn: Connection, values: Values) -> None:
    """Raises NotFound `folder_not_found` if a session is to go where nothing is."""
    if values.get("folder_id") is not None:
        folders.get(conn, values["folder_id"])


# ── folders ───────────────────────────────────────────────────────────────────────────────────


def make_folder(conn: Connection, values: Values, at: datetime) -> Folder:
    """A new folder. Raises NotFound `folder_not_found`; Conflict `folder_exists`,
    `folder_too_deep`."""
    _require_fit(folders.all_of(conn), None, values["name"], values["parent_id"])
    return folders.get(conn, folders.create(conn, values, at))


def change_folder(conn: Connection, folder_id: int, values: Values) -> Folder:
    """Rename it, move it, or keep its sessions longer. Raises as `make_folder`, and Conflict
    `folder_in_itself`."""
    folder = folders.get(conn, folder_id)
    name = values.get("name", folder.name)
    parent_id = values.get("parent_id", folder.parent_id)
    _require_fit(folders.all_of(conn), folder, name, parent_id)
    if values:
        folders.change(conn, folder_id, values)
    return folders.get(conn, folder_id)


def _require_fit(
    everyone: Mapping[int, Folder], folder: Folder | None, name: str, parent_id: int | None
) -> None:
    """Whether a folder (None: a new one) may have a name and lie in another one."""
    if parent_id is not None and parent_id not in everyone:
        raise folders.missing(parent_id)
    path = path_to(everyone, parent_id)
    if folder is not None and folder in path:
        raise Conflict(
            f"folder {folder.id} cannot be put into itself or into one that lies in it",
            code="folder_in_itself",
        )
    height = 1 if folder is None else _height(everyone, folder.id)
    if len(path) + height > DEEPEST:
        raise Conflict(
            f"folders lie in each other at most {DEEPEST} deep: put this one higher up",
            code="folder_too_deep",
        )
    beside = (one for one in everyone.values() if one.parent_id == parent_id and one != folder)
    if any(one.name == name for one in beside):
        raise Conflict(
            f"there is a folder {name!r} in the same place: choose another name",
            code="folder_exists",
        )


def path_to(everyone: Mapping[int, Folder], folder_id: int | None) -> list[Folder]:
    """A folder and those that it lies in, the innermost first; empty for None."""
    path: list[Folder] = []
    while folder_id is not None:
        path.append(everyone[folder_id])
        folder_id = path[-1].parent_id
    return path


def below(everyone: Mapping[int, Folder], folder_id: int) -> list[int]:
    """A folder and all that lie in it, the innermost last."""
    found = [folder_id]
    for one in found:
        found += [each.id for each in everyone.values() if each.parent_id == one]
    return found


def _height(everyone: Mapping[int, Folder], folder_id: int) -> int:
    inner = [one.id for one in everyone.values() if one.parent_id == folder_id]
    return 1 + max((_height(everyone, one) for one in inner), default=0)


async def retag(database: Database, tag: str, other: str | None) -> None:
    """Give every session that has a tag another one in its place (None: take it off), in steps.
    Raises NotFound `tag_not_found`."""
    if not await database.read(partial(tags.is_there, tag=tag)):
        raise NotFound(
            f"no session has the tag {tag!r}: GET /tags lists those that exist",
            code="tag_not_found",
        )
    if other == tag:
        return
    while await database.write(partial(tags.replace, tag=tag, other=other, most=STEP)):
        pass


async def change_all(database: Database, ids: Sequence[int], change: Change) -> Outcome:
    """`change_many`, so many in a transaction that nobody waits for it."""
    changed, missing = 0, list[int]()
    for start in range(0, len(ids), BULK_STEP):
        part = ids[start : start + BULK_STEP]
        outcome = await database.write(partial(change_many, ids=part, change=change))
        changed += outcome.changed
        missing += outcome.missing
    return Outcome(changed, tuple(missing))
