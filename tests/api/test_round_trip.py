"""What was exported and imported elsewhere is exported there again, byte by byte.

any history, as a zip of our form ─▶ one instance ─▶ export ─▶ an empty one ─▶ export
                                         └─ again ─▶ export          all three: the same bytes
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from standins.behaviours import Answer
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product
from tests.torture import scaled

from .attach import ask_about, kept, png
from .conftest import Launch
from .test_export_everything import export, fill, opened
from .truth import send
from .whole import row, run

TIMES = scaled(8, 300)  # of up to a dozen sessions each: an import takes a process of its own
EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)
NOTE, BLACK = b"a note \xf0\x9f\x99\x82", png(3, 2)
FILES = {
    hashlib.sha256(NOTE).hexdigest(): ("note.txt", "text/plain", NOTE),
    hashlib.sha256(BLACK).hexdigest(): ("black.png", "image/png", BLACK),
}


async def bring(product: Product, data: bytes) -> dict[str, Any]:
    """Import a file; how that ended."""
    assert product._session is not None
    binary = {"content-type": "application/octet-stream"}
    async with product._session.post("/api/v1/imports", data=data, headers=binary) as response:
        assert response.status == 202, await response.text()
        begun = await response.json()
    await product.parts.imports.settled()
    done = (await send(product, "GET", f"/api/v1/imports/{begun['id']}")).json
    assert (done["status"], done["error"]) == ("completed", None), done
    assert done["conversations"]["broken"] == done["conversations"]["skipped"] == 0, done
    assert all(one["notes"] == [] for one in done["entries"]), done
    return dict(done)


async def round_trip(launch: Launch, folder: Path, data: bytes) -> None:
    """Import an export into an empty instance, twice."""
    other = await launch(database_url=f"sqlite:///{folder}/other.db", upload_dir=f"{folder}/other")
    for _ in range(2):
        await bring(other, data)
        again = await export(other)
        assert opened(again) == opened(data)
        assert again == data
    await other.stop()


async def test_a_bit_of_everything_goes_round(
    product: Product, launch: Launch, tmp_path: Path
) -> None:
    await fill(product)
    await round_trip(launch, tmp_path, await export(product))


async def test_what_has_no_session_goes_round(
    product: Product, launch: Launch, tmp_path: Path
) -> None:
    nothing = await export(product)
    await bring(product, nothing)
    assert await export(product) == nothing
    await row(product, "folders", 1, "Work", None, 30, "2026-03-01 09:30:00.000000")
    await round_trip(launch, tmp_path, await export(product))


async def test_what_was_answered_here_goes_round(
    product: Product, upstream: DeepSeekStandIn, launch: Launch, tmp_path: Path
) -> None:
    upstream.play(Answer(text="Thought through", reasoning_tokens=3))
    await (await product.ask("Think", model="deepseek-reasoner")).rest()
    (session,) = (await product.call("GET", "/sessions"))[1]
    await (await product.ask("say: And then", session_id=session["id"])).rest()
    messages = (await product.call("GET", f"/sessions/{session['id']}"))[1]["messages"]
    path = f"/messages/{messages[-1]['id']}/regenerate"
    await (await product.stream(path, {})).rest()
    await ask_about(product, [await kept(product, NOTE, "note.txt")])
    await round_trip(launch, tmp_path, await export(product))


async def test_one_session_goes_round_alone(
    product: Product, launch: Launch, tmp_path: Path
) -> None:
    await fill(product)
    await run(product, "DELETE FROM message_files")
    await run(product, "UPDATE chat_messages SET parts = NULL")
    await run(product, "UPDATE chat_sessions SET preset_id = NULL")
    one = await send(product, "GET", "/api/v1/sessions/1/export?format=json")
    other = await launch(database_url=f"sqlite:///{tmp_path}/other.db")
    await bring(other, one.body)
    assert opened(await export(other))[f"sessions/{'b' * 26}.json"] == one.body


# ── any history ───────────────────────────────────────────────────────────────────────────────

words = st.text(max_size=30)
names = (
    st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)
    .map(lambda name: " ".join(name.split()).strip(" /."))
    .filter(bool)
)
moments = st.integers(0, 4 * 10**15).map(
    lambda us: f"{(EPOCH + timedelta(microseconds=us)).isoformat(timespec='microseconds')}Z"
)
counts = st.integers(0, 10**6)
usages = st.fixed_dictionaries(
    {
        "input": counts,
        "cached": counts,
        "output": counts,
        "reasoning": counts,
        "estimated": st.booleans(),
    }
)
origins = st.fixed_dictionaries(
    {
        "provider": st.none() | names,
        "model": st.none() | names,
        "status": st.sampled_from(["completed", "failed", "cancelled", "interrupted"]),
        "finish_reason": st.none() | st.sampled_from(["stop", "length", "tool_calls"]),
        "usage": st.none() | usages,
        "fault": st.none() | st.fixed_dictionaries({"code": names, "detail": words}),
    }
)
options = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0, 2),
        "max_tokens": st.integers(1, 10**6),
        "stop": st.lists(words.filter(bool), min_size=1, max_size=2),
        "thinking": st.booleans(),
    },
)


def compact(value: object) -> str:
    return msgspec.json.encode(value).decode()


def part(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[list[str]]:
    values = st.tuples(*fields.values())
    return values.map(lambda one: [kind, compact(dict(zip(fields, one, strict=True)))])


spoken = st.lists(
    st.one_of(
        words.filter(bool).map(lambda text: ["text", text]),
        words.filter(bool).map(lambda text: ["reasoning", text]),
        part("tool_call", id=names, name=names, arguments=words),
        part("tool_result", call_id=names, content=words, failed=st.booleans()),
        part("seal", maker=names, data=words),
    ),
    min_size=1,
    max_size=4,
)


def attachment(file_id: str) -> list[str]:
    name, media_type, data = FILES[file_id]
    about = {"id": file_id, "name": name, "media_type": media_type, "size_bytes": len(data)}
    return ["attachment", compact(about)]


attached = st.lists(st.sampled_from(sorted(FILES)), unique=True, min_size=1).map(
    lambda ids: [attachment(one) for one in ids]
)


@st.composite
def sessions(draw: st.DrawFn, uid: str) -> dict[str, Any]:
    """A session whose tree is any tree."""
    messages = []
    count = draw(st.integers(0, 6))
    for n in range(1, count + 1):
        role = draw(st.sampled_from(["user", "assistant", "system", "tool"]))
        answer = role == "assistant"
        messages.append(
            {
                "n": n,
                "parent": draw(st.none() | st.integers(1, n - 1)) if n > 1 else None,
                "role": role,
                "content": draw(words),
                "created_at": draw(moments),
                "reasoning": draw(st.none() | words.filter(bool)) if answer else None,
                "parts": draw(st.none() | (spoken if answer else attached))
                if role in ("assistant", "user")
                else None,
                "call_id": draw(names) if role == "tool" else None,
                "origin": draw(st.none() | origins) if answer else None,
                "source_id": f"m{n}" if draw(st.booleans()) else None,
            }
        )
    return {
        "uid": uid,
        "title": draw(words.filter(bool)),
        "title_by": draw(st.sampled_from(["words", "model", "person"])),
        "provider": draw(names),
        "model": draw(names),
        "created_at": draw(moments),
        "updated_at": draw(moments),
        "pinned": draw(st.booleans()),
        "unread": draw(st.booleans()),
        "archived_at": draw(st.none() | moments),
        "folder": draw(st.none() | st.sampled_from(FOLDERS)),
        "tags": sorted(draw(st.lists(names, unique_by=str.casefold, max_size=3))),
        "system_prompt": draw(st.none() | words.filter(bool)),
        "options": draw(options),
        "preset": draw(
            st.none() | st.sampled_from(["A", "B"]).map(lambda name: {"name": name, "version": 1})
        ),
        "source": None,
        "source_id": None,
        "active": draw(st.none() | st.integers(1, count)) if count else None,
        "messages": messages,
    }


FOLDERS = [["Art"], ["Work"], ["Work", "Clients"]]
versions = st.fixed_dictionaries(
    {
        "provider": st.none() | names,
        "model": st.none() | names,
        "system_prompt": st.none() | words.filter(bool),
        "options": options.map(lambda given: given or {}),
        "created_at": moments,
    }
)
presets = st.lists(versions, min_size=1, max_size=2).map(
    lambda said: [{"version": at, **one} for at, one in enumerate(said, 1)]
)
histories = st.fixed_dictionaries(
    {
        "folders": st.lists(st.none() | st.integers(1, 900), min_size=3, max_size=3),
        "presets": st.tuples(presets, presets),
        "sessions": st.lists(st.integers(0, 99), unique=True, min_size=1, max_size=12).flatmap(
            lambda numbers: st.tuples(*(sessions(f"{one:02}" * 13) for one in sorted(numbers)))
        ),
    }
)


def packed(history: Mapping[str, Any]) -> bytes:
    """A history as a zip that somebody else could have written."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as file:
        file.writestr("manifest.json", compact({"format": "lite-llm-chat", "version": 1}))
        folders = [
            {"path": path, "retention_days": days}
            for path, days in zip(FOLDERS, history["folders"], strict=True)
        ]
        file.writestr("folders.json", compact(folders))
        listed = [
            {"name": name, "versions": said}
            for name, said in zip("AB", history["presets"], strict=True)
        ]
        file.writestr("presets.json", compact(listed))
        for session in history["sessions"]:
            file.writestr(f"sessions/{session['uid']}.json", compact(session))
        for file_id in sorted(used(history)):
            name, media_type, data = FILES[file_id]
            file.writestr(f"files/{file_id}", data)
            about = {"name": name, "media_type": media_type}
            file.writestr(f"files/{file_id}.json", compact(about))
    return target.getvalue()


