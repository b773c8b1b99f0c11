"""Sessions as rows, for the tests of what leaves: with all that only imports and other parts of
the server would put there, each of which has tests of its own.

    await keep(product, Whole(…)) ─▶ rows ─▶ its id
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, CursorResult, insert, text, update

from lite_llm_chat.stamps import generation_id
from lite_llm_chat.store.tables import message_files, messages, metadata, sessions
from tests.conftest import Product

THEN = datetime(2026, 3, 1, 9, 30, 0, 250, tzinfo=UTC)


@dataclass
class Said:
    """A message; `under` is the place in the list of the one it answers (None: a root)."""

    role: str
    content: str
    under: int | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    files: tuple[str, ...] = ()


@dataclass
class Whole:
    """A session with its messages; `leaf` is the place of the last one of the active branch."""

    title: str = "A talk"
    said: tuple[Said, ...] = ()
    leaf: int | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()


def answer(content: str, under: int, **fields: Any) -> Said:
    """What a model said, somewhere else."""
    origin = {"provider": "deepseek", "model": "deepseek-chat", "finish_reason": "stop"}
    origin |= fields.pop("origin", {})
    return Said("assistant", content, under, {"origin": json.dumps(origin), **fields})


async def keep(product: Product, whole: Whole) -> int:
    """The id of the session."""
    return await product.parts.database.write(lambda conn: _keep(conn, whole))


def attached(*files: tuple[str, str, str, int]) -> dict[str, Any]:
    """The parts of a message with files: id, name, media type and size of each."""
    names = ("id", "name", "media_type", "size_bytes")
    shown = [json.dumps(dict(zip(names, file, strict=True))) for file in files]
    return {"parts": json.dumps([["attachment", one] for one in shown])}


def parts(*said: tuple[str, object]) -> str:
    """The parts of an answer, as they are stored."""
    return json.dumps(
        [(kind, one if isinstance(one, str) else json.dumps(one)) for kind, one in said]
    )


async def run(product: Product, statement: str, **values: object) -> None:
    """Change rows in a way that another part of the server would."""
    await product.parts.database.write(lambda conn: conn.execute(text(statement), values))


async def row(product: Product, table: str, *values: object) -> None:
    """Insert a row, all its columns in their order."""
    columns = metadata.tables[table].columns
    named = {f"v{at}": value for at, value in enumerate(values)}
    marks = ", ".join(f":{name}" for name in named)
    names = ", ".join(column.name for column in columns)
    await run(product, f"INSERT INTO {table} ({names}) VALUES ({marks})", **named)


def _keep(conn: Connection, whole: Whole) -> int:
    usual = {"provider": "deepseek", "model": "deepseek-chat", "uid": generation_id()}
    values = {"created_at": THEN, "updated_at": THEN, **usual, **whole.fields}
    made = conn.execute(insert(sessions).values(title=whole.title, **values))
    session_id = _key(made)
    ids: list[int] = []
    depths: list[int] = []
    for one in whole.said:
        depths.append(1 if one.under is None else depths[one.under] + 1)
        place = {
            "session_id": session_id,
            "parent_id": None if one.under is None else ids[one.under],
            "depth": depths[-1],
        }
        said = {"role": one.role, "content": one.content, "created_at": THEN, **one.fields}
        kept = conn.execute(insert(messages).values(**place, **said))
        ids.append(_key(kept))
        for position, file_id in enumerate(one.files):
            row = {"message_id": ids[-1], "position": position, "file_id": file_id}
            conn.execute(insert(message_files).values(**row))
    for tag in whole.tags:
        conn.execute(
            text("INSERT INTO session_tags VALUES (:id, :tag)"), {"id": session_id, "tag": tag}
        )
    leaf = len(ids) - 1 if whole.leaf is None else whole.leaf
    if ids:
        conn.execute(update(sessions).where(sessions.c.id == session_id).values(leaf_id=ids[leaf]))
    return session_id


def _key(made: CursorResult[Any]) -> int:
    assert made.inserted_primary_key is not None
    return int(made.inserted_primary_key[0])
