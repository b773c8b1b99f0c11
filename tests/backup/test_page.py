"""The lines of the cookbook's page about backups, run as they stand, top to bottom."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import aiohttp

from tests.durability import oracle
from tests.durability.processes import ROOT, Server, environment

PAGE = ROOT / "docs" / "cookbook" / "backup.md"
PROGRAM = ".venv/bin/python main.py"


def parts() -> list[str]:
    """The shell of the page, block by block, with this interpreter and this tree."""
    blocks: list[str] = re.findall(r"```sh\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return [block.replace(PROGRAM, f"'{sys.executable}' '{ROOT}/main.py'") for block in blocks]


async def sh(folder: Path, script: str) -> str:
    """What a script prints; it must succeed and say nothing on standard error."""
    process = await asyncio.create_subprocess_exec(
        *("sh", "-eu", "-c", script),
        cwd=folder,
        env=environment(folder, "") | {"UPLOAD_DIR": "uploads"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b""), err.decode()
    return out.decode()


async def uploaded(server: Server) -> str:
    """The id of a file that was uploaded."""
    form = aiohttp.FormData()
    form.add_field("file", b"a file", filename="notes.txt")
    async with (
        aiohttp.ClientSession(server.url) as client,
        client.post("/api/v1/upload", data=form) as response,
    ):
        return str((await response.json())["id"])


async def test_the_lines_of_the_page_do_what_they_say(tmp_path: Path) -> None:
    nightly, fetching, rehearsal, earnest = parts()
    assert "sqlite:///rehearsal" in rehearsal  # a folder below the present one
    async with Server("main", tmp_path) as server:
        file_id = await uploaded(server)
        await sh(tmp_path, nightly)
        await sh(tmp_path, fetching.replace("http://localhost:8000", server.url))
        assert "rehearsal/chat.db is what newest.tar has" in await sh(tmp_path, rehearsal)
    for place in ("backups/files", "rehearsal/uploads"):
        assert (tmp_path / place / file_id).read_text() == "a file"
    assert oracle.findings(tmp_path / "rehearsal" / "chat.db") == []
    told = await sh(tmp_path, earnest)
    assert "the old file is kept as" in told
    assert re.search(r"backups/manual-\d{8}T\d{6}Z\.db .* checked  1 files\n", told)
    assert oracle.findings(tmp_path / "chat.db") == []
