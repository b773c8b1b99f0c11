"""The memory of rendered pages: bounded, and no way around the row of a link."""

from __future__ import annotations

from typing import Any

import pytest

from lite_llm_chat.exporters import snapshots
from lite_llm_chat.exporters.pages import Pages
from lite_llm_chat.store import shares
from tests.conftest import Product

from .test_shares import TALK, look, share
from .truth import send
from .whole import keep, run


async def test_a_page_is_rendered_once_and_the_memory_of_pages_is_bounded(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await keep(product, TALK)
    links = [await share(product, session_id) for _ in range(3)]
    rendered: list[int] = []
    paged = snapshots.paged

    def counted(*asked: Any) -> bytes:
        rendered.append(1)
        return paged(*asked)

    monkeypatch.setattr(snapshots, "paged", counted)
    size = len((await look(product, links[0])).body)
    await look(product, links[0])
    assert len(rendered) == 1
    object.__setattr__(product.parts, "pages", Pages(product.parts.database, 2 * size + 10))
    for at in (0, 1, 0, 2, 0, 1):
        assert (await look(product, links[at])).status == 200
    assert len(rendered) == 1 + 4  # 0, 1, 2, and 1 again: the one that was longest not asked for


async def test_a_page_that_is_taken_back_while_it_is_opened_is_not_there(product: Product) -> None:
    link = await share(product, await keep(product, TALK))
    database, now = product.parts.database, product.parts.now()
    found = await database.read(lambda conn: shares.opened(conn, link["token"], now))
    assert found is not None
    await send(product, "DELETE", f"/api/v1/shares/{link['id']}")
    assert await Pages(database).get(found, str.encode) is None


async def test_a_damaged_snapshot_is_said_to_be_damaged(product: Product) -> None:
    link = await share(product, await keep(product, TALK))
    await run(product, "UPDATE shares SET snapshot = '{'")
    assert (await look(product, link)).verdict == (503, "storage_unavailable")


@pytest.mark.parametrize("end", ["", ".json"])
async def test_who_wants_no_body_gets_the_same_head(product: Product, end: str) -> None:
    link = await share(product, await keep(product, TALK))
    for token, status in ((link["token"], 200), ("nobody", 404)):
        whole = await send(product, "GET", f"/s/{token}{end}")
        head = await send(product, "HEAD", f"/s/{token}{end}")
        assert (whole.status, head.status, head.body) == (status, status, b"")
        left = {"x-request-id", "date"}
        assert {name: text for name, text in head.headers.items() if name.lower() not in left} == {
            name: text for name, text in whole.headers.items() if name.lower() not in left
        }
