"""kill -9 while a person is being waited for, and what the next process makes of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import aiohttp

from tests.durability import oracle
from tests.durability.processes import ROOT, Server, until

from .conftest import to_caller

SCRIPT = Path(__file__).with_name("mcp_server.py")


class Process(Server):
    """With a model that calls."""

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "tests.tools.served"]


def _configured(folder: Path) -> Path:
    path = folder / "tools.toml"
    path.write_text(
        f"[servers.small]\ncommand = '{sys.executable}'\nargs = ['{SCRIPT}', '{folder}']\n"
        f"env = {{ PYTHONPATH = '{ROOT}' }}\n"
    )
    return path


async def _get(client: aiohttp.ClientSession, path: str) -> Any:
    async with client.get(f"/api/v1{path}") as response:
        return await response.json()


async def test_what_waited_before_a_kill_is_allowed_after_it_and_runs_once(tmp_path: Path) -> None:
    server = Process("main", tmp_path, tools_file=_configured(tmp_path), pythonpath=ROOT)
    async with server, aiohttp.ClientSession(server.url) as client:
        await until(lambda: "tools of small: 7" in server.output)
        text = 'call small__add {"a": 20, "b": 22}'
        async with client.post("/api/v1/chat", json=to_caller(text, background=True)) as reply:
            ticket = await reply.json()
        path = f"/generations/{ticket['generation_id']}"

        async def waits() -> bool:
            return bool((await _get(client, path))["waiting"])

        await until(waits)
        async with client.get(f"/api/v1{path}") as reply:
            before = (await reply.json())["last_seq"]
        await server.kill()
        seen = oracle.logs(server.database)[ticket["generation_id"]].events
        await server.start()
        assert await waits()
        assert not (tmp_path / "added").exists()
        approval = f"/api/v1{path}/approvals/c0.0"
        async with client.post(approval, json={"approve": True}) as reply:
            assert reply.status == 200, await reply.text()

        async def over() -> bool:
            return str((await _get(client, path))["status"]) == "completed"

        await until(over)
    log = oracle.logs(server.database)[ticket["generation_id"]]
    assert oracle.findings(server.database) == []
    assert log.events[:before] == seen
    assert log.said() == "Let me see. got: 42"
    assert [json.loads(data)["state"] for _, kind, data in log.events if kind == "approval"] == [
        "asked",
        "approved",
    ]
    assert (tmp_path / "added").read_text() == "20+22\n"


async def test_what_was_allowed_before_a_kill_is_interrupted_and_not_run_again(
    tmp_path: Path,
) -> None:
    server = Process("main", tmp_path, tools_file=_configured(tmp_path), pythonpath=ROOT)
    async with server, aiohttp.ClientSession(server.url) as client:
        await until(lambda: "tools of small: 7" in server.output)
        body = to_caller("call small__never {}", background=True)
        async with client.post("/api/v1/chat", json=body) as reply:
            path = f"/generations/{(await reply.json())['generation_id']}"

        async def waits() -> bool:
            return bool((await _get(client, path))["waiting"])

        await until(waits)
        async with client.post(f"/api/v1{path}/approvals/c0.0", json={"approve": True}) as reply:
            assert reply.status == 200, await reply.text()
        await until((tmp_path / "began").exists)
        await server.kill()
        (tmp_path / "began").unlink()
        await server.start()
        generation = await _get(client, path)
        assert (generation["status"], generation["waiting"]) == ("interrupted", False)
        assert not (tmp_path / "began").exists()
