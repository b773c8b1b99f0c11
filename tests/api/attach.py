"""Files for the tests: small ones of each kind, sent as a client sends them."""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import aiohttp

from tests.conftest import Product

from .truth import Reply, post_bytes, send


async def upload(
    product: Product, data: bytes, name: str = "a.txt", media_type: str = "text/plain"
) -> Reply:
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("file", io.BytesIO(data), filename=name, content_type=media_type)
    return await send(product, "POST", "/api/v1/upload", form)


async def kept(product: Product, data: bytes, name: str = "a.txt") -> str:
    """The id of a file that was uploaded."""
    reply = await upload(product, data, name)
    assert reply.status == 200, reply.body
    return str(reply.json["id"])


async def ask_about(
    product: Product, files: Sequence[str], text: str = "What is this?", **fields: object
) -> Reply:
    """A question with uploaded files beside it, answered whole."""
    return await ask(product, {"content": text, "files": list(files)}, **fields)


async def ask(product: Product, said: dict[str, Any], **fields: object) -> Reply:
    """A question of one user message, answered whole."""
    body = {
        "provider": "deepseek",
        "model": "deepseek-chat",
        "stream": False,
        "messages": [{"role": "user", **said}],
        **fields,
    }
    return await post_bytes(product, "/api/v1/chat", json.dumps(body).encode())


def png(width: int, height: int) -> bytes:
    """A PNG that says it is so large; black if it is small."""
    rows = b"".join(b"\0" + bytes(3 * width) for _ in range(height)) if width < 100 else b""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def data_url(data: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def pdf(*pages: str, more: bytes = b"") -> bytes:
    """A PDF with a line of text on each page."""
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b""]
    objects.append(b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>")
    kids = []
    for text in pages:
        drawn = f"BT /F1 12 Tf 20 100 Td ({text}) Tj ET".encode()
        objects.append(b"<</Length %d>>stream\n%s\nendstream" % (len(drawn), drawn))
        content = len(objects)
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents %d 0 R"
            b"/Resources<</Font<</F1 3 0 R>>>>>>" % content
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<</Type/Pages/Count %d/Kids[%s]>>" % (len(kids), b" ".join(kids))
    out, places = b"%PDF-1.7\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, table)
    out += b"trailer<</Size %d/Root 1 0 R%s>>\n" % (len(objects) + 1, more)
    return out + b"startxref\n%d\n%%%%EOF\n" % start
