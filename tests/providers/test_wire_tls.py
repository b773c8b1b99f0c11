"""The same exchange behind TLS, where the socket cannot be looked at directly."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from lite_llm_chat.domain import Text, Working
from lite_llm_chat.providers.openai_compatible import converse
from lite_llm_chat.providers.wire import Wire

from .conftest import SSE, Vendor, chunked, collect, endpoint, failing, stream, text

HI = b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n'
STOP = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}\n\n'
DONE = b"data: [DONE]\n\n"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who signs the vendor's certificate."""
    return trustme.CA()


@pytest.fixture
async def safe(authority: trustme.CA) -> AsyncIterator[Vendor]:
    """A vendor on a port that speaks TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    one = Vendor()
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0, ssl=context)
    one.url = f"https://localhost:{server.sockets[0].getsockname()[1]}/v1"
    yield one
    server.close()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine knows who signed it."""
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))


@pytest.mark.usefixtures("trusted")
async def test_answers_come_whole_over_one_kept_connection(safe: Vendor, wire: Wire) -> None:
    safe.says = stream(*[HI] * 2000, STOP, DONE)
    for _ in range(3):
        assert text(await collect(converse(wire, endpoint(safe.url), {"model": "m"}))) == (
            "Hi" * 2000
        )
    assert (len(safe.requests), safe.connections) == (3, 1)


@pytest.mark.usefixtures("trusted")
async def test_pieces_come_one_by_one_and_leaving_closes_the_connection(
    safe: Vendor, wire: Wire
) -> None:
    go_on = asyncio.Event()

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(SSE + b"transfer-encoding: chunked\r\n\r\n" + chunked(HI)[:-5])
        await go_on.wait()
        writer.write(chunked(HI)[:-5])

    safe.script = answer
    pieces = converse(wire, endpoint(safe.url), {"model": "m"})
    assert await anext(pieces) == Text("Hi")
    assert isinstance(await anext(pieces), Working)  # where the tokens can be asked for
    go_on.set()
    assert await anext(pieces) == Text("Hi")
    await pieces.aclose()
    await safe.gone.wait()


async def test_a_vendor_who_cannot_prove_who_it_is_is_not_asked(safe: Vendor, wire: Wire) -> None:
    _, error = await failing(converse(wire, endpoint(safe.url), {"model": "m"}))
    assert (error.code, error.retryable) == ("upstream_unreachable", False)
    assert "TLS" in error.detail
    assert safe.requests == []
