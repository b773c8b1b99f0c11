"""Whatever a vendor does, an answer ends: in the right state, with a stable code, within its
timers, its text neither doubled nor lost.

Every mode that the stand-in knows is played against the running product; the table below says
what must come of it. A mode that is not in the table must give the whole answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from lite_llm_chat.config import Settings
from standins.deepseek import DeepSeekStandIn
from standins.modes import MODES
from tests.conftest import Product, question

SAID = "Hello, this is a whole answer."
HEAVY = frozenset({"twenty-megabytes", "many-events", "one-megabyte"})

CODES = {
    "upstream_timeout": "drip no-answer no-body slow-body slow-first-token slow-headers stall"
    " stall-5s stall-with-comments status-408",
    "upstream_truncated": "cut-clean cut-eof cut-mid-crlf cut-mid-json cut-mid-size"
    " cut-no-finish cut-rst empty-stream finish-absent finish-empty",
    "upstream_garbage": "broken-json json-array json-scalar garbage twenty-megabytes calls-no-name",
    "upstream_gave_up": "finish-aborted finish-error finish-insufficient-system-resource",
    "upstream_unreachable": "closed-at-once",
    "empty_answer": "no-content reasoning-only calls-no-calls",
    "provider_auth": "status-401 status-403 plain-401",
    "provider_balance": "status-402",
    "provider_bad_request": "status-400 status-413 status-422",
    "provider_not_found": "status-404",
    "provider_rate_limited": "status-429 only-sk-good retry-after retry-after-date"
    " retry-after-huge retry-after-ms",
    "provider_overloaded": "status-503 status-529 wrong-type-503 error-event-line error-field"
    " error-first error-in-call error-goes-on error-last error-openai fails-twice",
    "provider_error": "status-500 status-504 html-502 html-524 empty-500 truncated-500 huge-500"
    " ok-error ok-error-in-choice error-event-line-bare error-flat error-openrouter error-string"
    " error-x-groq",
}
STATUS = {
    "upstream_timeout": 504,
    "provider_rate_limited": 503,
    "provider_overloaded": 503,
    "upstream_gave_up": 503,
}
OTHER_TEXT = {
    "bad-utf8": "Hello,\ufffd\ufffd this is a whole answer.",
    "exotic-text": "a\u2028b\u2029c\x85d, naïve 河 🙂 👩\u200d🔬 end",
    "split-utf8": "a\u2028b\u2029c\x85d, naïve 河 🙂 👩\u200d🔬 end",
    "finish-with-text": f"{SAID} tail",
    "text-after-finish": f"{SAID} late",
    "lone-surrogate": "a \ufffd b",
    "split-surrogates": "a 🙂",
    "call-a-tool": "",
}
LONG = frozenset({"one-megabyte", "many-events", "same-chunk", "calls-dsml"})

expected = {mode: code for code, modes in CODES.items() for mode in modes.split()}
names = list(MODES)


@pytest.fixture
async def hasty(settings: Settings) -> AsyncIterator[Product]:
    """A product that asks once, with short timers, but none so short that a busy machine's pause
    is taken for a silence."""
    hurried = {
        "headers_timeout_seconds": 1.5,
        "first_piece_timeout_seconds": 2.0,
        "idle_timeout_seconds": 1.5,
        "total_timeout_seconds": 12.0,  # what ends a drip
        "upstream_retries": 0,
    }
    running = await Product(settings.model_copy(update=hurried)).start()
    yield running
    await running.stop()


def test_the_table_names_only_modes_that_exist() -> None:
    assert sorted({*expected, *OTHER_TEXT, *LONG, *HEAVY} - set(names)) == []


async def _verdict(product: Product, mode: str) -> str | None:
    """What is wrong with the outcome of a mode, or None."""
    body = question(f"play: {mode}\nsay: {SAID}", stream=False)
    status, answer = await product.call("POST", "/chat", body)
    message = answer.get("message", {})
    code = expected.get(mode)
    if code is not None:
        found = (status, answer.get("code"))
        wanted = (STATUS.get(code, 502), code)
    elif mode.startswith("calls-") or mode in LONG:
        found, wanted = (status, message.get("status")), (200, "completed")
    else:
        found = (status, message.get("content"))
        wanted = (200, OTHER_TEXT.get(mode, SAID))
    return None if found == wanted else f"{mode}: {found} instead of {wanted}"


async def _check_log(product: Product) -> list[str]:
    """I3 and I4 for every session: one terminal event, last; the text is the events' text."""
    wrong = []
    _, sessions = await product.call("GET", "/sessions?limit=1000")
    for session in sessions:
        _, detail = await product.call("GET", f"/sessions/{session['id']}")
        answer = detail["messages"][-1]
        stream = await product.stream(f"/generations/{answer['generation_id']}/events")
        frames = [frame for frame in await stream.rest() if frame.id is not None]
        text = "".join(frame.data["content"] for frame in frames if frame.event == "text")
        seqs = [int(frame.id or 0) for frame in frames]
        kinds = [frame.event for frame in frames]
        if text != answer["content"] or seqs != list(range(1, len(seqs) + 1)):
            wrong.append(f"session {session['id']}: text or numbers differ")
        if kinds.count("ended") != 1 or kinds[-1] != "ended":
            wrong.append(f"session {session['id']}: {kinds}")
    return wrong


