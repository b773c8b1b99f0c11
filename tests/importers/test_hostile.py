"""What strangers write: broken, odd, huge and hostile entries. None stops the rest."""

from __future__ import annotations

import io
import json
import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from lite_llm_chat.importers.archive import Archive, Bounds
from lite_llm_chat.importers.base import Head, Utterance, in_order, moment_of
from lite_llm_chat.importers.frames import Done, Frame, Left, Tail
from lite_llm_chat.importers.pieces import Cut, pieces
from tests.conftest import Product

from .bring import as_json, bring, counts, database, rows, sessions, talk, zipped
from .chatgpt import node, plain
from .chatgpt import talk as conversation

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**60) | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "mapping",
                    "message",
                    "author",
                    "role",
                    "content",
                    "parts",
                    "chat",
                    "history",
                    "messages",
                    "currentId",
                    "title",
                    "chat_messages",
                    "sender",
                    "text",
                    "messagesTree",
                    "conversationId",
                    "children",
                    "type",
                    "uid",
                ]
            )
            | st.text(max_size=3),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


USUAL = Bounds()


def read(folder: Path, data: bytes, bounds: Bounds = USUAL) -> list[Frame]:
    """Everything that an archive says, in this process."""
    said: list[Frame] = []
    path = folder / "archive"
    path.write_bytes(data)
    Archive(path, folder, "auto", said.append, dry=True).bounded(bounds).read()
    return said


def whole(said: list[Frame]) -> int:
    return sum(isinstance(one, Tail) for one in said)


def left(said: list[Frame]) -> list[tuple[str, str]]:
    return [(one.outcome, one.why) for one in said if isinstance(one, Left)]


# ── pieces ────────────────────────────────────────────────────────────────────────────────────


