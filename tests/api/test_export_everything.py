"""Everything as one zip: the same state gives the same bytes, in bounded memory."""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from lite_llm_chat.errors import NotFound
from lite_llm_chat.exporters import archive
from lite_llm_chat.exporters.archive import Archive, Piece, everything
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product

from .attach import ask_about, kept, png
from .follow import begin, hold
from .truth import send
from .whole import THEN, Said, Whole, answer, attached, keep, row, run


async def export(product: Product) -> bytes:
    reply = await send(product, "GET", "/api/v1/export")
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"] == "application/zip"
    assert reply.headers["cache-control"] == "no-store"
    return reply.body


def opened(data: bytes) -> dict[str, bytes]:
    """The entries of a zip, in their order."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert file.testzip() is None
        return {name: file.read(name) for name in file.namelist()}


async def fill(product: Product) -> str:
    """A bit of everything; the id of the attached file."""
    picture = await kept(product, png(3, 2), "black.png")
    await kept(product, b"nobody attached this", "alone.txt")
    at = "2026-03-01 09:30:00.000000"
    for folder in ((1, "Work", None, None), (2, "Clients", 1, 30), (3, "Art", None, None)):
        await row(product, "folders", *folder, at)
    for preset in ((1, "Terse", 2), (2, "Kind", 1)):
        await row(product, "presets", *preset, at, at)
    for version in (
        (1, 1, None, None, "Be short", "{}"),
        (1, 2, "deepseek", "deepseek-chat", "Be terse", '{"temperature":0.5}'),
        (2, 1, None, None, "Be kind", '{"stop":["a","b"]}'),
    ):
        await row(product, "preset_versions", *version, at)
    fields = {
        "uid": "b" * 26,
        "folder_id": 2,
        "preset_id": 1,
        "preset_version": 2,
        "pinned": True,
        "unread": True,
        "archived_at": THEN,
        "system_prompt": "Be brief",
        "options": '{"temperature":1.0,"max_tokens":5}',
        "source": "chatgpt",
        "source_id": "abc",
        "title_by": "model",
    }
    file = attached((picture, "black.png", "image/png", 70))
    said = (
        Said("user", "Q 河 \U0001f642 \0 \u2028", None, file, (picture,)),
        answer("A", 0, source_id="m-1"),
        answer("B", 0),
    )
    await keep(product, Whole("Full", said, 1, fields, ("blue", "art")))
    await keep(product, Whole("Bare", (), None, {"uid": "a" * 26}))
    await keep(product, Whole("Trash", (Said("user", "gone"),), None, {"deleted_at": THEN}))
    return picture


async def test_the_zip_has_everything_in_one_order(product: Product) -> None:
    picture = await fill(product)
    found = opened(await export(product))
    assert list(found) == [
        *("manifest.json", "folders.json", "presets.json"),
        *(f"sessions/{'a' * 26}.json", f"sessions/{'b' * 26}.json"),
        *(f"files/{picture}", f"files/{picture}.json"),
    ]
    assert json.loads(found["manifest.json"]) == {"format": "lite-llm-chat", "version": 1}
    assert json.loads(found["folders.json"]) == [
        {"path": ["Art"], "retention_days": None},
        {"path": ["Work"], "retention_days": None},
        {"path": ["Work", "Clients"], "retention_days": 30},
    ]
    kind, terse = json.loads(found["presets.json"])
    assert (kind["name"], terse["name"]) == ("Kind", "Terse")
    assert [one["version"] for one in terse["versions"]] == [1, 2]
    assert terse["versions"][1] == {
        "version": 2,
        "provider": "deepseek",
        "model": "deepseek-chat",
        "system_prompt": "Be terse",
        "options": {"temperature": 0.5},
        "created_at": "2026-03-01T09:30:00.000000Z",
    }
    assert found[f"files/{picture}"] == png(3, 2)
    about = {"name": "black.png", "media_type": "image/png"}
    assert json.loads(found[f"files/{picture}.json"]) == about


async def test_a_session_is_there_with_all_that_is_known_of_it(product: Product) -> None:
    await fill(product)
    session = json.loads(opened(await export(product))[f"sessions/{'b' * 26}.json"])
    messages = session.pop("messages")
    assert session == {
        "uid": "b" * 26,
        "title": "Full",
        "title_by": "model",
        "provider": "deepseek",
        "model": "deepseek-chat",
        "created_at": "2026-03-01T09:30:00.000250Z",
        "updated_at": "2026-03-01T09:30:00.000250Z",
        "pinned": True,
        "unread": True,
        "archived_at": "2026-03-01T09:30:00.000250Z",
        "folder": ["Work", "Clients"],
        "tags": ["art", "blue"],
        "system_prompt": "Be brief",
        "options": {"temperature": 1.0, "max_tokens": 5},
        "preset": {"name": "Terse", "version": 2},
        "source": "chatgpt",
        "source_id": "abc",
        "active": 2,
    }
    assert [(one["n"], one["parent"], one["source_id"]) for one in messages] == [
        *((1, None, None), (2, 1, "m-1"), (3, 1, None)),
    ]
    assert messages[0]["content"] == "Q 河 \U0001f642 \0 \u2028"
    (part,) = messages[0]["parts"]
    assert (part[0], json.loads(part[1])["name"]) == ("attachment", "black.png")
    assert messages[1]["origin"] == {
        "provider": "deepseek",
        "model": "deepseek-chat",
        "status": "completed",
        "finish_reason": "stop",
        "usage": None,
        "fault": None,
    }


async def test_the_same_state_gives_the_same_bytes(product: Product) -> None:
    await fill(product)
    first = await export(product)
    assert await export(product) == first
    await product.restart()
    assert await export(product) == first
    with zipfile.ZipFile(io.BytesIO(first)) as file:
        assert {one.date_time for one in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {one.create_system for one in file.infolist()} == {3}
        assert {one.external_attr for one in file.infolist()} == {0o644 << 16}
    await product.call("PATCH", "/sessions/1", {"title": "Other"})
    assert await export(product) != first


async def test_an_empty_server_has_an_empty_export(product: Product) -> None:
    found = opened(await export(product))
    assert list(found) == ["manifest.json", "folders.json", "presets.json"]
    assert found["folders.json"] == found["presets.json"] == b"[]\n"


async def test_a_running_answer_is_there_with_what_it_says_so_far(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    gate = hold(upstream, "Hello there, friend", 1)
    stream = await product.ask("Greet me")
    await begin(product, stream)
    found = opened(await export(product))
    gate.open()
    await stream.rest()
    (name,) = (one for one in found if one.startswith("sessions/"))
    said = json.loads(found[name])["messages"][1]
    assert (said["content"], said["origin"]["status"]) == ("Hello", "interrupted")
    after = json.loads(opened(await export(product))[name])["messages"][1]
    assert (after["content"], after["origin"]["status"]) == ("Hello there, friend", "completed")


async def test_a_file_is_there_once_and_only_if_its_bytes_are(
    product: Product, tmp_path: Path
) -> None:
    here, gone = await kept(product, b"a note"), await kept(product, b"another note")
    for files in ([here], [here, gone]):
        assert (await ask_about(product, files)).status == 200
    (tmp_path / "uploads" / gone).unlink()
    names = [name for name in opened(await export(product)) if name.startswith("files/")]
    assert names == [f"files/{here}", f"files/{here}.json"]
    await run(product, "UPDATE chat_sessions SET deleted_at = '2026-03-01 09:30:00.000000'")
    assert [name for name in opened(await export(product)) if name.startswith("files/")] == []


async def test_sessions_that_come_and_go_meanwhile_break_nothing(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "STEP_BYTES", 1)
    for letter in "abd":
        whole = Whole(letter, (Said("user", letter),), None, {"uid": letter * 26})
        await keep(product, whole)
    archived = everything(product.parts.database, product.parts.uploads)
    data = await anext(archived)
    data += await anext(archived)
    await run(product, "DELETE FROM chat_sessions WHERE uid = :uid", uid="b" * 26)
    await keep(product, Whole("c", (Said("user", "c"),), None, {"uid": "c" * 26}))
    async for more in archived:
        data += more
    assert [name[9:10] for name in opened(data) if name.startswith("sessions/")] == ["a", "c", "d"]


async def test_a_session_that_is_deleted_while_it_is_read_ends_the_export(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "STEP_BYTES", 1)
    await keep(product, Whole("Long", (Said("user", "x"), answer("y", 0))))
    archived = everything(product.parts.database, product.parts.uploads)
    await anext(archived)
    await anext(archived)
    await run(product, "DELETE FROM chat_sessions")
    with pytest.raises(NotFound):
        [data async for data in archived]


async def test_memory_does_not_grow_with_what_is_exported(product: Product) -> None:
    async def peak(sessions: int) -> int:
        said = Said("user", "some words of a talk " * 20_000)
        for number in range(sessions):
            await keep(product, Whole(f"{number}", (said, answer("and more " * 50_000, 0))))
        tracemalloc.start()
        size = 0
        async for data in everything(product.parts.database, product.parts.uploads):
            size = max(size, len(data))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    few = await peak(3)
    many = await peak(40)
    assert many < 2 * few, (few, many)


def endless(_conn: object, at: object) -> tuple[list[Piece], object]:
    """A step after which there is always another one."""
    return [Piece("a.bin", bytes(100_000), plain=True)], at


async def test_a_client_that_leaves_ends_the_work(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[bool] = []

    async def watched(*sources: Any) -> Any:
        try:
            async for data in everything(*sources):
                yield data
        finally:
            ended.append(True)

    monkeypatch.setattr(archive, "step", endless)
    monkeypatch.setattr("lite_llm_chat.api.exports.everything", watched)
    assert product._session is not None
    response = await product._session.get("/api/v1/export")
    await response.content.readexactly(300_000)
    response.close()
    while not ended:
        await product.call("GET", "/sessions")


async def test_answers_and_pages_go_on_beside_many_exports(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "step", endless)
    assert product._session is not None
    readers = [await product._session.get("/api/v1/export") for _ in range(6)]
    for reader in readers:
        await reader.content.readexactly(300_000)
    frames = await (await product.ask("say: Hello there, friend")).rest()
    assert frames[-1].data == {"done": True}
    assert (await product.call("GET", "/sessions"))[1][0]["message_count"] == 2
    for reader in readers:
        reader.close()


async def test_a_server_that_stops_breaks_an_export_off(
    product: Product, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(archive, "step", endless)
    assert product._session is not None
    async with product._session.get("/api/v1/export") as response:
        await response.content.readexactly(300_000)
        product.parts.chat._engine.draining = True
        with pytest.raises(aiohttp.ClientError):
            await response.content.read()
    assert not any(one.name.startswith("uvicorn") for one in caplog.records)


def test_a_zip_is_written_from_front_to_back() -> None:
    made = Archive()
    first = made.add(
        [Piece("a.json", b"[1,"), Piece("a.json", b"2]"), Piece("b", b"bb", plain=True)]
    )
    assert first.startswith(b"PK\x03\x04")
    data = first + made.add([Piece("c", bytes(10_000_000), large=True)]) + made.end()
    assert len(data) < 20_000
    assert opened(data) == {"a.json": b"[1,2]", "b": b"bb", "c": bytes(10_000_000)}
