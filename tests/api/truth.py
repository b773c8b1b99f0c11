"""What must be true of every log, read from the rows; and how an error has to look.

I3  numbers run 1..n without a hole; one terminal event, last, iff the status is terminal
I4  the concatenated text events are the message's content, byte for byte
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from sqlalchemy import Connection, select

from lite_llm_chat.domain import LIVE, Ended, Reasoning, Started, Text
from lite_llm_chat.store.codec import row_to_body
from lite_llm_chat.store.tables import events, generations, messages
from tests.conftest import KEY, Product

LEAKS = (KEY, "Traceback", 'File "', "/lite_llm_chat/", "sqlite", "SELECT ")


async def logs_are_true(product: Product) -> int:
    """Check I3 and I4 of every generation in the database; how many there were."""
    return await product.parts.database.read(_check_all)


def _check_all(conn: Connection) -> int:
    rows = conn.execute(
        select(generations, messages.c.content, messages.c.reasoning).join(
            messages, messages.c.id == generations.c.message_id
        )
    ).all()
    for row in rows:
        if row.logged:
            _check(conn, row._asdict())
    return len(rows)


def _check(conn: Connection, row: dict[str, Any]) -> None:
    kept = conn.execute(
        select(events).where(events.c.generation_id == row["id"]).order_by(events.c.seq)
    ).all()
    bodies = [row_to_body(event.kind, event.data) for event in kept]
    assert [event.seq for event in kept] == list(range(1, len(kept) + 1))
    assert [isinstance(body, Started) for body in bodies] == [True] + [False] * (len(kept) - 1)
    endings = [body for body in bodies if isinstance(body, Ended)]
    if row["status"] in LIVE:
        assert endings == []
        return
    assert [bodies[-1]] == endings
    assert endings[0].status == row["status"]
    assert row["last_seq"] == len(kept)
    assert "".join(one.text for one in bodies if isinstance(one, Text)) == row["content"]
    thought = "".join(one.text for one in bodies if isinstance(one, Reasoning))
    assert thought == (row["reasoning"] or "")


@dataclass(frozen=True)
class Reply:
    """A whole response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def verdict(self) -> tuple[int, str]:
        """Status and code, once the body is seen to be a proper problem."""
        return self.status, str(is_problem(self)["code"])


async def send(
    product: Product,
    method: str,
    path: str,
    data: bytes | aiohttp.FormData | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Any bytes, to any path as it stands (no prefix is put before it)."""
    assert product._session is not None
    async with product._session.request(
        method, path, data=data, headers=headers, allow_redirects=False
    ) as response:
        return Reply(response.status, response.headers.copy(), await response.read())


async def post_bytes(product: Product, path: str, data: bytes) -> Reply:
    """Bytes that call themselves JSON."""
    return await send(product, "POST", path, data, {"content-type": "application/json"})


def is_problem(reply: Reply) -> dict[str, Any]:
    """The body of an error, once it is seen to be one and to give nothing away."""
    assert reply.status >= 400, reply.body
    assert reply.headers["content-type"] == "application/problem+json"
    found = reply.json
    assert list(found)[:5] == ["type", "title", "status", "detail", "code"]
    assert found["status"] == reply.status
    assert found["code"] == found["code"].lower().replace(" ", "_")
    if found["code"] == "validation_error":
        assert all(sorted(one) == ["loc", "msg", "type"] for one in found["detail"])
        assert found["detail"]
    else:
        assert len(found["detail"].split()) >= 4, f"not a sentence: {found['detail']!r}"
    text = reply.body.decode()
    assert [leak for leak in LEAKS if leak in text] == []
    return dict(found)
