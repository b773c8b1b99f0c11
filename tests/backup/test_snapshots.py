"""The snapshot before a migration: of the very file that is migrated, checked, a few of them kept.

plain file ─▶ start ─▶ chat.db.before-<revision> ─▶ listed · restored ─▶ the plain file again
"""

from __future__ import annotations

import os
import resource
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lite_llm_chat.errors import StartupError
from lite_llm_chat.store import backup_folder
from lite_llm_chat.store.backup import restore
from lite_llm_chat.store.database import Database
from lite_llm_chat.store.location import Location
from lite_llm_chat.store.migrate import KEPT_SNAPSHOTS
from lite_llm_chat.store.tables import REVISION
from tests.durability import legacy
from tests.durability.processes import names_in

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SNAPSHOT = f"chat.db.before-{REVISION}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of the plain product."""
    legacy.make(tmp_path / "chat.db")
    return tmp_path / "chat.db"


async def opened(path: Path) -> None:
    database = Database(Location(path))
    await database.open()
    await database.close()


async def test_a_snapshot_of_an_earlier_try_is_replaced_by_one_of_now(path: Path) -> None:
    before = legacy.dump(path)
    path.with_name(SNAPSHOT).write_bytes(b"of a file that was changed since")
    await opened(path)
    assert legacy.dump(path.with_name(SNAPSHOT)) == before


async def test_the_snapshots_of_the_last_migrations_are_kept_and_nothing_else_is_touched(
    path: Path,
) -> None:
    others = ["chat.db.before-restore-20260102T030405Z", "chat.db.before-0001.old", "chat.db.other"]
    for age, name in enumerate(
        ["chat.db.before-0000", "chat.db.before-0001", "chat.db.before-0002"]
    ):
        path.with_name(name).write_text(name)
        os.utime(path.with_name(name), (age, age))
    for name in others:
        path.with_name(name).write_text(name)
        os.utime(path.with_name(name), (0, 0))
    await opened(path)
    kept = ["chat.db.before-0001", "chat.db.before-0002", SNAPSHOT]
    assert len(kept) == KEPT_SNAPSHOTS
    assert names_in(path.parent) == sorted(["chat.db", "chat.db.lock", *kept, *others])


async def test_without_room_for_a_snapshot_nothing_is_migrated_and_nothing_forgotten(
    path: Path,
) -> None:
    with closing(sqlite3.connect(path)) as file, file:
        row = "INSERT INTO chat_messages (session_id, role, content) VALUES (1, 'user', ?)"
        file.executemany(row, [("word " * 200,)] * 200)
    before = legacy.dump(path)
    earlier = path.with_name("chat.db.before-0001")
    earlier.write_text("an older one")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, limits[1]))
    try:
        with pytest.raises(StartupError, match="it was not migrated: make room on its disk"):
            await opened(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert legacy.dump(path) == before
    left = [name for name in names_in(path.parent) if "before" in name]
    assert left == [earlier.name]


async def test_a_snapshot_is_listed_and_can_be_restored(path: Path, tmp_path: Path) -> None:
    before = legacy.dump(path)
    await opened(path)
    [one] = backup_folder.listed(tmp_path / "backups", path)
    assert (one.name, one.kind, one.revision, one.verified) == (SNAPSHOT, "migration", "0001", True)
    restore(path.with_name(SNAPSHOT), Location(path), AT)
    assert legacy.dump(path) == before
    await opened(path)
