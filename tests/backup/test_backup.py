"""A backup is the whole database at one moment, or a sentence that says why there is none."""

from __future__ import annotations

import resource
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lite_llm_chat.store import backup
from lite_llm_chat.store.backup import BackupError, back_up, restore
from lite_llm_chat.store.database import Database
from lite_llm_chat.store.location import Location, Lock
from standins.behaviours import Stall
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product
from tests.durability import oracle
from tests.durability.processes import Server, names_in

from .command import lite_llm_chat

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KEPT = "chat.db.before-restore-20260102T030405Z"


async def make(path: Path, *titles: str) -> Path:
    """A database with some sessions, as a server leaves it."""
    database = Database(Location(path))
    await database.open()
    await database.close()
    say(path, *(f"INSERT INTO chat_sessions {titled(title)}" for title in titles))
    return path


def titled(title: str) -> str:
    row = f"'{title}', 'deepseek', 'deepseek-chat', '2026-01-01', '2026-01-01'"
    return f"(title, provider, model, created_at, updated_at) VALUES ({row})"


def say(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as file, file:
        for statement in statements:
            file.execute(statement)


def titles(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as file:
        return [row[0] for row in file.execute("SELECT title FROM chat_sessions ORDER BY id")]


# ── taken ─────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_committed_is_in_a_backup_and_what_is_not_is_not(tmp_path: Path) -> None:
    source = await make(tmp_path / "chat.db", "one")
    with closing(sqlite3.connect(source)) as writer:
        writer.execute(f"INSERT INTO chat_sessions {titled('two')}")
        writer.commit()  # it is in the write-ahead log only
        writer.execute(f"INSERT INTO chat_sessions {titled('three')}")
        size = back_up(source, tmp_path / "copy.db")
        writer.rollback()
    assert titles(tmp_path / "copy.db") == ["one", "two"]
    assert (tmp_path / "copy.db").stat().st_size == size


async def test_a_backup_is_its_owners_alone_and_leaves_nothing_else(tmp_path: Path) -> None:
    source = await make(tmp_path / "chat.db", "one")
    (tmp_path / "safe").mkdir()
    back_up(source, tmp_path / "safe" / "copy.db")
    assert names_in(tmp_path / "safe") == ["copy.db"]
    assert (tmp_path / "safe" / "copy.db").stat().st_mode & 0o777 == 0o600


async def test_an_existing_file_is_replaced_only_if_that_is_said(tmp_path: Path) -> None:
    source = await make(tmp_path / "chat.db", "one")
    target = tmp_path / "copy.db"
    target.write_text("precious")
    with pytest.raises(BackupError, match="say --replace"):
        back_up(source, target)
    assert target.read_text() == "precious"
    back_up(source, target, replace=True)
    assert titles(target) == ["one"]


async def test_the_database_is_never_its_own_backup(tmp_path: Path) -> None:
    source = await make(tmp_path / "chat.db", "one")
    with pytest.raises(BackupError, match="the database itself"):
        back_up(source, source, replace=True)
    with pytest.raises(BackupError, match="the database itself"):
        restore(source, Location(source), AT)
    assert titles(source) == ["one"]


def test_a_database_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match=r"there is no database .*none\.db"):
        back_up(tmp_path / "none.db", tmp_path / "copy.db")
    assert names_in(tmp_path) == []


async def test_a_target_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    source = await make(tmp_path / "chat.db", "one")
    with pytest.raises(BackupError, match="No such file or directory"):
        back_up(source, tmp_path / "nowhere" / "copy.db")
    with pytest.raises(BackupError, match="is a folder"):
        back_up(source, tmp_path)


async def test_a_full_disk_is_said_and_leaves_no_part_of_a_backup(tmp_path: Path) -> None:
    source = await make(tmp_path / "chat.db", *["a title" * 30] * 1_000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, limits[1]))
    try:
        with pytest.raises(BackupError, match=r"no space left for .*/copy\.db: make room"):
            back_up(source, tmp_path / "copy.db")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert names_in(tmp_path) == ["chat.db", "chat.db.lock"]


