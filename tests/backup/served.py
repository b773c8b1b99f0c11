"""Backups of a running product, as its callers see them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from lite_llm_chat import stamps
from tests.conftest import Product

Json = dict[str, Any]


async def made(product: Product) -> Json:
    """One more backup."""
    status, body = await product.call("POST", "/backups")
    assert status == 201, body
    found: Json = body
    return found


async def listed(product: Product) -> Json:
    status, body = await product.call("GET", "/backups")
    assert status == 200, body
    found: Json = body
    return found


def names_of(found: Json) -> list[str]:
    return [one["name"] for one in found["backups"]]


async def names(product: Product) -> list[str]:
    return names_of(await listed(product))


async def upload(product: Product, what: bytes) -> str:
    """The id of an uploaded file."""
    form = aiohttp.FormData()
    form.add_field("file", what, filename="notes.txt")
    assert product._session is not None
    async with product._session.post("/api/v1/upload", data=form) as response:
        assert response.status == 200
        return str((await response.json())["id"])


async def fetched(product: Product, name: str) -> bytes:
    async with product.request("GET", f"/backups/{name}") as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "application/x-tar"
        return await response.read()  # type: ignore[no-any-return]


def ids(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as file:
        return [row[0] for row in file.execute("SELECT id FROM generations")]


def inside(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def put(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def ago(hours: int) -> datetime:
    return stamps.now() - timedelta(hours=hours)


def modes(*paths: Path) -> list[int]:
    return [path.stat().st_mode & 0o777 for path in paths]


async def until(product: Product, wanted: Callable[[Json], object]) -> Json:
    """What is listed, once it is as it should be."""
    while not wanted(found := await listed(product)):  # noqa: ASYNC110 - it is asked over HTTP
        await asyncio.sleep(0.005)
    return found
