"""The process that reads an archive: what strangers wrote, read with bounds, beside the server.

    python -I -c … <archive> <folder> <format> <dry> <file bytes>  ─▶ frames on standard output

It takes its bounds before it reads a byte, is nicer than the streams of the server, and waits while
the server is behind: a pipe holds little. Whoever starts it kills it when it is to stop.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

from .archive import Archive, Bounds
from .frames import Done, Frame, write

try:
    import resource
except ImportError:  # Windows: nothing bounds it there
    resource = None  # type: ignore[assignment]

MEMORY_BYTES = 768 * 1024**2
NICENESS = 10


def bound() -> None:
    """Take no more than this from here on, and let others go first."""
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    if hasattr(os, "nice"):
        os.nice(NICENESS)


def main() -> None:
    """Read an archive and say what it holds."""
    bound()
    path, folder, wanted, dry, file_bytes = sys.argv[1:]
    send = partial(write, sys.stdout.buffer)
    archive = Archive(Path(path), Path(folder), wanted, send, dry=dry == "dry")
    _run(archive.bounded(Bounds(file_bytes=int(file_bytes))), send)


def _run(archive: Archive, send: partial[None]) -> None:
    trouble: Frame | None = None
    try:
        archive.read()
    except MemoryError:
        trouble = Done("reading it takes more memory than it may have")
    except BrokenPipeError:
        os._exit(1)  # the server went away
    if trouble is not None:
        send(trouble)