async def test_every_mode_of_a_vendor_ends_in_the_right_state(hasty: Product) -> None:
    light = [name for name in names if name not in HEAVY]
    for start in range(0, len(light), 10):
        group = light[start : start + 10]
        verdicts = await asyncio.gather(*(_verdict(hasty, name) for name in group))
        assert [verdict for verdict in verdicts if verdict] == []
    assert await _check_log(hasty) == []


@pytest.mark.parametrize("mode", sorted(HEAVY))
async def test_a_heavy_mode_ends_in_the_right_state(product: Product, mode: str) -> None:
    assert await _verdict(product, mode) is None


async def test_a_failed_first_try_is_repeated_and_the_answer_is_whole(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    body = question(f"play: fails-twice\nsay: {SAID}", stream=False)
    status, answer = await product.call("POST", "/chat", body)
    assert (status, answer["message"]["content"]) == (200, SAID)
    assert len(upstream.requests) == 3


@pytest.mark.parametrize("mode", ["error-openai", "cut-rst", "cut-clean"])
async def test_nothing_is_repeated_after_the_first_piece(
    product: Product, upstream: DeepSeekStandIn, mode: str
) -> None:
    stream = await product.ask(f"play: {mode}\nsay: {SAID}")
    frames = await stream.rest()
    text = "".join(frame.data.get("content", "") for frame in frames)
    assert SAID.startswith(text)
    assert text
    assert "error" in frames[-1].data
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    "mode", ["status-400", "status-401", "status-402", "status-422", "retry-after-huge"]
)
async def test_a_refusal_that_waiting_cannot_mend_is_not_repeated(
    product: Product, upstream: DeepSeekStandIn, mode: str
) -> None:
    await product.call("POST", "/chat", question(f"play: {mode}", stream=False))
    assert len(upstream.requests) == 1


async def test_a_cut_answer_keeps_its_text_and_is_marked(product: Product) -> None:
    status, problem = await product.call(
        "POST", "/chat", question(f"play: cut-rst\nsay: {SAID}", stream=False)
    )
    assert (status, problem["code"]) == (502, "upstream_truncated")
    _, session = await product.call("GET", f"/sessions/{problem['session_id']}")
    answer = session["messages"][-1]
    assert answer["id"] == problem["message_id"]
    assert answer["status"] == "failed"
    assert answer["error"]["code"] == "upstream_truncated"
    assert answer["content"]
    assert SAID.startswith(answer["content"])


async def test_an_answer_over_the_limit_is_cut_and_says_so(
    settings: Settings, upstream: DeepSeekStandIn
) -> None:
    product = await Product(settings.model_copy(update={"max_answer_bytes": 2000})).start()
    body = question("play: many-events", stream=False)
    _, problem = await product.call("POST", "/chat", body)
    assert problem["code"] == "answer_too_long"
    await upstream.wait_for_disconnect()
    _, session = await product.call("GET", f"/sessions/{problem['session_id']}")
    assert 2000 < len(session["messages"][-1]["content"].encode()) < 400_000
    await product.stop()


async def test_the_vendors_connection_serves_the_next_question_too(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    for _ in range(3):
        await product.call("POST", "/chat", question(f"say: {SAID}", stream=False))
    assert len({request.connection for request in upstream.requests}) == 1
