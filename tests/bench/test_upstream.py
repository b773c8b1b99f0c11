"""The bench's vendor says all that was asked for, however it is listened to."""

from __future__ import annotations

import socket
from contextlib import suppress

from bench.client import Answer, Tokens, vendors
from bench.shapes import ALIKE
from bench.upstream import Pace, Speech

PACE = Pace(count=400, rate=50, chars=21, shape=ALIKE)


def line() -> tuple[socket.socket, socket.socket]:
    """Both ends of a connection that holds little and does not wait."""
    one, other = socket.socketpair()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    for end in (one, other):
        end.setblocking(False)
    return one, other


def heard(end: socket.socket) -> bytes:
    """What has come."""
    with suppress(BlockingIOError):
        return end.recv(1 << 20)
    return b""


def test_a_listener_that_is_slow_hears_every_token() -> None:
    ours, theirs = line()
    speech, tokens = Speech(ours, PACE, 0.5), Tokens(vendors)
    answer = Answer(tokens)
    answer.feed(ALIKE.head + PACE.said(0, 1))
    spoke, turns = True, 0
    while spoke:
        spoke, turns = speech.speak(), turns + 1
        if turns % 100 == 99 or turns > PACE.count + 5:
            answer.feed(heard(theirs))
    answer.feed(heard(theirs))
    tokens.check(PACE.count)
    assert answer.whole
    assert turns > PACE.count - 1  # it had to be told the end once more
    speech.close()
    theirs.close()


def test_a_speech_ends_when_nobody_listens_any_more() -> None:
    ours, theirs = line()
    speech = Speech(ours, PACE, 0.0)
    theirs.close()
    assert not speech.speak()
    speech.close()
