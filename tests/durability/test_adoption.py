"""A file of the plain product is adopted: a snapshot beside it, and every word still there."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, event

from lite_llm_chat.config import Settings
from lite_llm_chat.errors import StartupError
from lite_llm_chat.store.database import Database
from lite_llm_chat.store.location import Location
from lite_llm_chat.store.tables import REVISION, metadata
from tests.conftest import Product, question

from . import legacy, oracle
from .processes import ROOT, Server, names_in

SNAPSHOT = f"chat.db.before-{REVISION}"
LAST = "CREATE TABLE files"  # the last thing that the migration makes
KILLED_AT = """
import asyncio, os, signal, sys
from pathlib import Path
from sqlalchemy import event
from lite_llm_chat.store.database import Database
from lite_llm_chat.store.location import Location

def watch(conn, cursor, statement, *_):
    if sys.argv[2] in statement:
        os.kill(os.getpid(), signal.SIGKILL)

database = Database(Location(Path(sys.argv[1])))
event.listen(database._writing, "after_cursor_execute", watch)
asyncio.run(database.open())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of the plain product."""
    legacy.make(tmp_path / "chat.db")
    return tmp_path / "chat.db"


@pytest.fixture
async def adopted(path: Path, settings: Settings) -> AsyncIterator[Product]:
    """A product that was started on it."""
    product = await Product(settings).start()
    yield product
    await product.stop()


async def session(product: Product, session_id: int) -> dict[str, Any]:
    status, body = await product.call("GET", f"/sessions/{session_id}")
    assert status == 200, body
    assert isinstance(body, dict)
    return body


# ── what is there afterwards ──────────────────────────────────────────────────────────────────


async def test_every_session_and_message_is_there_in_order(adopted: Product) -> None:
    expected: dict[int, list[tuple[int, str, str]]] = defaultdict(list)
    for message_id, session_id, role, content, _ in legacy.messages():
        if session_id is not None:
            expected[session_id].append((message_id, role, content or ""))
    for session_id, rows in expected.items():
        found = await session(adopted, session_id)
        shown = [(one["id"], one["role"], one["content"]) for one in found["messages"]]
        assert shown == rows
        assert found["message_count"] == len(rows)
        assert {one["status"] for one in found["messages"]} == {"completed"}


async def test_a_message_that_never_had_a_session_is_not_lost(adopted: Product) -> None:
    _, listed = await adopted.call("GET", "/sessions?limit=1000")
    everything = [await session(adopted, one["id"]) for one in listed]
    texts = [one["content"] for each in everything for one in each["messages"]]
    assert "which never had a session" in texts
    assert len(texts) == len(list(legacy.messages()))


async def test_titles_and_models_are_kept_and_empty_ones_get_a_name(adopted: Product) -> None:
    first, second, third = [await session(adopted, number) for number in (1, 2, 3)]
    assert (first["title"], first["provider"], first["model"]) == legacy.SESSIONS[0][1:4]
    assert (second["title"], second["model"]) == ("Bridges 🙂", "deepseek-reasoner")
    assert third["title"]
    assert (third["provider"], third["model"]) == ("deepseek", "deepseek-chat")
    orphan = await session(adopted, 77)
    assert orphan["title"] == "Recovered chat"
    assert (await session(adopted, 5))["provider"] == "somebody-else"


async def test_dates_are_utc_with_a_z_whatever_form_they_had(adopted: Product) -> None:
    first, second, fifth = [await session(adopted, number) for number in (1, 2, 5)]
    assert first["created_at"] == "2024-01-02T03:04:05.678901Z"
    for each in (second, fifth):
        assert datetime.fromisoformat(each["created_at"]) == datetime(
            2024, 5, 6, 7, 8, 9, tzinfo=UTC
        )
    assert fifth["updated_at"].startswith("2024-05-07T00:00:00.5")
    for number in (1, 2, 3, 4, 77):
        found = await session(adopted, number)
        dates = [found["created_at"], found["updated_at"]]
        dates += [one["created_at"] for one in found["messages"]]
        assert all(date.endswith("Z") for date in dates)


async def test_a_session_is_listed_by_its_last_update_in_any_form(adopted: Product) -> None:
    _, listed = await adopted.call("GET", "/sessions")
    dates = [one["updated_at"] for one in listed]
    assert dates == sorted(dates, reverse=True)
    assert [one["id"] for one in listed if one["id"] in (1, 2, 4, 5)] == [5, 2, 4, 1]


async def test_an_adopted_session_can_be_asked_and_cut_and_deleted(adopted: Product) -> None:
    status, body = await adopted.call(
        "POST", "/chat", question("say: still here", session_id=4, stream=False)
    )
    assert (status, body["message"]["content"]) == (200, "still here")
    assert (await session(adopted, 4))["message_count"] == legacy.LONG + 2
    status, _ = await adopted.call("DELETE", "/sessions/4/truncate/200")
    assert (status, (await session(adopted, 4))["message_count"]) == (204, 100)
    assert (await adopted.call("DELETE", "/sessions/4"))[0] == 204
    assert (await adopted.call("GET", "/sessions/4"))[0] == 404
    assert oracle.findings(Path(adopted.settings.database_url.removeprefix("sqlite:///"))) == []


async def test_a_new_row_never_gets_the_id_of_an_old_one(adopted: Product) -> None:
    for number in (77, 4):
        await adopted.call("DELETE", f"/sessions/{number}")
    status, body = await adopted.call("POST", "/chat", question("say: x", background=True))
    assert status == 202
    assert body["session_id"] > 77
    assert body["message_id"] > 100 + legacy.LONG


# ── the file ──────────────────────────────────────────────────────────────────────────────────


async def opened(path: Path) -> None:
    database = Database(Location(path))
    await database.open()
    await database.close()


async def test_the_snapshot_is_the_file_as_it_was_and_the_second_start_changes_nothing(
    path: Path,
) -> None:
    before = legacy.dump(path)
    await opened(path)
    snapshot = path.with_name(SNAPSHOT)
    assert legacy.dump(snapshot) == before
    assert snapshot.stat().st_mode & 0o777 == 0o600
    after, bytes_before = legacy.dump(path), snapshot.read_bytes()
    await opened(path)
    assert legacy.dump(path) == after
    assert snapshot.read_bytes() == bytes_before
    assert names_in(path.parent) == ["chat.db", SNAPSHOT, "chat.db.lock"]


async def test_a_migrated_file_has_the_tables_of_a_new_one(path: Path, tmp_path: Path) -> None:
    await opened(path)
    await opened(tmp_path / "new.db")
    old, new = legacy.schema(path), legacy.schema(tmp_path / "new.db")
    assert old.keys() == new.keys()
    for name in old:
        assert old[name] == new[name], name


def _is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Not the index of words and the tables in which SQLite keeps it: no metadata says those."""
    return not (kind == "table" and str(name).startswith("search_index"))