async def test_a_damaged_database_is_not_copied(tmp_path: Path) -> None:
    source = await make(tmp_path / "chat.db", *["a title" * 30] * 1_000)
    damaged = bytearray(source.read_bytes())
    damaged[len(damaged) // 2 :] = b"\xa5" * (len(damaged) - len(damaged) // 2)
    source.write_bytes(damaged)
    with pytest.raises(BackupError, match="is damaged"):
        back_up(source, tmp_path / "copy.db")
    assert names_in(tmp_path) == ["chat.db", "chat.db.lock"]


async def test_rows_without_their_parents_are_no_backup(tmp_path: Path) -> None:
    source = await make(tmp_path / "chat.db", "one")
    say(source, "INSERT INTO events VALUES ('nobody', 1, 'text', '{}')")
    with pytest.raises(BackupError, match="the database is damaged"):
        back_up(source, tmp_path / "copy.db")


async def test_a_large_copy_is_synced_bit_by_bit_and_says_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = await make(tmp_path / "chat.db", *["a title" * 30] * 40_000)
    monkeypatch.setattr(backup, "SYNC_BYTES", 1_000_000)
    heard: list[int] = []
    size = back_up(source, tmp_path / "copy.db", tell=heard.append)
    assert len(heard) > 3
    assert heard == sorted(heard)
    assert heard[-1] <= size


# ── put back ──────────────────────────────────────────────────────────────────────────────────


async def test_a_restored_backup_is_the_database_and_the_old_file_is_kept(tmp_path: Path) -> None:
    path = await make(tmp_path / "chat.db", "one")
    back_up(path, tmp_path / "copy.db")
    say(path, f"INSERT INTO chat_sessions {titled('two')}")
    assert restore(tmp_path / "copy.db", Location(path), AT) == tmp_path / KEPT
    assert titles(path) == ["one"]
    assert titles(tmp_path / KEPT) == ["one", "two"]
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_killed_servers_log_is_kept_with_the_old_file(tmp_path: Path) -> None:
    path = await make(tmp_path / "chat.db", "one")
    back_up(path, tmp_path / "copy.db")
    with closing(sqlite3.connect(path)) as killed:  # its log stays, as no one closes it
        killed.execute(f"INSERT INTO chat_sessions {titled('two')}")
        killed.commit()
        restore(tmp_path / "copy.db", Location(path), AT)
        assert titles(path) == ["one"]
        assert titles(tmp_path / KEPT) == ["one", "two"]


async def test_a_damaged_database_is_replaced_too_and_kept_as_it_is(tmp_path: Path) -> None:
    path = await make(tmp_path / "chat.db", "one")
    back_up(path, tmp_path / "copy.db")
    path.write_bytes(b"no database at all" * 1_000)
    path.with_name("chat.db-wal").write_bytes(b"no log either" * 1_000)
    restore(tmp_path / "copy.db", Location(path), AT)
    assert titles(path) == ["one"]
    assert (tmp_path / KEPT).read_bytes() == b"no database at all" * 1_000
    assert (tmp_path / f"{KEPT}-wal").read_bytes() == b"no log either" * 1_000
    assert not path.with_name("chat.db-wal").exists()


async def test_a_backup_can_be_put_where_nothing_was(tmp_path: Path) -> None:
    back_up(await make(tmp_path / "chat.db", "one"), tmp_path / "copy.db")
    assert restore(tmp_path / "copy.db", Location(tmp_path / "new" / "chat.db"), AT) is None
    assert titles(tmp_path / "new" / "chat.db") == ["one"]


async def test_nothing_is_restored_while_a_server_holds_the_file(tmp_path: Path) -> None:
    path = await make(tmp_path / "chat.db", "one")
    back_up(path, tmp_path / "copy.db")
    held = Lock(Location(path))
    held.take()
    with pytest.raises(BackupError, match="another server uses the database file"):
        restore(tmp_path / "copy.db", Location(path), AT)
    held.release()
    restore(tmp_path / "copy.db", Location(path), AT)
    Lock(Location(path)).take()  # and nothing is held afterwards


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        (b"a shopping list\n" * 1_000, "is not a backup of this server's database"),
        (b"", "is not a backup of this server's database"),
        (None, "there is no database"),
    ],
)
async def test_what_is_no_backup_is_not_restored(
    what: bytes | None, sentence: str, tmp_path: Path
) -> None:
    path = await make(tmp_path / "chat.db", "one")
    if what is not None:
        (tmp_path / "copy.db").write_bytes(what)
    with pytest.raises(BackupError, match=sentence):
        restore(tmp_path / "copy.db", Location(path), AT)
    assert titles(path) == ["one"]
    assert not (tmp_path / KEPT).exists()


