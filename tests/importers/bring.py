"""Bringing a file to a product, and what is there afterwards.

await bring(product, data) ─▶ the import, over     await told(product, title) ─▶ its branch
"""

from __future__ import annotations

import io
import json
import sqlite3
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.api.truth import send
from tests.conftest import Product

FILE = {"content-type": "application/octet-stream"}


async def start(product: Product, data: bytes, **wish: str) -> Any:
    """The reply to a file that was sent."""
    where = f"/api/v1/imports?{urlencode(wish)}"
    body: Any = io.BytesIO(data)
    return await send(product, "POST", where, body, FILE)


async def bring(product: Product, data: bytes, **wish: str) -> dict[str, Any]:
    """An import that is over."""
    reply = await start(product, data, **wish)
    assert reply.status == 202, reply.json
    await product.parts.imports.settled()
    return await shown(product, reply.json["id"])


async def shown(product: Product, import_id: str) -> dict[str, Any]:
    reply = await send(product, "GET", f"/api/v1/imports/{import_id}")
    assert reply.status == 200
    found: dict[str, Any] = reply.json
    return found


def counts(done: Mapping[str, Any]) -> dict[str, int]:
    """The counts that are not zero."""
    return {name: count for name, count in done["conversations"].items() if count}


async def sessions(product: Product) -> dict[str, dict[str, Any]]:
    """All sessions by their titles."""
    listed = (await send(product, "GET", "/api/v1/sessions?limit=1000&archived=any")).json
    return {one["title"]: one for one in listed}


async def branch(product: Product, title: str) -> list[dict[str, Any]]:
    """The messages of a session's active branch."""
    session = (await sessions(product))[title]
    whole = (await send(product, "GET", f"/api/v1/sessions/{session['id']}")).json
    messages: list[dict[str, Any]] = whole["messages"]
    return messages


async def talk(product: Product, title: str) -> list[tuple[str, str]]:
    """Who said what on a session's active branch."""
    return [(one["role"], one["content"]) for one in await branch(product, title)]


def rows(product: Product, statement: str, *values: object) -> list[Any]:
    """Rows of the product's database."""
    path = product.settings.database_url.removeprefix("sqlite:///")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as conn:
        return conn.execute(statement, values).fetchall()


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


def zipped(entries: Mapping[str, bytes | object]) -> bytes:
    """A zip; what is not bytes becomes JSON."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in entries.items():
            archive.writestr(name, value if isinstance(value, bytes) else as_json(value))
    return target.getvalue()


def database(folder: Path, script: str, tables: Mapping[str, list[dict[str, Any]]]) -> bytes:
    """The bytes of a SQLite file with a schema and some rows."""
    path = folder / "made.db"
    path.unlink(missing_ok=True)
    conn = sqlite3.connect(path)
    conn.executescript(script)
    for table, listed in tables.items():
        for row in listed:
            names = ", ".join(f'"{name}"' for name in row)
            marks = ", ".join("?" * len(row))
            conn.execute(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', tuple(row.values()))
    conn.commit()
    conn.close()
    return path.read_bytes()
