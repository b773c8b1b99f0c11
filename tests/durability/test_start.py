"""A server that cannot start says why in one sentence, without a traceback, and fails."""

from __future__ import annotations

import resource
import socket
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from lite_llm_chat.cli.serve import OPEN_FILES
from lite_llm_chat.errors import StartupError
from lite_llm_chat.store import location
from lite_llm_chat.store.database import Database
from lite_llm_chat.store.location import NETWORK_FILESYSTEMS, Location, Lock, filesystem_of

from .processes import WAYS, Server, Way, names_in

MOUNTS = r"""
/dev/vda1 / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
server:/export /srv nfs4 rw,vers=4.2 0 0
/dev/vdb1 /srv/local xfs rw 0 0
//nas/share /media/my\040disk cifs rw 0 0
tmpfs /srv/local tmpfs rw 0 0
broken line
"""


async def refusal(server: Server) -> str:
    """What a server says that must not start."""
    await server.launch()
    code = await server.ended()
    assert code == (1 if server.way == "main" else code), server.output
    assert code > 0, server.output
    assert "Traceback" not in server.output
    assert server.output.count("cannot start: ") == 1, server.output
    return server.output


@pytest.mark.parametrize("way", WAYS)
async def test_a_second_server_on_the_same_file_is_refused_and_the_first_goes_on(
    way: Way, tmp_path: Path
) -> None:
    async with Server("main", tmp_path) as first:
        said = await refusal(Server(way, tmp_path))
        assert "another server uses the database file chat.db" in said
        assert str(tmp_path) not in said
        assert first.running


async def test_a_file_is_free_again_after_its_server_was_killed(tmp_path: Path) -> None:
    async with Server("main", tmp_path) as first:
        await first.kill()
        async with Server("main", tmp_path) as second:
            assert second.running


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows another process's limits")
async def test_a_server_takes_as_many_open_files_as_it_may(tmp_path: Path) -> None:
    before, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    server = Server("main", tmp_path)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, most))
        async with server:
            now, _ = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (before, most))
    assert now == (OPEN_FILES if most == resource.RLIM_INFINITY else min(OPEN_FILES, most))


async def test_a_taken_port_is_named_and_nothing_is_touched(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = await refusal(Server("main", tmp_path, port=port))
    assert f"port {port} is taken by another program" in said
    assert not (tmp_path / "chat.db").exists()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("flush_ms", "banana-7", "FLUSH_MS: input should be a valid integer"),
        ("api_prefix", "banana-7", "API_PREFIX: "),
        ("database_url", "postgresql://user:banana-7@host/x", "DATABASE_URL must name a SQLite"),
    ],
)
async def test_a_wrong_setting_is_named_without_its_value(
    way: Way, variable: str, value: str, sentence: str, tmp_path: Path
) -> None:
    said = await refusal(Server(way, tmp_path, **{variable: value}))
    assert sentence in said
    assert "banana-7" not in said


@pytest.mark.parametrize("way", WAYS)
async def test_a_default_provider_that_nobody_is_is_refused(way: Way, tmp_path: Path) -> None:
    said = await refusal(Server(way, tmp_path, default_provider="nobody"))
    assert "DEFAULT_PROVIDER is 'nobody'" in said
    assert "deepseek" in said


@pytest.mark.parametrize("way", WAYS)
async def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(
    way: Way, tmp_path: Path
) -> None:
    text = b"this is a shopping list, not a database\n" * 100
    (tmp_path / "chat.db").write_bytes(text)
    said = await refusal(Server(way, tmp_path))
    assert "chat.db cannot be read as this server's database" in said
    assert (tmp_path / "chat.db").read_bytes() == text


# ── the same, by the database itself ──────────────────────────────────────────────────────────


async def opening(path: Path) -> str:
    """Why a file is refused."""
    database = Database(Location(path))
    with pytest.raises(StartupError) as refused:
        await database.open()
    Lock(Location(path)).take()  # a refused start leaves no claim behind
    await database.close()
    return refused.value.detail


