"""Has the text of a PDF read beside this process, with bounds.

    path ─▶ a process of its own (pdf_text.py) ─▶ Seen
              └ too slow, too large, killed ─▶ Seen with a note

Whatever a file does to its reader, it is the reader's end and not the server's.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import msgspec

from .sniff import TEXT_CHARS, Seen

AT_ONCE = 2
_READER = Path(__file__).with_name("pdf_text.py")
_SLOW = "reading it takes longer than it may"
_FAILED = "reading it failed"
PDF = Seen("pdf", "application/pdf")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What reading one may take."""

    memory_bytes: int = 768 * 1024 * 1024
    seconds: float = 20.0
    pages: int = 500
    chars: int = TEXT_CHARS


class _Said(msgspec.Struct, frozen=True):
    text: str | None
    note: str | None


_decode = msgspec.json.Decoder(_Said).decode


class PdfReader:
    """Reads them, few at a time."""

    def __init__(self, bounds: Bounds = Bounds()) -> None:
        self._bounds = bounds
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def read(self, path: Path) -> Seen:
        """Its text, or a note that says why there is none; never an error."""
        async with self._turn:
            try:
                # Opened before the clock runs: a thread that is given up would leave it open.
                with await asyncio.to_thread(path.open, "rb") as source:
                    async with asyncio.timeout(self._bounds.seconds):
                        said = _decode(await self._run(source))
            except TimeoutError:
                return replace(PDF, note=_SLOW)
            except (OSError, msgspec.MsgspecError):  # it was killed, or could not be started
                return replace(PDF, note=_FAILED)
        return replace(PDF, text=said.text, note=said.note)

    async def _run(self, source: BinaryIO) -> bytes:
        bounds = self._bounds
        values = bounds.memory_bytes, max(1, round(bounds.seconds)), bounds.pages, bounds.chars
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", str(_READER), *map(str, values)),
            stdin=source,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            out, _ = await process.communicate()
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        return out
