"""What the process writes to its log: for a machine, one JSON object a line."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import aiohttp

from standins.deepseek import DeepSeekStandIn
from tests.conftest import question

from .processes import Server


async def test_with_log_format_json_every_line_of_the_log_is_one_object(
    tmp_path: Path, upstream: DeepSeekStandIn
) -> None:
    settings = {"log_format": "json", "log_level": "info"}
    async with Server("uvicorn", tmp_path, upstream.url, **settings) as server:
        async with aiohttp.ClientSession(server.url) as client:
            body = question("say: a secret word", stream=False)
            async with client.post("/api/v1/chat", json=body) as response:
                assert response.status == 200
                generation_id = (await response.json())["message"]["generation_id"]
        server.signal(signal.SIGTERM)
        await server.ended()
    said = [line for line in server.output.splitlines() if line.startswith("{")]
    lines = [json.loads(line) for line in said]
    assert all({"time", "level", "logger", "message"} <= set(line) for line in lines)
    (about,) = [line for line in lines if generation_id in json.dumps(line)]
    assert about["level"] == "info"
    assert "secret" not in server.output
