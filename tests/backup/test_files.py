"""Uploaded files in a backup at the command line: taken, carried as one tar, put back, missing.

server ─▶ upload ─▶ backup --with-files · GET /backups/{name} ─▶ restore elsewhere ─▶ the same bytes
"""

from __future__ import annotations

import io
import sqlite3
import tarfile
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from lite_llm_chat.store.backup_files import FILES
from tests.durability.processes import names_in

from .command import lite_llm_chat
from .test_backup import make, say, titles

WHAT = b"what was uploaded"
DIGEST = sha256(WHAT).hexdigest()
Members = dict[str, Path | bytes]


def know(database: Path, digest: str = DIGEST) -> None:
    """The row of an uploaded file."""
    say(
        database,
        "INSERT INTO files (id, owner, name, media_type, size_bytes, created_at, kind)"
        f" VALUES ('{digest}', 'local', 'notes.txt', 'text/plain', 17, '2026-01-01', 'text')",
    )


async def filled(folder: Path) -> Path:
    """A database with an uploaded file, in a folder as a server leaves it."""
    database = await make(empty(folder) / "chat.db", "one")
    know(database)
    (folder / "uploads").mkdir()
    (folder / "uploads" / DIGEST).write_bytes(WHAT)
    return database


def empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


def packed(place: Path, **members: Path | bytes) -> Path:
    """A tar; two underscores in a name are a slash."""
    with tarfile.open(place, "w") as tar:
        for name, what in members.items():
            raw = what if isinstance(what, bytes) else what.read_bytes()
            about = tarfile.TarInfo(name.replace("__", "/"))
            about.size = len(raw)
            tar.addfile(about, io.BytesIO(raw))
    return place


async def test_a_backup_with_files_is_put_back_with_them(tmp_path: Path) -> None:
    served = await filled(tmp_path / "served")
    said = await lite_llm_chat(
        served.parent, "backup", "--with-files", tmp_path / "safe.db", "--replace"
    )
    assert (said.code, said.err) == (0, "")
    assert f"{tmp_path / FILES} has the uploaded files: 1" in said.out
    elsewhere = empty(tmp_path / "elsewhere")
    done = await lite_llm_chat(elsewhere, "restore", tmp_path / "safe.db")
    assert (done.code, done.err) == (0, "")
    assert f"uploaded files put back into {elsewhere}/uploads: 1" in done.out
    assert titles(elsewhere / "chat.db") == ["one"]
    assert (elsewhere / "uploads" / DIGEST).read_bytes() == WHAT
    again = await lite_llm_chat(elsewhere, "restore", tmp_path / "safe.db")
    assert "put back" not in again.out, "nothing was missing"


async def test_a_plain_backup_is_one_file_and_says_what_is_missing_when_put_back(
    tmp_path: Path,
) -> None:
    served = await filled(tmp_path / "served")
    safe = empty(tmp_path / "safe")
    assert (await lite_llm_chat(served.parent, "backup", safe / "chat.db")).code == 0
    assert names_in(safe) == ["chat.db"]
    done = await lite_llm_chat(empty(tmp_path / "elsewhere"), "restore", safe / "chat.db")
    assert (done.code, done.err) == (0, "uploaded files that are nowhere: 1\n")


async def test_files_that_are_gone_are_told_when_a_backup_is_made(tmp_path: Path) -> None:
    served = await filled(tmp_path / "served")
    (served.parent / "uploads" / DIGEST).unlink()
    said = await lite_llm_chat(served.parent, "backup", "--with-files", tmp_path / "safe.db")
    assert (said.code, said.err) == (
        0,
        f"uploaded files that are gone from {served.parent}/uploads: 1\n",
    )


