"""What a file is, seen in its bytes: no name and no type that came with it is believed. Pure.

    first bytes ─┬─ PNG · JPEG · GIF · WebP ─▶ image, if its header has bounds that models take
                 ├─ %PDF-                   ─▶ pdf
                 ├─ UTF-8 or UTF-16 text    ─▶ text, with what a prompt can hold of it
                 └─ anything else           ─▶ other

A page or a drawing made of markup (HTML, SVG) is text: it is never an image and never run.
"""

from __future__ import annotations

import codecs
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Kind = Literal["image", "text", "pdf", "other"]

HEAD_BYTES = 1024 * 1024  # of a file: enough for the text of a prompt and any header
TEXT_CHARS = 200_000  # of a file's text: what is behind is left out
IMAGE_BYTES = 10 * 1024 * 1024  # no vendor takes a larger one as a part of a question
IMAGE_SIDE = 16_384  # pixels
IMAGE_PIXELS = 50_000_000

LEFT_OUT = f"only its first {TEXT_CHARS:,} characters are here"

_TEXTS = {
    ".csv": "text/csv",
    ".json": "application/json",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
}
_BINARY = frozenset(map(chr, range(32))) - frozenset("\t\n\v\f\r\x1b")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a file is. `text` is what a prompt can hold of it; `note` what has to be said of that,
    or why no model is shown the file: half a sentence."""

    kind: Kind
    media_type: str
    text: str | None = None
    note: str | None = None


def seen(head: bytes, size: int, name: str) -> Seen:
    """What a file is: by its first HEAD_BYTES and its size in bytes; of a text the name says which
    kind of text."""
    for media_type, is_one, sides in _IMAGES:
        if is_one(head):
            return _image(media_type, _measured(sides, head), size)
    if head.startswith(b"%PDF-"):
        return Seen("pdf", "application/pdf")
    text = _text(head, whole=size <= len(head))
    if text is None:
        return Seen("other", "application/octet-stream", None, "it is neither text nor an image")
    suffix = name[name.rfind(".") :].lower() if "." in name else ""
    cut = size > len(head) or len(text) > TEXT_CHARS
    return Seen(
        "text", _TEXTS.get(suffix, "text/plain"), text[:TEXT_CHARS], LEFT_OUT if cut else None
    )


# ── text ──────────────────────────────────────────────────────────────────────────────────────


def _text(head: bytes, *, whole: bool) -> str | None:
    """The text, without its byte order mark; None if it is none. Without one it is UTF-8."""
    encoding = "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head, final=whole)
    except UnicodeDecodeError:
        return None
    return None if _BINARY.intersection(text) else text


# ── images ────────────────────────────────────────────────────────────────────────────────────


def _image(media_type: str, sides: tuple[int, int] | None, size: int) -> Seen:
    note = None
    if sides is None or 0 in sides:
        note = "its header is broken"
    elif max(sides) > IMAGE_SIDE or sides[0] * sides[1] > IMAGE_PIXELS:
        note = (
            f"it has {sides[0]} × {sides[1]} pixels, and {IMAGE_SIDE} a side and"
            f" {IMAGE_PIXELS:,} in all are the most"
        )
    elif size > IMAGE_BYTES:
        note = f"it is over {IMAGE_BYTES} bytes, the most for an image"
    return Seen("other" if note else "image", media_type, None, note)


def _measured(
    sides: Callable[[bytes], tuple[int, int] | None], head: bytes
) -> tuple[int, int] | None:
    try:
        return sides(head)
    except (struct.error, IndexError):  # the header ends too soon
        return None


def _png(head: bytes) -> tuple[int, int] | None:
    if head[12:16] != b"IHDR":
        return None
    width, height = struct.unpack_from(">II", head, 16)
    return width, height


def _gif(head: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<HH", head, 6)
    return width, height


def _jpeg(head: bytes) -> tuple[int, int] | None:
    """From the first frame header: markers 0xC0 to 0xCF, but for three that mean other things
    (ITU T.81, table B.1)."""
    at = 2
    while head[at] == 0xFF:
        marker = head[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", head, at + 5)
            return width, height
        (length,) = struct.unpack_from(">H", head, at + 2)
        at += 2 + length
    return None


def _webp(head: bytes) -> tuple[int, int] | None:
    """From the first chunk, by its kind (RFC 9649): lossy, lossless or extended."""
    match head[12:16]:
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", head, 26)
            return width & 0x3FFF, height & 0x3FFF
        case b"VP8L":
            (bits,) = struct.unpack_from("<I", head, 21)
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8X":
            low, middle, high, low2, middle2, high2 = struct.unpack_from("<6B", head, 24)
            return low + (middle << 8) + (high << 16) + 1, low2 + (middle2 << 8) + (high2 << 16) + 1
        case _:
            return None


_Sides = Callable[[bytes], tuple[int, int] | None]
_IMAGES: tuple[tuple[str, Callable[[bytes], bool], _Sides], ...] = (
    ("image/png", lambda head: head.startswith(b"\x89PNG\r\n\x1a\n"), _png),
    ("image/jpeg", lambda head: head.startswith(b"\xff\xd8\xff"), _jpeg),
    ("image/gif", lambda head: head.startswith((b"GIF87a", b"GIF89a")), _gif),
    ("image/webp", lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP", _webp),
)
