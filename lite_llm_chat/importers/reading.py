"""The reading process, seen from the server: started, followed frame by frame, ended.

async with Reading(…) as frames:      the process is gone behind this line, however it is left
    async for frame in frames: …      it waits while nobody asks for the next one
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from .frames import LENGTH_BYTES, Done, Frame, decode

DRAINED_BYTES = 65_536
_ROOT = Path(__file__).resolve().parents[2]
_START = (
    "import sys; sys.path.insert(0, {!r}); from lite_llm_chat.importers.child import main; main()"
)
_FAILED = "the process that read it ended before its time: its memory was not enough, perhaps"


@asynccontextmanager
async def reading(
    archive: Path, folder: Path, wanted: str, file_bytes: int, *, dry: bool
) -> AsyncIterator[AsyncIterator[Frame]]:
    """The frames of an archive; the last one is Done."""
    values = str(archive), str(folder), wanted, "dry" if dry else "keep", str(file_bytes)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-c", _START.format(str(_ROOT)), *values),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        yield _frames(process.stdout)
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        while await process.stdout.read(DRAINED_BYTES):
            pass  # a pipe that is full and not read keeps asyncio from seeing the end
        await process.wait()


async def _frames(source: asyncio.StreamReader) -> AsyncIterator[Frame]:
    while True:
        try:
            size = int.from_bytes(await source.readexactly(LENGTH_BYTES), "big")
            frame = decode(await source.readexactly(size))
        except (asyncio.IncompleteReadError, msgspec.MsgspecError):
            frame = Done(_FAILED)
        yield frame
        if isinstance(frame, Done):
            return
