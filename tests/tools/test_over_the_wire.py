"""From a client to a vendor's bytes and a tool's child process, and back."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from lite_llm_chat.config import Settings
from tests.conftest import Product, question
from tests.durability.processes import ROOT, until

SCRIPT = Path(__file__).with_name("mcp_server.py")
CALL = {
    "index": 0,
    "id": "call_1",
    "type": "function",
    "function": {"name": "small__add", "arguments": '{"a": 20, "b": 22}'},
}


def _chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    head = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "deepseek-flash"}
    return f"data: {json.dumps({**head, 'choices': [choice]})}\n\n".encode()


async def _chat(request: web.Request) -> web.StreamResponse:
    body = await request.json()
    last = body["messages"][-1]
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    if last["role"] == "tool":
        await response.write(_chunk({"content": f"It is {last['content']}."}))
        await response.write(_chunk({}, "stop"))
    else:
        await response.write(_chunk({"tool_calls": [CALL]}))
        await response.write(_chunk({}, "tool_calls"))
    await response.write(b"data: [DONE]\n\n")
    return response


async def test_a_vendors_tool_call_is_run_and_its_answer_completed(
    settings: Settings, tmp_path: Path
) -> None:
    app = web.Application()
    app.router.add_post("/chat/completions", _chat)
    file = tmp_path / "tools.toml"
    file.write_text(
        f"[servers.small]\ncommand = '{sys.executable}'\nargs = ['{SCRIPT}', '{tmp_path}']\n"
        f"env = {{ PYTHONPATH = '{ROOT}' }}\ndefault = 'allow'\n"
    )
    async with TestServer(app) as vendor:
        changed = {"deepseek_base_url": str(vendor.make_url("/")), "tools_file": str(file)}
        product = await Product(settings.model_copy(update=changed)).start()
        try:
            await until(lambda: bool(product.parts.chat.rules.tools()))
            body = question("What is 20 and 22?", stream=False)
            status, reply = await product.call("POST", "/chat", body)
            assert status == 200, reply
            assert reply["message"]["content"] == "It is 42."
        finally:
            await product.stop()