def fill(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as file, file:
        for statement in statements:
            file.execute(statement)


async def test_a_file_with_other_tables_is_refused(tmp_path: Path) -> None:
    fill(tmp_path / "chat.db", "CREATE TABLE recipes (id INTEGER)")
    assert "other tables than this server's" in await opening(tmp_path / "chat.db")


async def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    fill(
        tmp_path / "chat.db",
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
        "INSERT INTO alembic_version VALUES ('9999')",
    )
    assert "written by a newer version (revision 9999" in await opening(tmp_path / "chat.db")


async def test_a_file_of_another_programs_migrations_is_refused(tmp_path: Path) -> None:
    fill(
        tmp_path / "chat.db",
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
        "INSERT INTO alembic_version VALUES ('0000deadbeef')",
    )
    assert "cannot be read as this server's database" in await opening(tmp_path / "chat.db")


async def test_a_plain_file_with_a_damaged_page_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    fill(
        path,
        "CREATE TABLE chat_sessions (id INTEGER PRIMARY KEY, title, provider, model, created_at,"
        " updated_at)",
        "CREATE TABLE chat_messages (id INTEGER PRIMARY KEY, session_id, role, content,"
        " created_at)",
        *["INSERT INTO chat_messages (content) VALUES (hex(randomblob(2000)))"] * 40,
    )
    data = bytearray(path.read_bytes())
    data[12_288:] = b"\xa5" * (len(data) - 12_288)
    path.write_bytes(data)
    assert "restore a backup" in await opening(path)
    assert path.read_bytes()[100:] == data[100:]  # all but the header, which names the journal


async def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "chat.db").mkdir()
    with pytest.raises(StartupError, match=r"chat\.db cannot be opened for writing"):
        Location(tmp_path / "chat.db").check()


async def test_a_lock_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "chat.db.lock").mkdir()
    with pytest.raises(StartupError, match=r"chat\.db\.lock"):
        Lock(Location(tmp_path / "chat.db")).take()


async def test_a_new_file_and_its_neighbours_are_its_owners_alone(tmp_path: Path) -> None:
    database = Database(Location(tmp_path / "new" / "chat.db"))
    await database.open()
    modes = {each.name: each.stat().st_mode & 0o777 for each in (tmp_path / "new").iterdir()}
    folder = (tmp_path / "new").stat().st_mode & 0o777
    await database.close()
    assert {"chat.db", "chat.db.lock", "chat.db-wal"} <= modes.keys()
    assert set(modes.values()) == {0o600}
    assert folder == 0o700


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///", "sqlite:///:memory:", "mysql://x/y", "chat.db", "",
     "sqlite:///chat.db?mode=ro", "sqlite:///file:chat.db?uri=true"],
)  # fmt: skip
def test_a_url_that_names_no_file_is_refused(url: str) -> None:
    with pytest.raises(StartupError, match="DATABASE_URL must name a SQLite file"):
        Location.from_url(url)


@pytest.mark.parametrize(
    "name", ["with space.db", "50%.db", "naïve-🙂.db", "a#b.db", "a@b:c.db", "what?.db"]
)
async def test_a_file_may_have_any_name(name: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/" + name.replace("%", "%25").replace("?", "%3F")
    database = Database(Location.from_url(url))
    await database.open()
    await database.close()
    assert names_in(tmp_path) == [name, f"{name}.lock"]


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var/chats", "ext4"),
        ("/", "ext4"),
        ("/srv", "nfs4"),
        ("/srv/data", "nfs4"),
        ("/srv/local/x", "tmpfs"),  # mounted over what was there
        ("/srvs", "ext4"),
        ("/media/my disk/chats", "cifs"),
        ("/proc/self", "proc"),
    ],
)
def test_the_filesystem_is_that_of_the_innermost_mount(folder: str, kind: str) -> None:
    assert filesystem_of(Path(folder), MOUNTS) == kind


@pytest.mark.parametrize("kind", sorted(NETWORK_FILESYSTEMS))
def test_a_network_filesystem_is_refused_unless_it_is_allowed(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(location, "filesystem_of", lambda _folder: kind)
    with pytest.raises(StartupError, match="ALLOW_NETWORK_FILESYSTEM"):
        Location(tmp_path / "chat.db").check()
    Location(tmp_path / "chat.db", allow_network=True).check()
