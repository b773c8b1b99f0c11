"""Conversations that are simply there, and what a search finds of them.

await plant(product, Seed("Garden", ("user", "a red rose"), …)) ─▶ the session's id
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import update

from lite_llm_chat.domain import Role
from lite_llm_chat.search import upkeep
from lite_llm_chat.store import messages, sessions
from lite_llm_chat.store.database import Connection
from lite_llm_chat.store.messages import New, Place
from lite_llm_chat.store.sessions import Titled
from lite_llm_chat.store.tables import sessions as session_rows
from tests.conftest import Product

Said = tuple[Role, str]


@dataclass(frozen=True)
class Seed:
    """A session of one branch, all of it said `days_ago`; `columns` are those of its row."""

    title: str
    said: tuple[Said, ...] = ()
    days_ago: float = 0
    columns: dict[str, object] = field(default_factory=dict)
    home: tuple[str, str] = ("deepseek", "deepseek-chat")


def user(*texts: str) -> tuple[Said, ...]:
    return tuple(("user", text) for text in texts)


def planted(conn: Connection, seed: Seed) -> int:
    at = datetime.now(UTC) - timedelta(days=seed.days_ago)
    session_id = sessions.create(conn, Titled(seed.title), seed.home, at).id
    place = Place(session_id)
    for role, text in seed.said:
        place = Place.under(messages.append(conn, place, New(role, text), at))
    sessions.move_leaf(conn, session_id, place.parent_id, at)
    if seed.columns:
        row = update(session_rows).where(session_rows.c.id == session_id)
        conn.execute(row.values(**seed.columns))
    return session_id


async def plant(product: Product, *seeds: Seed) -> list[int]:
    """The ids of the sessions, once the index has learned all of them."""
    database = product.parts.database
    ids = await database.write(lambda conn: [planted(conn, one) for one in seeds])
    await upkeep.tend(database)
    return ids


async def page(product: Product, q: str, **query: object) -> dict[str, Any]:
    """The whole reply."""
    status, body = await product.call("GET", f"/search?{urlencode({'q': q, **query}, doseq=True)}")
    assert status == 200, body
    assert isinstance(body, dict)
    return body


async def results(product: Product, q: str, **query: object) -> list[dict[str, Any]]:
    found = await page(product, q, **query)
    assert isinstance(found["results"], list)
    return found["results"]


async def found(product: Product, q: str, **query: object) -> list[str]:
    """The titles of the sessions, best first."""
    return [one["session"]["title"] for one in await results(product, q, **query)]
