"""The bench counts what it says it counts, and refuses what it cannot trust."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.client import Failed, Tokens, vendors
from bench.load import Cost, Order, Place, Stream, as_vendor, run
from bench.machine import Cores
from bench.meter import Reading, Share, between
from bench.report import Row, goal, table
from bench.servers import Servers
from bench.shapes import ALIKE, EVENT, LAST
from bench.tape import Tape
from bench.upstream import SHORT_CHARS, chunk

ANYWHERE = Cores(None, None)
APART = Cores(0, 1)
BUFFER = memoryview(bytearray(1 << 10))


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    with Servers(tmp_path, ANYWHERE) as running:
        yield running


def spoken(*records: bytes) -> bytes:
    """What the upstream sends for these records."""
    events = b"".join(chunk(EVENT % record) for record in records)
    return ALIKE.head + events + chunk(LAST % (3, 12)) + b"0\r\n\r\n"


@contextmanager
def taped(answer: bytes, seed: int = 0) -> Iterator[tuple[Tape, asyncio.Future[None]]]:
    """A tape that got this answer in pieces, cut anywhere, and then nothing more."""
    here, there = socket.socketpair()
    with here, there:
        tape, dice = Tape(here, asyncio.get_running_loop()), random.Random(seed)
        ended = tape.ask(b"?")
        while answer:
            size = dice.randint(1, min(len(answer), 400))
            there.sendall(answer[:size])
            assert tape.take(BUFFER)
            answer = answer[size:]
        there.shutdown(socket.SHUT_WR)
        yield tape, ended


def count_two(tape: Tape) -> None:
    tokens = Tokens(vendors, SHORT_CHARS)
    tape.read(tokens)
    tokens.check(2)


# ── tapes ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("seed", range(20))
async def test_a_tape_tells_every_token_and_every_byte_however_they_were_cut(seed: int) -> None:
    answer = spoken(*(b"%05d:%014d " % (number, 1) for number in range(3)))
    with taped(answer, seed) as (tape, ended):
        await ended
    tokens = Tokens(vendors)
    tape.read(tokens)
    tokens.check(3)
    assert (len(tokens.ages_us), tape.size_bytes) == (3, len(answer))


@pytest.mark.parametrize(
    "records",
    [
        (b"000 ", b"002 "),
        (b"000 ", b"000 "),
        (b"001 ", b"000 "),
        (b"000 ", b"0a1 "),
        (b"000 ", b"001"),
        (b"000 ",),
        (b"000 ", b"001 ", b"002 "),
    ],
    ids=["a hole", "twice", "swapped", "altered", "cut", "too few", "too many"],
)
async def test_a_stream_that_is_not_whole_fails(records: tuple[bytes, ...]) -> None:
    with taped(spoken(*records)) as (tape, ended):
        await ended
    with pytest.raises(Failed):
        count_two(tape)


async def test_an_answer_that_is_no_stream_fails_at_once() -> None:
    refusal = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"
    with taped(refusal) as (_, ended), pytest.raises(Failed, match="503"):
        await ended


async def test_a_stream_that_breaks_off_fails() -> None:
    with taped(spoken(b"000 ")[:-2]) as (tape, ended):
        assert not tape.take(BUFFER)
        with pytest.raises(ConnectionResetError):
            await ended


# ── loads ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "order",
    [
        Order(4, 10, 100, within_s=0.1),
        Order(4, 10, 100, within_s=0.1, fresh=True),
        Order(4, 10, 100, within_s=0.1, chars=SHORT_CHARS),
        Order(4, 10, 100, within_s=0.1, apart=True),
    ],
    ids=["kept connections", "fresh connections", "short tokens", "moments of their own"],
)
async def test_every_stream_of_an_order_is_whole(servers: Servers, order: Order) -> None:
    upstream = await servers.upstream()
    cost = await run(as_vendor(upstream), order, Place(upstream, ANYWHERE))
    assert [each.tokens.count for each in cost.streams] == [order.tokens] * order.streams
    ages = cost.ages_us(settled=False)
    assert len(ages) == (0 if order.chars == SHORT_CHARS else order.total)
    assert all(age >= 0 for age in ages)
    assert cost.wire > 10  # the vendor wraps each token in a chunk of 250 bytes


async def test_an_upstream_keeps_the_asked_pace(servers: Servers) -> None:
    upstream = await servers.upstream()
    order = Order(1, 21, 40)
    cost = await run(as_vendor(upstream), order, Place(upstream, ANYWHERE))
    assert cost.whole.wall_s >= 20 / 40


async def test_a_load_that_cannot_be_served_is_a_failure(servers: Servers) -> None:
    upstream = await servers.upstream()
    bare = await servers.bare()
    with pytest.raises(Failed, match="404"):
        await run(as_vendor(bare), Order(1, 1, 0), Place(upstream, ANYWHERE))


# ── figures ───────────────────────────────────────────────────────────────────────────────────


def test_a_busy_load_is_refused() -> None:
    share = Share(server_s=1.0, upstream_s=0.5, own_s=0.4, wall_s=1.0)
    assert "90%" in share.why_refused(APART)
    assert share.why_refused(ANYWHERE) == ""
    assert Share(1.0, 0.5, 0.3, 1.0).why_refused(APART) == ""


def test_a_part_of_a_run_is_judged_by_its_own_readings() -> None:
    readings = [Reading(at, at * 0.1, 0.0, at * at, 10 + at) for at in (0.0, 1.0, 2.0, 3.0)]
    share = between(readings, 1.0, 2.9)
    assert (share.wall_s, share.own_s) == (1.0, 3.0)
    assert share.why_refused(APART)


def test_a_stream_is_clocked_from_its_asking_and_a_held_one_when_all_have_begun() -> None:
    early, late = Tokens(vendors), Tokens(vendors)
    early.first_at, late.first_at = 10.2, 10.9
    early.ages_us, late.ages_us = list(range(60)), list(range(100, 160))
    streams = [Stream(10.0, early, 600), Stream(10.5, late, 660)]
    readings = [Reading(10 + n / 10, n / 100, 0.0, 0.0, 50.0 + n, 2 * n) for n in range(40)]
    cost = Cost(Order(2, 60, 20), streams, readings)
    assert cost.firsts_ms == pytest.approx([200, 400])
    assert cost.running_mb == 69.0
    assert cost.running.server_s / cost.running.wall_s == pytest.approx(0.1)
    assert cost.running_wakes == pytest.approx(20 / 40)  # a second, of 40 tokens a second
    assert cost.ages_us(settled=True) == [*range(40, 60), *range(140, 160)]
    assert cost.wire == (600 + 660) / (120 * 21)


def test_the_table_says_which_goals_are_met_and_which_are_missed() -> None:
    rows = [
        Row("memory", "–", "90 MB", "–", goal("≤ 100 MB", True)),
        Row("first token", "–", "2 / 20 ms", "–", goal("≤ 3 / 15 ms", True, False)),
        Row("speed", "–", "7/s", "–"),
    ]
    *_, memory, first, speed = table(rows).splitlines()
    assert "≤ 100 MB: met " in memory
    assert "≤ 3 / 15 ms: MISSED " in first
    assert speed.split("|")[2].strip() == "–"