async def test_a_backup_of_a_newer_version_is_not_restored(tmp_path: Path) -> None:
    path = await make(tmp_path / "chat.db", "one")
    back_up(path, tmp_path / "copy.db")
    say(tmp_path / "copy.db", "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(BackupError, match="made by a newer version"):
        restore(tmp_path / "copy.db", Location(path), AT)


# ── by an operator ────────────────────────────────────────────────────────────────────────────


async def test_an_answer_that_was_running_in_a_backup_is_cut_at_its_start(
    tmp_path: Path, settings: object, product: Product, upstream: DeepSeekStandIn
) -> None:
    upstream.play(Stall(after_tokens=5))
    stream = await product.ask("say: one two three four five six seven")
    started = (await stream.until("generation_id")).data
    words = (await stream.until("content")).data["content"]
    copied = await lite_llm_chat(tmp_path, "backup", tmp_path / "copy.db")
    assert (copied.code, copied.err) == (0, "")
    stream.leave()

    (tmp_path / "other").mkdir()
    restored = await lite_llm_chat(tmp_path / "other", "restore", tmp_path / "copy.db")
    assert restored.code == 0, restored.err
    log = oracle.logs(tmp_path / "other" / "chat.db")[started["generation_id"]]
    assert log.status == "running"
    async with Server("main", tmp_path / "other", upstream.url) as server:
        cut = oracle.logs(server.database)[started["generation_id"]]
        assert (cut.status, cut.code) == ("interrupted", "server_stopped")
        assert (cut.content or "").startswith(words)
        assert oracle.findings(server.database) == []


async def test_the_commands_say_what_they_did_and_fail_in_a_sentence(tmp_path: Path) -> None:
    async with Server("main", tmp_path):
        copied = await lite_llm_chat(tmp_path, "backup", "copy.db")
        assert (copied.code, copied.err) == (0, "")
        assert copied.out.startswith("copy.db has the database, checked: 0.")
        again = await lite_llm_chat(tmp_path, "backup", "copy.db")
        assert (again.code, again.out) == (1, "")
        assert again.err == "cannot backup: copy.db exists: name another file, or say --replace\n"
        assert (await lite_llm_chat(tmp_path, "backup", "copy.db", "--replace")).code == 0
        held = await lite_llm_chat(tmp_path, "restore", "copy.db")
        assert held.code == 1
        assert held.err.startswith("cannot restore: the database cannot be replaced now: another")
    done = await lite_llm_chat(tmp_path, "restore", "copy.db")
    assert (done.code, done.err) == (0, "")
    assert "chat.db is what copy.db has" in done.out
    assert "the old file is kept as " in done.out


@pytest.mark.parametrize("command", ["backup", "restore"])
async def test_each_command_has_an_example(command: str, tmp_path: Path) -> None:
    said = await lite_llm_chat(tmp_path, command, "--help")
    assert said.code == 0
    assert f"example: lite-llm-chat {command} /var/backups/chat.db" in said.out
