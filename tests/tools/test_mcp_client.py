"""Real MCP servers: a child on standard input and output, and one on a port."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import uvicorn

from lite_llm_chat.domain import ToolCall, ToolResult
from lite_llm_chat.tools import mcp_client
from lite_llm_chat.tools.config import Server
from lite_llm_chat.tools.mcp_client import McpTools, exposed
from tests.conftest import QuietServer
from tests.durability.processes import until

from .mcp_server import server as small_server

SCRIPT = Path(__file__).with_name("mcp_server.py")
KEY = "sk-of-the-small-server"

Open = Callable[..., Awaitable[McpTools]]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Open]:
    """Connects to a child of this process; everything ends with the test."""
    boxes: list[McpTools] = []

    async def start(server: Server | None = None, **changed: object) -> McpTools:
        usual: dict[str, object] = {
            "command": sys.executable,
            "args": [str(SCRIPT), str(tmp_path)],
            "env": {"SMALL_KEY": KEY, "PYTHONPATH": str(SCRIPT.parents[2])},
            "default": "allow",
        }
        box = McpTools({"small": server or Server(**{**usual, **changed})})  # type: ignore[arg-type]
        boxes.append(box)
        box.start()
        await until(lambda: bool(box.tools()))
        return box

    yield start
    for box in boxes:
        await box.close()


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[str]:
    """The same server on a port; its address."""
    app = small_server(tmp_path).streamable_http_app()
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, access_log=False, ws="none")
    running = QuietServer(config)
    task = asyncio.create_task(running.serve(sockets=[listener]))
    await until(lambda: running.started)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    running.should_exit = running.force_exit = True
    await task


def _call(tool: str, arguments: str = "{}") -> ToolCall:
    return ToolCall("c1", f"small__{tool}", arguments)


async def test_a_childs_tools_are_known_by_name_and_schema(opened: Open) -> None:
    box = await opened()
    tools = {tool.name: tool for tool in box.tools()}
    assert tools["small__add"].description == "The sum of two numbers."
    assert tools["small__add"].parameters["required"] == ["a", "b"]


async def test_a_call_of_a_childs_tool_gives_its_text(opened: Open) -> None:
    box = await opened()
    assert await box.run(_call("add", '{"a": 20, "b": 22}')) == ToolResult("c1", "42")


async def test_a_server_on_a_port_does_the_same(opened: Open, web: str) -> None:
    box = await opened(Server(url=web, default="allow"))
    assert await box.run(_call("add", '{"a": 1, "b": 2}')) == ToolResult("c1", "3")
    assert (await box.run(_call("fail"))).failed


async def test_a_tool_that_fails_says_so_to_the_model(opened: Open) -> None:
    box = await opened()
    result = await box.run(_call("fail"))
    assert result.failed
    assert "fail" in result.content


async def test_a_result_is_cut_at_its_bound_between_characters(opened: Open) -> None:
    box = await opened(max_result_bytes=101)
    result = await box.run(_call("long"))
    assert result == ToolResult("c1", "ä" * 50 + "\n(The rest was cut: over 101 bytes.)")


async def test_what_the_operator_gave_in_secret_is_not_in_a_result(opened: Open) -> None:
    box = await opened()
    assert (await box.run(_call("leak"))).content == "…"


async def test_a_call_that_takes_too_long_is_stopped_and_said_to_have_failed(
    opened: Open, tmp_path: Path
) -> None:
    box = await opened(timeout_s=0.3)
    result = await box.run(_call("never"))
    assert result == ToolResult("c1", "There was no result within 0.3 seconds.", failed=True)
    await until((tmp_path / "stopped").exists)


async def test_a_cancelled_call_is_stopped_at_the_server(opened: Open, tmp_path: Path) -> None:
    box = await opened()
    task = asyncio.create_task(box.run(_call("never")))
    await until((tmp_path / "began").exists)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until((tmp_path / "stopped").exists)
    assert not (await box.run(_call("add", '{"a": 1, "b": 1}'))).failed


async def test_a_child_that_dies_fails_its_call_and_is_started_again(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_client, "PAUSES_S", (0.01, 0.1))
    box = await opened()
    first = (tmp_path / "pid").read_text()
    assert (await box.run(_call("die"))).failed
    assert await box.run(_call("add", '{"a": 1, "b": 2}')) == ToolResult("c1", "3")
    assert (tmp_path / "pid").read_text() != first


async def test_a_tool_that_comes_later_is_known_later(opened: Open) -> None:
    box = await opened()
    assert box.verdict(_call("fresh")).word == "deny"
    await box.run(_call("grow"))
    await until(lambda: any(tool.name == "small__fresh" for tool in box.tools()))
    assert await box.run(_call("fresh")) == ToolResult("c1", "new")


async def test_the_child_ends_with_the_connection(opened: Open, tmp_path: Path) -> None:
    box = await opened()
    pid = int((tmp_path / "pid").read_text())
    await box.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIG_DFL)


async def test_a_denied_tool_is_neither_shown_nor_run(opened: Open) -> None:
    box = await opened(tools={"add": "deny", "f*": "ask"})
    assert "small__add" not in {tool.name for tool in box.tools()}
    assert box.verdict(_call("add", '{"a": 1, "b": 1}')).word == "deny"
    assert box.verdict(_call("fail")).word == "ask"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ("{", "The arguments are not a JSON object."),
        ("[1]", "The arguments are not a JSON object."),
        (
            '{"a": 1}',
            "The arguments do not match the tool's schema: $: 'b' is a required property",
        ),
    ],
)
async def test_wrong_arguments_are_denied_with_a_reason(
    opened: Open, arguments: str, why: str
) -> None:
    box = await opened()
    verdict = box.verdict(_call("add", arguments))
    assert (verdict.word, verdict.why) == ("deny", why)


async def test_a_server_that_cannot_be_started_stops_nothing() -> None:
    box = McpTools({"small": Server(command="/there/is/no/such", timeout_s=0.05, default="allow")})
    box.start()
    assert box.tools() == ()
    assert (await box.run(_call("add"))).failed
    await box.close()


@pytest.mark.parametrize("tool", ["a.b", "x" * 80, "größe"])
def test_every_exposed_name_is_one_that_vendors_take(tool: str) -> None:
    name = exposed("small", tool)
    assert len(name) <= 64
    assert name.isascii()
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
    assert name != exposed("small", tool + ".")
