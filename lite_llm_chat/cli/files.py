"""Files that a command sends: read bit by bit, with a bound on nothing but the server's.

path ─▶ upload ─▶ multipart form ─▶ POST /upload ─▶ the file's id
path ─▶ chunks ─▶ bytes, and a word on how far it is
"""

from __future__ import annotations

import mimetypes
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from .client import Client
from .trouble import Trouble

CHUNK_BYTES = 256 * 1024


def size_of(path: Path) -> int:
    """The size of a file that is there. Raises Trouble."""
    try:
        if path.is_dir():
            raise Trouble(f"{path} is a folder: name a file")
        return path.stat().st_size
    except OSError as cause:
        raise unreadable(path, cause) from cause


def unreadable(path: Path, cause: OSError) -> Trouble:
    """What an error of the file system says to a person."""
    why = (cause.strerror or "it cannot be opened").lower()
    return Trouble(f"{path} cannot be read ({why}): check its name and its rights")


def chunks(path: Path, tell: Callable[[int], None] = lambda _sent: None) -> Iterator[bytes]:
    """A file's bytes; `tell` hears how many were taken. Raises Trouble."""
    sent = 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
                sent += len(chunk)
                tell(sent)
    except OSError as cause:
        raise unreadable(path, cause) from cause


def upload(client: Client, path: Path) -> str:
    """The id of a file that the server keeps now. Raises Trouble, Refused, Unreachable."""
    size = size_of(path)
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    name = path.name.replace("\\", "\\\\").replace('"', '\\"')
    edge = uuid.uuid4().hex
    head = (
        f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        f"Content-Type: {kind}\r\n\r\n"
    ).encode()
    tail = f"\r\n--{edge}--\r\n".encode()

    def form() -> Iterator[bytes]:
        yield head
        yield from chunks(path)
        yield tail

    headers = {
        "Content-Type": f"multipart/form-data; boundary={edge}",
        "Content-Length": str(len(head) + size + len(tail)),
    }
    with client.open("POST", client.route("/upload"), form(), headers) as response:
        return str(client.parsed(response)["id"])
