"""Every named mode does what its line in the table says: heard over a bare socket.

MODES ──▶ one request each ──▶ a check of the bytes, by name, in CHECKS
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from standins.behaviours import Gate, Pause, SlowRead
from standins.deepseek import DeepSeekStandIn
from standins.modes import EXOTIC, MODES
from tests.standins.raw import HELLO, Said, Until, ask, connect, listen, post, send

Check = Callable[[Said], bool]


def words(said: Said) -> int:
    """How many deltas carry text."""
    return sum(bool((delta or {}).get("content")) for delta in said.deltas)


def tokens(said: Said) -> int:
    """How many deltas carry a token of any kind."""
    return words(said) + sum(bool((d or {}).get("reasoning_content")) for d in said.deltas)


def normal(said: Said) -> bool:
    """A whole answer, as if nothing were the matter."""
    return said.status == 200 and said.finish == "stop" and tokens(said) == 64


def ends(said: Said, how: str = "eof") -> bool:
    """After three tokens, in this way, without the closing chunk."""
    return tokens(said) == 3 and said.finish is None and not said.whole and said.ended == how


def refused(code: int, *parts: bytes) -> Check:
    return lambda s: s.status == code and all(part in s.raw for part in parts)


def finish(reason: str | None) -> Check:
    return lambda s: s.finish == reason and tokens(s) == 64 and said_done(s)


def said_done(said: Said) -> bool:
    return said.body.endswith(b"data: [DONE]\n\n")


def arguments(said: Said) -> list[str]:
    """The arguments of both calls, by index."""
    return [
        "".join(
            row["function"].get("arguments", "")
            for row in said.calls
            if row.get("index") == index and row.get("function")
        )
        for index in (0, 1)
    ]


WHOLE_CALLS = ['{"city": "Paris"}', '{"zone": "Europe/Rome"}']


def called(said: Said) -> bool:
    return arguments(said) == WHOLE_CALLS and said.finish == "tool_calls"


TIMING: dict[str, Check] = {
    "slow-headers": normal,
    "slow-body": normal,
    "slow-first-token": lambda s: normal(s) and s.chunks[2:8] == [b": keep-alive\n\n"] * 6,
    "stall-5s": normal,
    "stall": lambda s: tokens(s) == 3 and s.ended == "open",
    "stall-with-comments": lambda s: tokens(s) == 3 and s.body.count(b": keep-alive") > 3,
    "drip": lambda s: tokens(s) > 3 and len({json.dumps(d) for d in s.deltas[3:]}) == 1,
    "no-body": lambda s: s.status == 200 and s.body == b"" and s.ended == "open",
    "slow-read": normal,
}
CUTS: dict[str, Check] = {
    "cut-clean": lambda s: tokens(s) == 3 and s.finish is None and s.whole,
    "cut-eof": ends,
    "cut-rst": lambda s: ends(s, "rst"),
    "cut-mid-json": lambda s: len(s.chunks) == 6 and not s.chunks[-1].endswith(b"}\n\n"),
    "cut-mid-crlf": lambda s: ends(s) and s.raw.endswith(b"}\n\n\r"),
    "cut-mid-size": lambda s: ends(s) and s.raw[-3:-1] == b"\r\n",
    "cut-no-final-chunk": lambda s: normal(s) and said_done(s) and not s.whole,
    "cut-no-done": lambda s: normal(s) and b"[DONE]" not in s.raw and s.whole,
    "cut-no-finish": lambda s: s.finish is None and said_done(s) and tokens(s) == 3,
}
WRITES: dict[str, Check] = {
    "dribble": lambda s: normal(s) and {len(chunk) for chunk in s.chunks} == {1},
    "dribble-raw": normal,
    "one-write": lambda s: normal(s) and len(s.chunks) == 1,
    "five-per-write": lambda s: normal(s) and len(s.chunks) == 14,
    "split-events": lambda s: normal(s) and len(s.chunks) > 100,
    "split-utf8": lambda s: s.text() == EXOTIC and any(not utf8(c) for c in s.chunks),
    "gzip": lambda s: said_done(unzipped(s)) and len(s.chunks) == 69,
    "gzip-unflushed": lambda s: said_done(unzipped(s)) and len(s.chunks) < 5,
    "content-length": lambda s: normal(s) and length(s) == len(s.body),
    "http-1.0": lambda s: normal(s) and s.raw.startswith(b"HTTP/1.0 ") and chunkless(s),
    "close-at-once": normal,
    "stale": normal,
}
EVENTS: dict[str, Check] = {
    "exotic-text": lambda s: s.text() == EXOTIC and "\u2028".encode() in s.body,
    "bad-utf8": lambda s: not utf8(s.body) and said_done(s),
    "bom": lambda s: s.body.startswith(b"\xef\xbb\xbf: keep-alive") and normal(s),
    "lone-surrogate": lambda s: b"\\ud83d" in s.body,
    "split-surrogates": lambda s: b'\\ud83d"' in s.body and b'"\\ude42"' in s.body,
    "crlf": lambda s: s.body.count(b"\r\n") == s.body.count(b"\n") > 100,
    "cr": lambda s: b"\n" not in s.body and s.body.count(b"\r") > 100,
    "mixed-lines": lambda s: all(end in s.body for end in (b"}\n\n", b"}\r\n\r\n", b"}\r\r")),
    "no-space": lambda s: b"data: " not in s.body and s.body.count(b"data:{") == 66,
    "multi-line-data": lambda s: s.body.count(b"data: {\ndata: ") == 66,
    "event-fields": lambda s: normal(s) and b"event: message\nid: 7\nretry: 1000\nd" in s.body,
    "comments-inside": lambda s: b"data: {\n: inside\ndata: " in s.body,
    "no-final-blank": lambda s: normal(s) and s.body.endswith(b"}\n") and s.whole,
    "after-done": lambda s: normal(s) and s.body.endswith(b"rest"),
    "done-with-spaces": lambda s: normal(s) and s.body.endswith(b"data:  [DONE]  \n\n"),
    "broken-json": lambda s: b"data: {oops\n\n" in s.body and said_done(s),
    "json-array": lambda s: normal(s) and b"data: [1,2]\n\n" in s.body,
    "json-scalar": lambda s: normal(s) and b"data: 42\n\n" in s.body,
    "empty-data": lambda s: normal(s) and b"data:\n\n" in s.body,
    "one-megabyte": lambda s: len(s.text()) == 1_000_000 and words(s) == 1,
    "twenty-megabytes": lambda s: len(s.body) > 20_000_000 and said_done(s),
    "many-events": lambda s: s.body.count(b'"content":"x"') == 200_000 and said_done(s),
    "same-chunk": lambda s: s.text() == "again " * 150,
}
DELTAS: dict[str, Check] = {
    "first-role-only": lambda s: s.deltas[0] == {"role": "assistant"},
    "first-null-content": lambda s: s.deltas[0] == {"role": "assistant", "content": None},
    "first-empty-choices": lambda s: s.events[0]["choices"] == [] and s.events[0]["id"] == "",
    "first-missing": lambda s: "role" not in s.deltas[0] and normal(s),
    "reasoning-renamed": lambda s: s.text("reasoning") > "" and s.text("reasoning_content") == "",
    "reasoning-both": lambda s: s.text("reasoning") == s.text("reasoning_content") > "",
    "reasoning-details": lambda s: any("reasoning_details" in delta for delta in s.deltas),
    "reasoning-parts": lambda s: isinstance(s.deltas[1]["content"], list),
    "think-tags": lambda s: s.text().startswith("<think>") and "</think>\n\n" in s.text(),
    "reasoning-only": lambda s: s.text() == "" and s.text("reasoning_content") > "",
    "null-between": lambda s: {"content": None} in s.deltas and normal(s),
    "empty-tool-calls": lambda s: all(delta["tool_calls"] == [] for delta in s.deltas),
    "role-everywhere": lambda s: all(delta["role"] == "assistant" for delta in s.deltas),
    "no-delta": lambda s: b'"delta":null' in s.body and b'{"index":0,"finish_reason"' in s.body,
    "finish-absent": lambda s: s.finish is None and said_done(s) and tokens(s) == 64,
    "finish-empty": finish(""),
    "finish-with-text": lambda s: s.text().endswith(" tail") and s.finish == "stop",
    "text-after-finish": lambda s: s.deltas[-1] == {"content": " late"} and s.finish == "stop",
    "changing-identity": lambda s: len({event["id"] for event in s.events}) == 66,
    "unknown-fields": lambda s: normal(s) and "obfuscation" in s.events[5],
    "numbers-as-strings": lambda s: s.events[1]["choices"][0]["index"] == "0",
    "second-choice": lambda s: any(len(event["choices"]) == 2 for event in s.events),
    "no-content": lambda s: s.text() == "" and s.finish == "stop",
    "chinese-and-emoji": lambda s: not s.text().isascii() and s.finish == "stop",
    "call-a-tool": lambda s: s.calls[0]["function"]["name"] == "get_weather",
    "usage-none": lambda s: s.usage is None and normal(s),
    "usage-trailing": lambda s: s.events[-1]["choices"] == [] and s.events[-2]["usage"] is None,
    "usage-both": lambda s: s.events[-1]["usage"] == s.events[-2]["usage"] != None,  # noqa: E711
    "usage-every-chunk": lambda s: all(event["usage"] for event in s.events),
    "usage-x-groq": lambda s: s.usage is None and bool(s.events[-1]["x_groq"]["usage"]),
    "usage-negative": lambda s: s.usage["completion_tokens"] == -5,
    "usage-inconsistent": lambda s: s.usage["total_tokens"] < s.usage["prompt_tokens"],
    "usage-as-strings": lambda s: s.usage["completion_tokens"] == "64",
    "finish-length": finish("length"),
    "finish-content-filter": finish("content_filter"),
    "finish-tool-calls": finish("tool_calls"),
    "finish-insufficient-system-resource": finish("insufficient_system_resource"),
    "finish-aborted": finish("aborted"),
    "finish-error": finish("error"),
    "finish-end-of-the-world": finish("end_of_the_world"),
}
CALLS: dict[str, Check] = {
    "calls-parallel": lambda s: called(s) and [r["index"] for r in s.calls] == [0] * 5 + [1] * 6,
    "calls-interleaved": lambda s: called(s) and [r["index"] for r in s.calls][:4] == [0, 1, 0, 1],
    "calls-no-index": lambda s: all("index" not in row for row in s.calls) and bool(s.calls),
    "calls-zero-index": lambda s: {row["index"] for row in s.calls} == {0} and bool(s.finish),
    "calls-from-one": lambda s: {row["index"] for row in s.calls} == {1, 2} and bool(s.finish),
    "calls-fresh-ids": lambda s: called(s) and len({row["id"] for row in s.calls}) == len(s.calls),
    "calls-repeated-name": lambda s: called(s) and all("name" in r["function"] for r in s.calls),
    "calls-late-name": lambda s: called(s) and "name" not in s.calls[0]["function"],
    "calls-objects": lambda s: s.calls[0]["function"]["arguments"] == {"city": "Paris"},
    "calls-no-id": lambda s: called(s) and all("id" not in row for row in s.calls),
    "calls-no-name": lambda s: called(s) and b"get_weather" not in s.body,
    "calls-repeated-id": lambda s: called(s) and all("id" in row for row in s.calls),
    "calls-whole": lambda s: called(s) and len(s.calls) == 2,
    "calls-per-character": lambda s: called(s) and len(s.calls) == 2 + len("".join(WHOLE_CALLS)),
    "calls-invalid-json": lambda s: arguments(s)[0] == '{"city": "Par' and bool(s.finish),
    "calls-null-function": lambda s: called(s) and s.calls[0]["function"] is None,
    "calls-no-calls": lambda s: s.calls == [] and s.finish == "tool_calls",
    "calls-dsml": lambda s: s.text().startswith("<｜DSML｜tool_calls>") and s.finish == "stop",
}
ERRORS: dict[str, Check] = {
    "error-openai": lambda s: s.events[-1]["error"]["code"] == "overloaded" and tokens(s) == 2,
    "error-openrouter": lambda s: s.finish == "error" and said_done(s),
    "error-event-line": lambda s: b"event: error\ndata: {" in s.body and tokens(s) == 2,
    "error-event-line-bare": lambda s: s.events[-1] == {"message": "boom", "code": 500},
    "error-x-groq": lambda s: "boom" in s.events[-1]["x_groq"]["error"],
    "error-flat": lambda s: s.events[-1]["object"] == "error",
    "error-string": lambda s: s.events[-1] == {"error": "boom"},
    "error-field": lambda s: b"\n\nerror: {" in s.body and s.finish is None,
    "error-first": lambda s: "error" in s.events[0] and len(s.events) == 1,
    "error-last": lambda s: "error" in s.events[-1] and s.finish == "stop" and not said_done(s),
    "error-goes-on": lambda s: any("error" in event for event in s.events) and normal(s),
    "error-in-call": lambda s: 0 < len(s.calls) < 11 and "error" in s.events[-1],
}
STATUSES: dict[str, Check] = {
    "status-400": refused(400, b"invalid_request_error"),
    "status-401": refused(401),
    "status-402": refused(402, b"Insufficient Balance", b"unknown_error"),
    "status-403": refused(403),
    "status-404": refused(404),
    "status-408": refused(408),
    "status-413": refused(413),
    "status-422": refused(422),
    "status-429": refused(429, b"Your current concurrency is 26, which exceeds your concurrency"),
    "status-500": refused(500),
    "status-503": refused(503, b"Service is too busy.", b"service_unavailable_error"),
    "status-504": refused(504),
    "status-529": refused(529),
    "retry-after": refused(429, b"\r\nretry-after: 2\r\n"),
    "retry-after-date": refused(429, b"\r\nretry-after: Fri, 31 Dec 2049"),
    "retry-after-huge": refused(429, b"\r\nretry-after: 86400000\r\n"),
    "retry-after-ms": refused(429, b"\r\nretry-after-ms: 250\r\n"),
    "plain-401": refused(401, b"text/plain", b"\r\n\r\nAuthentication Fails (governor)"),
    "html-502": refused(502, b"text/html", b"<html>"),
    "html-524": refused(524, b"text/html", b"<html>"),
    "empty-500": lambda s: s.status == 500 and s.body == b"" and length(s) == 0,
    "truncated-500": lambda s: s.status == 500 and length(s) == 999 > len(s.body),
    "huge-500": lambda s: s.status == 500 and len(s.body) == 5_000_000,
    "wrong-type-503": refused(503, b"application/octet-stream", b"Service is too busy."),
    "ok-error": lambda s: s.status == 200 and "error" in s.json,
    "ok-error-in-choice": lambda s: s.status == 200 and "error" in s.json["choices"][0],
    "garbage": lambda s: s.raw == b"\x00\x01 not http\r\n\r\n",
    "closed-at-once": lambda s: s.raw == b"" and s.ended == "eof",
    "empty-stream": lambda s: s.status == 200 and s.body == b"" and s.whole,
    "fails-twice": refused(503),
    "only-sk-good": refused(429),
    "one-at-a-time": normal,
}
ELSEWHERE = {"no-answer", "interim"}  # they have no ordinary head; each has a test of its own
CHECKS = {**TIMING, **CUTS, **WRITES, **EVENTS, **DELTAS, **CALLS, **ERRORS, **STATUSES}


def utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def unzipped(said: Said) -> Said:
    """The same answer as if it had come without compression."""
    return Said(b"HTTP/1.1 200 OK\r\n\r\n" + said.unzipped, said.ended)


def length(said: Said) -> int:
    return int(said.head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])


def chunkless(said: Said) -> bool:
    return b"transfer-encoding" not in said.head and b"content-length" not in said.head


def test_every_mode_has_a_check_and_a_description() -> None:
    assert set(CHECKS) | ELSEWHERE == set(MODES)
    assert all(mode.description for mode in MODES.values())


@pytest.mark.parametrize("name", [name for name in CHECKS if not MODES[name].endless])
async def test_a_mode_does_what_it_says(upstream: DeepSeekStandIn, name: str) -> None:
    said = await ask(upstream, name)
    assert CHECKS[name](said), said.raw[:4000].decode("utf-8", "replace")


@pytest.mark.parametrize("name", [name for name in CHECKS if MODES[name].endless])
async def test_an_endless_mode_goes_on_until_the_client_leaves(
    upstream: DeepSeekStandIn, name: str
) -> None:
    ordinary = await ask(upstream)
    until = {
        "stall": Until(ordinary.chunks[4] + b"\r\n"),
        "stall-with-comments": Until(b": keep-alive", 5),
        "drip": Until(ordinary.chunks[-3], 5),
        "no-body": Until(b"\r\n\r\n"),
    }[name]
    said = await ask(upstream, name, until)
    assert CHECKS[name](said), said.raw[-4000:]
    left = await upstream.wait_for_disconnect()
    assert left.request == upstream.chats[-1]


async def test_no_answer_is_silence(upstream: DeepSeekStandIn) -> None:
    reader, writer = await connect(upstream)
    body = {"model": "deepseek-flash", "messages": HELLO}
    writer.write(post(body, headers=("x-stand-in: no-answer",)))
    await upstream.wait_for_request()
    writer.transport.abort()
    assert await reader.read() == b""
    assert (await upstream.wait_for_disconnect()).tokens == 0


async def test_interim_replies_come_first(upstream: DeepSeekStandIn) -> None:
    said = await ask(upstream, "interim")
    codes = [line.split(b" ")[1] for line in said.raw.split(b"\r\n") if line[:8] == b"HTTP/1.1"]
    assert codes == [b"100", b"102", b"103", b"200"]


async def test_modes_are_played_together(upstream: DeepSeekStandIn) -> None:
    said = await ask(upstream, "crlf, usage-none, cut-clean")
    assert b"\n\n" not in said.body
    assert b'"completion_tokens"' not in said.body
    assert said.body.count(b"\r\n\r\ndata: ") == 4
    assert said.whole


async def test_a_mode_nobody_knows_is_400(upstream: DeepSeekStandIn) -> None:
    said = await ask(upstream, "no-such-mode")
    assert said.status == 400
    assert b"no mode is called 'no-such-mode'" in said.body


async def test_a_mode_can_be_asked_for_in_the_question(upstream: DeepSeekStandIn) -> None:
    question = [{"role": "user", "content": "Hello\nplay: status-503"}]
    assert (await ask(upstream, messages=question)).status == 503


async def test_fails_twice_answers_the_third_time(upstream: DeepSeekStandIn) -> None:
    codes = [(await ask(upstream, "fails-twice")).status for _ in range(4)]
    assert codes == [503, 503, 200, 503]


async def test_only_the_good_key_is_answered() -> None:
    async with DeepSeekStandIn() as upstream:
        body = {"model": "deepseek-flash", "messages": HELLO}
        header = ("x-stand-in: only-sk-good",)
        bad = await send(upstream, post(body, headers=header, key="sk-bad"))
        good = await send(upstream, post(body, headers=header, key="sk-good"))
    assert (bad.status, good.status) == (429, 200)


async def test_one_at_a_time_refuses_the_second(upstream: DeepSeekStandIn) -> None:
    gate = Gate()
    upstream.play(Pause(gate))
    first = asyncio.create_task(ask(upstream))
    await gate.reached()
    second = await ask(upstream, "one-at-a-time")
    gate.open()
    assert second.status == 429
    assert (
        "Your current concurrency is 2, which exceeds your concurrency limit of 1" in second.error
    )
    assert normal(await first)


async def test_a_stale_connection_dies_when_it_is_used_again(upstream: DeepSeekStandIn) -> None:
    body = {"model": "deepseek-flash", "messages": HELLO}
    lasting = post(body, headers=("x-stand-in: stale",)).replace(b"connection: close\r\n", b"")
    reader, writer = await connect(upstream)
    writer.write(lasting)
    first = await reader.readuntil(b"\r\n0\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 200")
    writer.write(lasting)
    assert (await listen(reader, writer)).raw == b""
    assert len(upstream.requests) == 1


async def test_a_body_that_is_not_read_never_becomes_a_request(upstream: DeepSeekStandIn) -> None:
    upstream.play(SlowRead())
    reader, writer = await connect(upstream)
    big = post({"model": "deepseek-flash", "messages": [{"role": "user", "content": "x" * 2**25}]})
    head, _, body = big.partition(b"\r\n\r\n")
    writer.write(head + b"\r\n\r\n")
    for _ in range(100):
        await asyncio.sleep(0)
    writer.write(body)
    for _ in range(1000):
        await asyncio.sleep(0)
    assert writer.transport.get_write_buffer_size() > 0
    assert list(upstream.requests) == []
    writer.transport.abort()
    assert await reader.read() == b""
