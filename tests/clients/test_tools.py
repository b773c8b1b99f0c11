"""The tools of these tests see what they are for: a cut frame, a gap, something that is left."""

from __future__ import annotations

import logging

import pytest

from standins.behaviours import Gate, Pause
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product

from .conftest import held, no_faults
from .figures import at
from .raw import body_of, frames_of

HEAD = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
ONE, TWO = b"id: 1\nevent: a\ndata: {}", b"id: 2\nevent: b\ndata: {}"
LOG = ONE + b"\n\nevent: caught_up\ndata: {}\n\n: keep-alive\n\n" + TWO + b"\n\n"


def test_frames_that_came_whole_are_found_wherever_a_stream_was_cut() -> None:
    raw = HEAD + b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (LOG[:30], LOG[30:]))
    found = [frames_of(body_of(raw[:at])) for at in range(len(raw) + 1)]
    assert found[0] == found[len(HEAD)] == []
    assert found[-1] == [(1, ONE), (2, TWO)]
    assert [len(one) for one in found] == sorted(len(one) for one in found)
    assert all(one == found[-1][: len(one)] for one in found)


def test_a_double_and_a_gap_are_different_logs() -> None:
    assert frames_of(LOG) != frames_of(LOG + TWO + b"\n\n")
    assert frames_of(LOG) != frames_of(TWO + b"\n\n")


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(one) for one in range(100, 0, -1)]
    assert [at(percent, values) for percent in (0, 50, 99, 100)] == [1, 51, 100, 100]
    assert at(99, []) == 0


def test_an_error_in_a_log_is_a_fault() -> None:
    with pytest.raises(AssertionError, match="oh no"), no_faults():
        logging.getLogger("uvicorn.error").error("oh no")


async def test_an_open_connection_and_a_running_answer_are_seen(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    before = held(product, upstream)
    gate = Gate()
    upstream.play(Pause(gate, after_tokens=1))
    stream = await product.ask("say: hello there")
    await stream.until("content")
    now = held(product, upstream)
    more = {name for name in now if now[name] > before[name]}
    assert more >= {"live logs", "runs", "connections", "requests", "all tasks", "sockets"}
    gate.open()
    await stream.rest()
