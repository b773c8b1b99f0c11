"""A test steers the stand-in: queues, gates, records, the control endpoint and the command."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import Any, ClassVar

import pytest

from standins.behaviours import Answer, Bytes, Cut, Gate, Pause, Stage, Stall, Status
from standins.deepseek import DeepSeekStandIn
from standins.reply import Reply
from tests.standins.raw import HELLO, Said, Until, ask, connect, listen, post, send


async def control(upstream: DeepSeekStandIn, command: dict[str, Any] | None = None) -> Said:
    request = post(command or {}, "/_control")
    return await send(upstream, request if command else request.replace(b"POST", b"GET", 1))


async def test_what_is_played_counts_once_and_what_is_always_stays(
    upstream: DeepSeekStandIn,
) -> None:
    upstream.always(Status(500))
    upstream.play(Status(429))
    upstream.play(Status(503), times=2)
    codes = [(await ask(upstream)).status for _ in range(5)]
    upstream.always()
    assert [*codes, (await ask(upstream)).status] == [429, 503, 503, 500, 500, 200]


async def test_behaviours_played_together_do_not_care_for_their_order(
    upstream: DeepSeekStandIn,
) -> None:
    upstream.play(Cut(after_tokens=2), Answer(text="one two three", reasoning=""))
    upstream.play(Answer(text="one two three", reasoning=""), Cut(after_tokens=2))
    one, two = await ask(upstream), await ask(upstream)
    assert one.text() == two.text() == "one two"


async def test_an_answer_waits_at_a_gate_until_it_is_opened(upstream: DeepSeekStandIn) -> None:
    gate = Gate()
    upstream.play(Answer(text="one two three", reasoning=""), Pause(gate, after_tokens=2))
    reader, writer = await connect(upstream)
    writer.write(post({"model": "deepseek-flash", "messages": HELLO, "stream": True}))
    await gate.reached()
    before = await reader.readuntil(b'" two"')
    assert b"three" not in before
    assert upstream.in_flight == 1
    gate.open()
    after = await listen(reader, writer)
    assert b'" three"' in after.raw
    assert after.raw.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


async def test_a_gate_before_the_head_holds_everything(upstream: DeepSeekStandIn) -> None:
    gate = Gate()
    upstream.play(Pause(gate, after_tokens=None))
    asked = asyncio.create_task(ask(upstream, stream=False))
    request = await upstream.wait_for_request()
    await gate.reached()
    assert request.body == {"model": "deepseek-flash", "messages": HELLO, "stream": False}
    assert not asked.done()
    gate.open()
    assert (await asked).status == 200


async def test_a_request_is_recorded_as_it_came(upstream: DeepSeekStandIn) -> None:
    body = {"model": "deepseek-flash", "messages": HELLO}
    await send(upstream, post(body, "/v1/chat/completions", headers=("x-trace: 7",)))
    request = await upstream.wait_for_request()
    assert request.path == "/v1/chat/completions"
    assert request.headers["x-trace"] == "7"
    assert request.headers["authorization"] == "Bearer sk-test"
    assert json.loads(request.raw) == request.body == body
    assert (request.number, request.connection) == (1, 1)


async def test_a_body_in_chunks_is_read_too(upstream: DeepSeekStandIn) -> None:
    raw = json.dumps({"model": "deepseek-flash", "messages": HELLO}).encode()
    head = post(b"").replace(b"content-length: 0", b"transfer-encoding: chunked")
    parts = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (raw[:9], raw[9:]))
    assert (await send(upstream, head + parts + b"0\r\n\r\n")).status == 200


async def test_a_client_that_leaves_is_noticed_with_what_it_had(upstream: DeepSeekStandIn) -> None:
    upstream.play(Stall(after_tokens=3))
    ordinary = await ask(upstream, until=Until(b'"reasoning_content":"', 4))
    left = await upstream.wait_for_disconnect()
    assert ordinary.ended == "open"
    assert left.tokens == 3
    assert left.request.number == 1
    assert upstream.in_flight == 0


async def test_a_client_that_stays_to_the_end_is_no_disconnect(upstream: DeepSeekStandIn) -> None:
    await ask(upstream)
    upstream.play(Cut(how="rst"))
    await ask(upstream)
    assert list(upstream.disconnects) == []


async def test_waiting_for_what_does_not_come_ends(upstream: DeepSeekStandIn) -> None:
    with pytest.raises(TimeoutError):
        await upstream.wait_for_request(within_s=0)


async def test_a_refused_connection_and_then_an_accepted_one(upstream: DeepSeekStandIn) -> None:
    upstream.refuse_connections()
    with pytest.raises(ConnectionRefusedError):
        await connect(upstream)
    await upstream.accept_connections()
    assert (await ask(upstream)).status == 200


async def test_more_than_the_account_allows_is_429() -> None:
    gate = Gate()
    async with DeepSeekStandIn() as upstream:
        upstream.play(Pause(gate), times=500)
        body = {"model": "deepseek-v4-pro", "messages": HELLO, "stream": True}
        first = [asyncio.create_task(send(upstream, post(body))) for _ in range(500)]
        for _ in first:
            await upstream.wait_for_request()
        refused = await send(upstream, post(body))
        assert upstream.most_in_flight == 501
        gate.open()
        answers = await asyncio.gather(*first)
    assert refused.status == 429
    assert "Your current concurrency is 501, which exceeds your concurrency limit of 500" in (
        refused.error
    )
    assert {said.status for said in answers} == {200}


async def test_a_rate_paces_the_tokens_and_changes_none() -> None:
    async with DeepSeekStandIn(tokens_per_s=5000) as upstream:
        paced = await ask(upstream)
        upstream.play(Answer(tokens_per_s=100_000))
        faster = await ask(upstream)
    assert paced.text() == faster.text()
    assert paced.usage["completion_tokens"] == 64
    assert paced.whole


async def test_a_slow_reader_holds_the_stream_back(upstream: DeepSeekStandIn) -> None:
    _, writer = await connect(upstream)
    writer.write(
        post(
            {"model": "deepseek-flash", "messages": HELLO, "stream": True},
            headers=("x-stand-in: many-events",),
        )
    )
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await upstream.wait_for_request()
    for _ in range(500):
        await asyncio.sleep(0)
    assert upstream.in_flight == 1
    writer.transport.abort()
    left = await upstream.wait_for_disconnect()
    assert left.tokens < 200_000


class Wrong:
    """A behaviour with a fault of its own."""

    stage: ClassVar[Stage] = Stage.LINK

    def shape(self, reply: Reply) -> Reply:
        raise ZeroDivisionError


async def test_a_stand_in_that_fails_itself_says_so() -> None:
    upstream = await DeepSeekStandIn().start()
    upstream.play(Wrong())
    assert (await ask(upstream)).raw == b""
    with pytest.raises(ZeroDivisionError):
        await upstream.stop()


# ── from outside ──────────────────────────────────────────────────────────────────────────────


async def test_the_control_endpoint_plays_modes_and_classes(upstream: DeepSeekStandIn) -> None:
    await control(upstream, {"play": "status-503"})
    await control(upstream, {"play": [{"Answer": {"text": "hi you"}}, "cut-no-done"]})
    await control(upstream, {"play": {"FailThen": {"times": 1, "behaviour": "status-429"}}})
    await control(upstream, {"play": {"Status": {"code": 418, "headers": {"x-tea": "pot"}}}})
    said = [await ask(upstream) for _ in range(4)]
    assert said[0].status == 503
    assert said[1].text() == "hi you"
    assert b"[DONE]" not in said[1].body
    assert said[2].status == 429
    assert b"x-tea: pot" in said[3].head


async def test_the_control_endpoint_opens_gates_by_name(upstream: DeepSeekStandIn) -> None:
    await control(upstream, {"play": {"Pause": {"gate": "a", "after_tokens": 2}}})
    asked = asyncio.create_task(ask(upstream))
    await upstream.wait_for_request()
    await control(upstream, {"open": "a"})
    assert (await asked).finish == "stop"


async def test_the_control_endpoint_tells_what_happened_and_forgets(
    upstream: DeepSeekStandIn,
) -> None:
    await control(upstream, {"always": "crlf"})
    assert b"\r\n\r\ndata: {" in (await ask(upstream)).body
    report = (await control(upstream)).json
    assert report["requests"] == [{"number": 2, "path": "/chat/completions", "connection": 2}]
    assert report["modes"]["crlf"] == "lines end in CRLF"
    assert (await control(upstream, {"reset": True})).json["requests"] == []
    assert b"\r" not in (await ask(upstream)).body


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ({"play": "nothing"}, "no mode is called 'nothing'"),
        ({"play": {"Nothing": {}}}, "no behaviour is called 'Nothing'"),
        ({"play": {"FOREVER": {}}}, "no behaviour is called 'FOREVER'"),
        ({"play": {"Stall": {"tokens": 3}}}, "Stall has no field tokens"),
        ({"play": {"Stall": 3}}, "Stall needs its fields as an object"),
        ({"play": {"Status": {}}}, "Status: "),
        ({"play": 3}, "no behaviour: 3"),
    ],
)
async def test_a_command_that_is_not_understood_is_400(
    upstream: DeepSeekStandIn, command: dict[str, Any], sentence: str
) -> None:
    said = await control(upstream, command)
    assert said.status == 400
    assert sentence in said.json["error"]


async def test_exact_bytes_are_written_exactly(upstream: DeepSeekStandIn) -> None:
    writes = (b"HTTP/1.1 200 OK\r\ncontent-le", b"ngth: 2\r\n\r\n", b"ok")
    upstream.play(Bytes(writes))
    assert (await ask(upstream)).raw == b"".join(writes)


async def test_bytes_that_are_no_request_are_400(upstream: DeepSeekStandIn) -> None:
    said = await send(upstream, b"hello there, how are you\r\n\r\n")
    assert said.status == 400


# ── the command ───────────────────────────────────────────────────────────────────────────────


async def run(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "standins.deepseek",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


async def test_the_command_says_where_it_is_and_ends_when_asked() -> None:
    process = await run("--port", "0", "--tokens-per-second", "0", "--key", "sk-mine")
    assert process.stdout is not None
    lines = [(await process.stdout.readline()).decode().strip() for _ in range(3)]
    url = lines[1].removeprefix("DEEPSEEK_BASE_URL=")
    assert url in lines[0]
    assert lines[2] == "DEEPSEEK_API_KEY=sk-mine"
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    writer.write(post({"model": "deepseek-flash", "messages": HELLO}, key="sk-mine"))
    assert (await listen(reader, writer)).status == 200
    process.send_signal(signal.SIGTERM)
    assert await process.wait() == 0


async def test_a_taken_port_is_a_sentence(upstream: DeepSeekStandIn) -> None:
    process = await run("--port", upstream.url.rpartition(":")[2])
    out, complaint = await process.communicate()
    assert process.returncode == 1
    assert out == b""
    assert complaint.decode().startswith("This port is taken: choose another with --port")
    assert b"Traceback" not in complaint
