"""Nothing of a temporary chat is ever in a file: not while it goes on, not when it fails, not after
kill -9. What an ordinary chat says is found by the same look."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from standins.behaviours import Answer, Cut, Stall
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Stream, question

from .processes import Server

# In the question, in the answer, in the prompt, in the title, in what is thought.
SECRETS = ("Quarzlampe", "Nebelhorn", "Wanderlicht", "Leuchtboje", "Tiefdruckrinne")
KEPT = "Hafenmeister"


def files_with(word: str, server: Server) -> list[str]:
    """The files with a word in them: of the folder, and those that the process has open, named
    or not."""
    found = [path for path in server.folder.rglob("*") if path.is_file()]
    if server.running:
        opened = Path(f"/proc/{server.pid}/fd").iterdir()
        found += [path for path in opened if path.is_file()]
    return [str(path) for path in found if word.encode() in path.read_bytes()]


def nothing_of_it(server: Server) -> None:
    assert files_with(KEPT, server) != [], "the look itself finds nothing"
    assert {word: found for word in SECRETS if (found := files_with(word, server))} == {}


async def ask(client: aiohttp.ClientSession, text: str, **fields: object) -> Any:
    body = question(text, stream=False, **fields)
    async with client.post("/api/v1/chat", json=body) as response:
        return await response.json()


@pytest.fixture
async def server(tmp_path: Path, upstream: DeepSeekStandIn, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A server that says all it has to say, and all of whose files are in one folder."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    async with Server("main", tmp_path, upstream.url, log_level="debug") as one:
        yield one


async def chats(client: aiohttp.ClientSession, upstream: DeepSeekStandIn) -> int:
    """An ordinary chat, and a temporary one that knows every way to be answered; its session."""
    await ask(client, f"say: {KEPT}")
    question_word, answer_word, prompt, title, thought = SECRETS
    first = await ask(
        client,
        f"{question_word} say: {answer_word}",
        temporary=True,
        system_prompt=prompt,
        title=title,
    )
    session_id = int(first["session_id"])
    patched = {"system_prompt": prompt, "title": title}
    async with client.patch(f"/api/v1/sessions/{session_id}", json=patched) as response:
        assert response.status == 200
    upstream.play(Answer(text=f"{answer_word} and {answer_word}"), Cut(after_tokens=2))
    failed = await ask(client, question_word, session_id=session_id)
    assert failed["status"] == 502
    again = f"/api/v1/messages/{failed['message_id']}"
    for way in ("regenerate", "continue"):
        upstream.play(Answer(text=answer_word, reasoning=thought))
        async with client.post(f"{again}/{way}", json={"stream": False}) as response:
            assert response.status == 200, await response.text()
    key = {"Idempotency-Key": "once"}
    body = question(question_word, session_id=session_id, background=True)
    async with client.post("/api/v1/chat", json=body, headers=key) as response:
        generation_id = (await response.json())["generation_id"]
    await Stream(await client.get(f"/api/v1/generations/{generation_id}/events")).rest()
    return session_id


async def test_nothing_is_in_any_file_while_it_goes_on_nor_after_a_kill(
    server: Server, upstream: DeepSeekStandIn
) -> None:
    async with aiohttp.ClientSession(server.url) as client:
        session_id = await chats(client, upstream)
        nothing_of_it(server)
        upstream.play(Answer(text=f"{SECRETS[1]} {SECRETS[1]} {SECRETS[1]}"), Stall(after_tokens=4))
        body = question(SECRETS[0], session_id=session_id)
        stream = Stream(await client.post("/api/v1/chat", json=body))
        await stream.until("content")
        nothing_of_it(server)
        await server.kill()
    nothing_of_it(server)
    await server.start()
    nothing_of_it(server)
    path = f"/api/v1/sessions/{session_id}"
    async with aiohttp.ClientSession(server.url) as client, client.get(path) as response:
        assert response.status == 404


async def test_readers_are_told_when_the_server_stops_and_nothing_is_left(
    server: Server, upstream: DeepSeekStandIn
) -> None:
    async with aiohttp.ClientSession(server.url) as client:
        session_id = await chats(client, upstream)
        upstream.play(Answer(text=f"{SECRETS[1]} {SECRETS[1]} {SECRETS[1]}"), Stall(after_tokens=4))
        body = question(SECRETS[0], session_id=session_id)
        stream = Stream(await client.post("/api/v1/chat", json=body))
        await stream.until("content")
        server.signal(signal.SIGTERM)
        server.signal(signal.SIGTERM)  # the second one cuts the wait
        assert (await stream.rest())[-1].data["code"] == "server_stopping"
        await server.ended()
    nothing_of_it(server)