def used(history: Mapping[str, Any]) -> set[str]:
    text = compact(history)
    return {file_id for file_id in FILES if file_id in text}


def read(data: bytes) -> dict[str, Any]:
    """What a zip says."""
    found = opened(data)
    return {name: json.loads(one) if name.endswith(".json") else one for name, one in found.items()}


async def empty(product: Product) -> None:
    """As if it were new."""
    for table in ("chat_sessions", "folders", "presets", "imports", "files"):
        await run(product, f"DELETE FROM {table}")


def differing(was: Any, is_now: Any) -> list[Any]:
    """The fields of an entry that are not the same."""
    if not (isinstance(was, dict) and isinstance(is_now, dict)):
        return [] if was == is_now else [(was, is_now)]
    found = {name: (was[name], is_now.get(name)) for name in was if was[name] != is_now.get(name)}
    if list(found) == ["messages"] and len(was["messages"]) == len(is_now["messages"]):
        pairs = zip(was["messages"], is_now["messages"], strict=True)
        return [one for pair in pairs for one in differing(*pair)]
    return list(found.items())


async def goes_round(product: Product, history: Mapping[str, Any]) -> None:
    """A history comes in, goes out, and comes in again, into an instance that has it and into one
    that has nothing."""
    data = packed(history)
    await bring(product, data)
    first = await export(product)
    was, is_now = read(data), read(first)
    assert list(was) == list(is_now)
    assert [one for name in was for one in differing(was[name], is_now[name])] == []
    await bring(product, first)
    assert await export(product) == first
    await empty(product)
    await bring(product, first)
    assert await export(product) == first


@pytest.mark.timeout(scaled(120, 3_600))
async def test_any_history_goes_round(product: Product) -> None:
    loop = asyncio.get_running_loop()

    @settings(max_examples=TIMES, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(histories)
    def any_history(history: Mapping[str, Any]) -> None:
        asyncio.run_coroutine_threadsafe(empty(product), loop).result()
        asyncio.run_coroutine_threadsafe(goes_round(product, history), loop).result()

    await asyncio.to_thread(any_history)
