"""What the tests of the documents share: the repository, and programs run beside a product."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import NamedTuple

import pytest


class Ran(NamedTuple):
    """What a program said and how it ended."""

    code: int
    out: str
    err: str


async def run(*command: str) -> Ran:
    """Run a program to its end while the product goes on serving in this event loop."""
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment | {"PYTHONIOENCODING": "utf-8"},
    )
    out, err = await process.communicate()
    return Ran(process.returncode or 0, out.decode(), err.decode())


async def python(program: Path, *arguments: str) -> Ran:
    """Run a Python program with this interpreter."""
    return await run(sys.executable, str(program), *arguments)


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository."""
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def cookbook(root: Path) -> Path:
    """The folder of the small programs."""
    return root / "docs" / "cookbook"
