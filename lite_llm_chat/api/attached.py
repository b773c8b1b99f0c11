"""The files of a question: whatever names one becomes the id of a kept file.

an id · the URL of an uploaded file ─────────▶ id
data:…;base64,… ─▶ bytes ─▶ uploads.keep ────▶ id
any other URL ─▶ refused: this server fetches nothing
"""

from __future__ import annotations

import asyncio
import binascii
import io
import re
from base64 import b64decode
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

import msgspec
from starlette.requests import Request

from ..domain import Said
from ..errors import Invalid, TooLarge
from .deps import Parts
from .fields import FILE_ID
from .said import MOST_FILES

MOST_FILES_AT_ONCE = 200  # of a request: each that comes as a data URL is written and synced

_DATA = re.compile(r"data:[^,]{0,255};base64", re.IGNORECASE)
_SPACE = dict.fromkeys(map(ord, " \t\r\n"))


async def said_with_files(parts: Parts, said: Sequence[Said], request: Request) -> tuple[Said, ...]:
    """What the messages of a request say, with the files beside it kept. Its bounds are looked at
    before anything is kept. Raises Invalid or TooLarge."""
    _check(said, request.state.body_bytes, parts.max_body_bytes)
    if not any(one.files for one in said):
        return tuple(said)
    if parts.writes_nothing:
        raise Invalid(
            "a file would be written to disk, and nothing of a temporary chat is: leave it out, or"
            " ask in a session that is kept",
            code="temporary_files_not_kept",
        )
    host = request.headers.get("host")  # its own URLs are known by it
    return tuple([await _kept(parts, one, host) for one in said])


def _check(said: Sequence[Said], body_bytes: int, most_bytes: int) -> None:
    """Whether a body is within its bounds: whatever is in it counts, but for its data URLs."""
    data = sum(len(name) for one in said for name in one.files if _is_data(name))
    if body_bytes - data > most_bytes:
        raise TooLarge(
            f"the question is over {most_bytes} bytes without its images: say less at once, send"
            " long texts as files, or raise MAX_BODY_BYTES",
            code="body_too_large",
        )
    most = max((len(one.files) for one in said), default=0)
    if most > MOST_FILES:
        raise Invalid(
            f"a message has {most} files, and {MOST_FILES} are the most: send some of them in"
            " another one",
            code="too_many_files",
        )
    total = sum(len(one.files) for one in said)
    if total > MOST_FILES_AT_ONCE:
        raise Invalid(
            f"the messages have {total} files, and {MOST_FILES_AT_ONCE} are the most at once: send"
            " only the messages that are new, the others are kept here",
            code="too_many_files",
        )


def _is_data(name: str) -> bool:
    return name[:5].lower() == "data:"


async def _kept(parts: Parts, said: Said, host: str | None) -> Said:
    ids = [await _id(parts, name, host) for name in said.files]
    return msgspec.structs.replace(said, files=tuple(dict.fromkeys(ids)))


async def _id(parts: Parts, name: str, host: str | None) -> str:
    """The id of what is named."""
    if re.fullmatch(FILE_ID, name):
        return name
    if _is_data(name):
        data = await asyncio.to_thread(_decoded, name)
        return (await parts.uploads.keep(io.BytesIO(data), "")).id
    return _own(name, host, parts.api_prefix)


def _decoded(url: str) -> bytes:
    """The bytes of a data URL (RFC 2397), of which only base64 is taken."""
    head, _, text = url.partition(",")
    try:
        if not _DATA.fullmatch(head):
            raise ValueError
        return b64decode(unquote(text).translate(_SPACE), validate=True)
    except (ValueError, binascii.Error):
        raise Invalid(
            "a data URL cannot be read: it must be data:, a media type, ;base64, and the bytes in"
            " base64",
            code="invalid_data_url",
        ) from None


def _own(url: str, host: str | None, prefix: str) -> str:
    """The id in the URL of an uploaded file, with or without this server's own address."""
    try:
        at = urlsplit(url)
    except ValueError:
        raise _remote() from None
    ours = (at.scheme, at.netloc) == ("", "") or (
        at.scheme in ("http", "https") and at.netloc == host
    )
    folder, _, file_id = at.path.rpartition("/")
    if not ours or folder != f"{prefix}/files" or not re.fullmatch(FILE_ID, file_id):
        raise _remote()
    return file_id


def _remote() -> Invalid:
    return Invalid(
        "a file is named by a URL that is not one of this server's, and this server fetches"
        " nothing: upload the file, or send it as a data URL",
        code="remote_file",
    )
