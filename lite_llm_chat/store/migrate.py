"""Bring a database file to the newest revision before anyone uses it.

new file ─▶ the tables of tables.py, stamped with the newest revision
plain two-table file ─▶ snapshot ─▶ stamp 0001 ─────▶ 0002
our older file ───────▶ snapshot ───────────────────▶ newest
our newest file ─▶ nothing to do (the migration library is not even imported)

A snapshot is checked before anything is migrated, and takes the place of one that an earlier try
left under the same name. Those of the last three migrations are kept.

That a new file and a migrated one are the same is held by a test.
"""

from __future__ import annotations

import logging
import os
import re
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError

from ..errors import StartupError
from . import places as _places  # noqa: F401  its tables join the metadata
from .backup import BackupError, Why, snapshot
from .location import Location
from .tables import REVISION, SEARCH_INDEX, TERMINAL_TRIGGER, metadata

BEFORE = ".before-"
KEPT_SNAPSHOTS = 3

_MENDS: dict[Why, str] = {
    "full": "make room on its disk",
    "damaged": "the file is damaged, restore a backup",
    "place": "check the rights of its folder",
    "other": "check its disk and the rights of its folder",
}

log = logging.getLogger("lite_llm_chat.store")


def migrate(engine: Engine, location: Location) -> None:
    """Raises StartupError if the file is no database, is damaged, or is newer than this code."""
    try:
        with engine.connect() as conn:
            revision, tables = _state(conn)
        if revision == REVISION:
            return
        if not tables:
            _create(engine, searched=not location.in_memory)
            return
        _keep_snapshot(location)
        log.info("database file of an earlier version found: migrating it")
        _upgrade(engine, stamp="0001" if revision is None else None)
        _forget_old(location)
    except DatabaseError as cause:
        raise StartupError(
            f"the database file {location.path.name} cannot be read as this server's database:"
            " point DATABASE_URL elsewhere, or restore a backup"
        ) from cause


def _keep_snapshot(location: Location) -> None:
    place = location.path.with_name(f"{location.path.name}{BEFORE}{REVISION}")
    try:
        snapshot(location.path, place)
    except BackupError as cause:
        raise StartupError(
            f"no snapshot of the database file {location.path.name} could be made, so it was not"
            f" migrated: {_MENDS.get(cause.why, _MENDS['other'])}"
        ) from cause
    log.info("a snapshot of the database was kept as %s", place.name)


def snapshots(database: Path) -> list[Path]:
    """The snapshots that were taken of a database before its migrations, the newest first."""
    named = re.compile(re.escape(database.name + BEFORE) + r"\d{4}", re.ASCII)
    with os.scandir(database.parent) as entries:
        found = [
            (entry.stat().st_mtime_ns, Path(entry.path))
            for entry in entries
            if named.fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
        ]
    return [path for _, path in sorted(found, reverse=True)]


def _forget_old(location: Location) -> None:
    """Keep the snapshots of the last migrations only."""
    for path in snapshots(location.path)[KEPT_SNAPSHOTS:]:
        with suppress(OSError):
            path.unlink()
            log.info("the old snapshot %s was deleted", path.name)


def _state(conn: Connection) -> tuple[str | None, frozenset[str]]:
    names = frozenset(
        conn.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars()
    ) - {"sqlite_sequence"}
    if "alembic_version" not in names:
        if names and not {"chat_sessions", "chat_messages"} <= names:
            raise StartupError(
                "the database file holds other tables than this server's: point DATABASE_URL"
                " to a file of its own"
            )
        return None, names
    revision = conn.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    if revision is not None and revision > REVISION:
        raise StartupError(
            f"the database file was written by a newer version (revision {revision}, this one"
            f" knows {REVISION}): update this server, or restore an older backup"
        )
    return revision, names - {"alembic_version"}


def _create(engine: Engine, *, searched: bool) -> None:
    """`searched`: somebody looks for words in it."""
    with engine.connect() as conn, conn.begin():
        metadata.create_all(conn)
        for statement in (TERMINAL_TRIGGER, *(SEARCH_INDEX if searched else ())):
            conn.exec_driver_sql(statement)
        conn.exec_driver_sql(
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
            " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
        )
        conn.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (REVISION,))


def _upgrade(engine: Engine, *, stamp: str | None) -> None:
    # Needed only when there is something to migrate: a quarter of the start-up time otherwise.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.connect() as conn, conn.begin():
        config.attributes["connection"] = conn
        if stamp is not None:
            command.stamp(config, stamp)
        command.upgrade(config, "head")
