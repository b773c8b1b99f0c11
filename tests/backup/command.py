"""The command line as an operator types it, in a folder with a server's settings."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.durability.processes import ROOT, environment


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str


async def lite_llm_chat(folder: Path, *arguments: str | Path) -> Said:
    """Run a command on the database of a folder."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "main.py"), *map(str, arguments)),
        cwd=folder,
        env=environment(folder, ""),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return Said(process.returncode or 0, out.decode(), err.decode())
