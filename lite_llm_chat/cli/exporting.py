"""Downloads: what a server sends goes to a file, which is there whole or not at all.

response ─▶ FILE.part ─▶ FILE          or ─▶ standard output
"""

from __future__ import annotations

import sys
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO

from .client import READ_BYTES, Client
from .trouble import Trouble

FORMATS = ("markdown", "json", "html")


def write_session(client: Client, session_id: int, form: str, target: Path | None) -> int:
    """Write a session to a file, or to standard output; how many bytes. Raises Trouble."""
    path = client.route(f"/sessions/{session_id}/export", format=form)
    return save(client, path, target)


def save(client: Client, path: str, target: Path | None) -> int:
    """Write what a GET gives to a file, or to standard output; how many bytes. Raises Trouble."""
    with client.open("GET", path) as response:
        if target is None:
            size = _copy(client, response, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            return size
        aside = target.with_name(f"{target.name}.part")
        try:
            with aside.open("wb") as file:
                size = _copy(client, response, file)
            aside.replace(target)
        except BrokenPipeError:
            raise
        except OSError as cause:
            why = (cause.strerror or str(cause)).lower()
            raise Trouble(
                f"{target} cannot be written ({why}): check its folder, the rights to it and its"
                " free space"
            ) from cause
        finally:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
        return size


def _copy(client: Client, response: HTTPResponse, file: BinaryIO) -> int:
    size = 0
    while True:
        try:
            chunk = response.read(READ_BYTES)
        except (OSError, HTTPException) as cause:
            raise client.lost(cause) from cause
        if not chunk and response.length:  # less came than was promised
            raise client.lost(ConnectionResetError(None, "the connection was cut"))
        if not chunk:
            return size
        file.write(chunk)
        size += len(chunk)