async def test_a_file_that_is_not_what_its_name_says_is_not_put_back(tmp_path: Path) -> None:
    served = await filled(tmp_path / "served")
    await lite_llm_chat(served.parent, "backup", "--with-files", tmp_path / "safe.db")
    (tmp_path / FILES / DIGEST).unlink()
    (tmp_path / FILES / DIGEST).write_bytes(b"something else")
    elsewhere = empty(tmp_path / "elsewhere")
    done = await lite_llm_chat(elsewhere, "restore", tmp_path / "safe.db")
    assert (done.code, done.err) == (0, "damaged files, not put back: 1\n")
    assert not (elsewhere / "uploads" / DIGEST).exists()


async def test_a_tar_is_restored_as_it_is_and_leaves_nothing_beside(tmp_path: Path) -> None:
    served = await filled(tmp_path / "served")
    members: Members = {"manual.db": served, f"files__{DIGEST}": WHAT, "files__x": b"no"}
    tar = packed(tmp_path / "safe.tar", **members)
    elsewhere = empty(tmp_path / "elsewhere")
    done = await lite_llm_chat(elsewhere, "restore", tar)
    assert (done.code, done.err) == (0, "")
    assert titles(elsewhere / "chat.db") == ["one"]
    assert names_in(elsewhere / "uploads") == [DIGEST]
    assert [name for name in names_in(elsewhere) if name.startswith(".")] == []


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({f"files__{DIGEST}": WHAT}, "has no database in it"),
        ({"..__chat.db": b"evil"}, "has no database in it"),
        ({"manual.db": b"a shopping list"}, "is not a backup of this server's database"),
    ],
)
async def test_a_tar_that_is_no_backup_is_not_restored(
    members: Members, sentence: str, tmp_path: Path
) -> None:
    served = await make(empty(tmp_path / "served") / "chat.db", "one")
    done = await lite_llm_chat(served.parent, "restore", packed(tmp_path / "safe.tar", **members))
    assert done.code == 1
    assert sentence in done.err
    assert titles(served) == ["one"]


async def test_half_a_tar_is_not_restored(tmp_path: Path) -> None:
    served = await filled(tmp_path / "served")
    tar = packed(tmp_path / "safe.tar", **{"manual.db": served})
    tar.write_bytes(tar.read_bytes()[:20_000])
    done = await lite_llm_chat(empty(tmp_path / "elsewhere"), "restore", tar)
    assert done.code == 1
    assert "cannot be unpacked (unexpected end of data)" in done.err


async def test_a_plain_two_table_file_is_restored_too(tmp_path: Path) -> None:
    plain = tmp_path / "plain.db"
    with closing(sqlite3.connect(plain)) as file, file:
        file.execute("CREATE TABLE chat_sessions (id INTEGER PRIMARY KEY, title TEXT)")
        file.execute(
            "CREATE TABLE chat_messages (id INTEGER PRIMARY KEY,"
            " session_id INTEGER REFERENCES chat_sessions (id))"
        )
        file.execute("INSERT INTO chat_messages (session_id) VALUES (7)")
    elsewhere = empty(tmp_path / "elsewhere")
    done = await lite_llm_chat(elsewhere, "restore", plain)
    assert (done.code, done.err) == (0, "")


async def test_the_list_names_what_can_be_restored(tmp_path: Path) -> None:
    served = await filled(tmp_path / "served")
    none = await lite_llm_chat(served.parent, "restore", "--list")
    assert (none.code, none.out) == (0, "there is no backup in backups\n")
    name = "manual-20260102T030405Z.db"
    place = served.parent / "backups" / name
    place.parent.mkdir()
    await lite_llm_chat(served.parent, "backup", "--with-files", place)
    say(served, "DELETE FROM chat_sessions")
    said = await lite_llm_chat(served.parent, "restore", "--list")
    assert said.out.startswith(f"backups/{name}  2026-01-02 03:04:05 UTC  0.")
    assert said.out.endswith(" MB  checked  1 files\n")
    assert (await lite_llm_chat(served.parent, "restore", name)).code == 0
    assert titles(served) == ["one"]
    neither = await lite_llm_chat(served.parent, "restore")
    assert neither.code == 2
