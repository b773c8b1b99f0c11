"""A proxy on the same machine that speaks TLS to the world: addresses are those of the world."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest

from .processes import WAYS, Server, Way


@pytest.mark.parametrize("way", WAYS)
async def test_a_redirect_keeps_the_scheme_of_the_world(way: Way, tmp_path: Path) -> None:
    async with Server(way, tmp_path) as server, aiohttp.ClientSession(server.url) as client:
        headers = {"Host": "chat.example", "X-Forwarded-Proto": "https"}
        path = "/api/v1/sessions/"
        async with client.get(path, headers=headers, allow_redirects=False) as reply:
            assert reply.status == 307
            assert reply.headers["Location"] == "https://chat.example/api/v1/sessions"