@pytest.mark.filterwarnings("ignore:Cannot correctly sort tables")  # two refer to each other
@pytest.mark.parametrize("kind", ["migrated", "new"])
async def test_the_file_has_the_tables_that_the_code_expects(kind: str, path: Path) -> None:
    path = path if kind == "migrated" else path.with_name("new.db")
    await opened(path)
    engine = create_engine(Location(path).url)
    with engine.connect() as conn:
        options = {"include_name": _is_ours}
        found = compare_metadata(MigrationContext.configure(conn, opts=options), metadata)
    engine.dispose()
    # What becomes of a reference is not read from a column that was added later: the test above
    # compares that, as SQLite itself tells it.
    differences = [one for one in found if one[0] not in ("add_fk", "remove_fk")]
    assert differences == []
    assert oracle.findings(path) == []


# ── when it goes wrong in the middle ──────────────────────────────────────────────────────────


@contextmanager
def failing_at(database: Database, number: int, begun: list[str]) -> Iterator[None]:
    """Let the statement with this number fail; `begun` gets all that were begun."""

    def count(conn: Connection, cursor: object, statement: str, *_: object) -> None:
        begun.append(statement)
        if len(begun) == number:
            raise StartupError("the power is out")

    event.listen(database._writing, "before_cursor_execute", count)
    yield
    event.remove(database._writing, "before_cursor_execute", count)


@pytest.mark.timeout(60)
async def test_a_failure_at_any_statement_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    small = tmp_path / "chat.db"
    legacy.make(small)
    before = legacy.dump(small)
    begun: list[str] = []
    while legacy.dump(small) == before:
        number, begun = len(begun) + 1, []
        database = Database(Location(small))
        with failing_at(database, number, begun):
            try:
                await database.open()
            except StartupError:
                assert legacy.dump(small) == before, begun[-1]
            finally:
                await database.close()
    assert any(LAST in statement for statement in begun)
    assert len(begun) > 20


@pytest.mark.parametrize("moment", ["DROP TABLE plain_sessions", LAST])
async def test_a_kill_in_the_middle_leaves_the_file_as_it_was(moment: str, path: Path) -> None:
    before = legacy.dump(path)
    server = Server("main", path.parent)
    server._command = lambda: [sys.executable, "-c", KILLED_AT, str(path), moment]  # type: ignore[method-assign]
    server._env["PYTHONPATH"] = str(ROOT)
    await server.launch()
    assert await server.ended() == -9, server.output
    assert legacy.dump(path) == before
    assert legacy.dump(path.with_name(SNAPSHOT)) == before
    await opened(path)
    assert oracle.findings(path) == []


async def test_half_a_snapshot_is_made_anew(path: Path) -> None:
    before = legacy.dump(path)
    path.with_name(SNAPSHOT + ".part").write_bytes(b"half")
    await opened(path)
    assert legacy.dump(path.with_name(SNAPSHOT)) == before
    assert not path.with_name(SNAPSHOT + ".part").exists()