class Drip(io.BytesIO):
    """Gives a few bytes at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(data)
        self._size = size

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self._size)


@hypothesis.given(
    st.lists(st.dictionaries(st.text(max_size=5), VALUES, max_size=3), max_size=6),
    st.sampled_from([None, 0, 3]),
    st.booleans(),
    st.integers(1, 50),
)
def test_any_array_is_cut_into_its_objects(
    listed: list[Any], indent: int | None, escaped: bool, size: int
) -> None:
    text = json.dumps(listed, indent=indent, ensure_ascii=escaped).encode("utf-8", "replace")
    found = [one for one in pieces(Drip(text, size), 10**6) if isinstance(one, bytes)]
    assert [json.loads(one) for one in found] == json.loads(text) or "NaN" in text.decode()
    lines = b"\n".join(json.dumps(one).encode() for one in listed if one)
    cut = [one for one in pieces(io.BytesIO(lines), 10**6) if isinstance(one, bytes)]
    assert len(cut) == len([one for one in listed if one])


def test_an_entry_that_is_too_long_is_passed_over_and_the_next_one_is_found() -> None:
    long = b'{"a": "' + b'\\"}]' * 400_000 + b'"}'
    for text in (b'[{"b": 1}, ' + long + b', {"c": 2}]', b'{"b": 1}\n' + long + b'\n{"c": 2}'):
        first, middle, last = pieces(io.BytesIO(text), 100_000)
        assert (json.loads(str(first, "utf-8")) if isinstance(first, bytes) else 0) == {"b": 1}
        assert middle == Cut("it is longer than 100000 bytes")
        assert isinstance(last, bytes)
        assert json.loads(last) == {"c": 2}


def test_a_cut_file_gives_what_was_whole() -> None:
    found = list(pieces(io.BytesIO(b'[{"a": 1}, {"b": "x]'), 100))
    assert found == [b'{"a": 1}', Cut("the file ends in the middle of it")]


# ── entries ───────────────────────────────────────────────────────────────────────────────────


@hypothesis.given(st.lists(VALUES, max_size=4))
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_no_entry_stops_the_next_one(tmp_path: Path, odd: list[Any]) -> None:
    for data in (
        as_json([*odd, plain(1)]),
        zipped({f"{n}.json": one for n, one in enumerate([*odd, plain(1)])}),
    ):
        said = read(tmp_path, data)
        assert said[-1] == Done(None)
        keys = [one.title for one in said if isinstance(one, Head)]
        assert "Talk 1" in keys


@hypothesis.given(st.data())
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_whatever_one_value_becomes_the_other_conversation_is_read(
    tmp_path: Path, data: st.DataObject
) -> None:
    harmed: Any = plain(2)
    at: Any = harmed
    for _ in range(data.draw(st.integers(0, 4))):
        key = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
        if not isinstance(at[key], dict | list) or not at[key]:
            break
        at = at[key]
    key = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
    at[key] = data.draw(VALUES)
    said = read(tmp_path, as_json([harmed, plain(1)]))
    assert whole(said) >= 1
    assert said[-1] == Done(None)


KEYS = st.sampled_from("abcde")


@hypothesis.given(st.lists(st.tuples(KEYS, st.none() | KEYS), min_size=1, max_size=8))
def test_any_parents_become_a_tree_with_parents_first(links: list[tuple[str, str | None]]) -> None:
    said = in_order([Utterance(key, parent, "user", "x") for key, parent in links])
    assert len(said) == len(links)
    placed: set[str] = set()
    for one in said:
        assert one.parent is None or one.parent in placed
        placed.add(one.key)
    assert len(placed) == len(links)
    assert in_order(said) == said


def test_a_moment_is_read_in_every_way_that_products_write_it() -> None:
    for value in (
        *(1_700_000_000, 1_700_000_000_000, 1_700_000_000_000_000_000, "1700000000"),
        *("2023-11-14T23:13:20+01:00", "2023-11-14 22:13:20", {"$date": "2023-11-14T22:13:20Z"}),
        {"$date": {"$numberLong": "1700000000000"}},
    ):
        at = moment_of(value)
        assert at is not None
        assert at.isoformat() == "2023-11-14T22:13:20+00:00", value
    numbers = (True, -5, 0, float("nan"), float("inf"), 10**400)
    others: tuple[object, ...] = (None, "", "10:00", [], "1066-01-01")
    for nothing in (*others, *numbers):
        assert moment_of(nothing) is None, nothing


# ── hostile files ─────────────────────────────────────────────────────────────────────────────


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.json", b"[" + b" " * 40_000_000)
        archive.writestr("inner.zip", zipped({"a.json": [plain(1)]}))
        archive.writestr("../../evil.json", as_json([plain(2)]))
    said = read(tmp_path, target.getvalue())
    assert whole(said) == 1
    assert left(said) == [
        ("broken", "it is packed too tightly to be a conversation"),
        ("skipped", "it is an archive in the archive: import it by itself"),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive"]


def test_a_zip_whose_entries_are_damaged_gives_the_others(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.json": [plain(1)], "b.json": [plain(2)]}))
    at = data.index(b"a.json") + 30
    data[at : at + 20] = b"\xff" * 20
    said = read(tmp_path, bytes(data))
    assert whole(said) == 1
    assert ("broken", "it cannot be read from the archive") in left(said)


def test_too_deep_and_too_long_entries_are_broken(tmp_path: Path) -> None:
    deep = b'{"mapping": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    long = as_json(plain(3, title="x" * 300_000))
    data = b"[" + b",".join([deep, long, as_json(plain(1))]) + b"]"
    said = read(tmp_path, data, Bounds(conversation_bytes=250_000))
    assert whole(said) == 1
    assert {outcome for outcome, _ in left(said)} == {"broken"}


async def test_texts_that_no_database_could_hold_are_mended(product: Product) -> None:
    text = r'[{"mapping": {"q": {"message": {"author": {"role": "user"}, "content":'
    text += r' {"parts": ["half \ud83d a \u0000 pair"]}}}}, "title": "T\udc00"}, NaN, {"x": NaN}]'
    done = await bring(product, text.encode())
    assert counts(done) == {"imported": 1, "skipped": 1}
    assert [words for _, words in await talk(product, "T?")] == ["half ? a \0 pair"]


async def test_a_database_of_another_product_and_a_damaged_one_are_no_export(
    product: Product, tmp_path: Path
) -> None:
    other = database(tmp_path, "CREATE TABLE t (a)", {"t": [{"a": 1}]})
    done = await bring(product, other)
    assert (done["status"], counts(done)) == ("failed", {"skipped": 1})
    schema = "CREATE TABLE responses (id TEXT, prompt TEXT, response TEXT, model TEXT)"
    row = {"prompt": "Q" * 3000, "response": "A" * 3000, "model": "m"}
    data = bytearray(database(tmp_path, schema, {"responses": [{"id": "1", **row}] * 40}))
    data[5000:40000] = b"\x7f" * 35000
    done = await bring(product, bytes(data))
    assert done["status"] == "failed"
    assert "the database cannot be read" in done["error"]


async def test_a_view_of_a_database_runs_nothing(product: Product, tmp_path: Path) -> None:
    path = tmp_path / "made.db"
    with sqlite3.connect(path) as conn:
        conn.executescript(
            "CREATE TABLE x (id);"
            "CREATE VIEW responses AS SELECT 1 AS id, 'Q' AS prompt, 'A' AS response;"
        )
    done = await bring(product, path.read_bytes())
    assert (done["status"], await sessions(product)) == ("failed", {})


async def test_a_reader_that_is_killed_is_said_and_what_was_whole_stays(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lite_llm_chat.importers.reading._START", "import sys; sys.exit(9) # {!r}")
    done = await bring(product, as_json([plain()]))
    assert done["status"] == "failed"
    assert "ended before its time" in done["error"]


async def test_a_huge_message_is_kept_whole(product: Product) -> None:
    words = "word " * 1_000_000
    done = await bring(product, as_json([conversation(node("q", None, "user", words))]))
    assert done["messages"] == 1
    assert rows(product, "SELECT length(content) FROM chat_messages") == [(5_000_000,)]
