"""A row of a log that this server never wrote: its reader is told so, everybody else goes on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Product


@pytest.mark.parametrize(("column", "seq"), [("kind", 2), ("data", 3)])
async def test_a_damaged_row_ends_its_reader_with_a_sentence(
    product: Product, tmp_path: Path, column: str, seq: int
) -> None:
    asked = await product.ask("say: hello")
    await asked.rest()
    generation_id = asked.headers["X-Generation-Id"]
    with closing(sqlite3.connect(tmp_path / "chat.db")) as database, database:
        where = "WHERE generation_id = ? AND seq = ?"
        database.execute(f"UPDATE events SET {column} = 'x' {where}", (generation_id, seq))
    frames = await (await product.stream(f"/generations/{generation_id}/events")).rest()
    assert (frames[-1].event, frames[-1].data["code"]) == ("shutdown", "storage_unavailable")
    assert "restore a backup" in frames[-1].data["detail"]
    again = await (await product.ask("say: hello")).rest()
    assert again[-1].data == {"done": True}
