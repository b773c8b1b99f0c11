"""What every dialect owes, through the whole server: one contract, six vendors behind it.

test ──HTTP──▶ Product ──HTTP──▶ DeepSeek · Anthropic · Gemini · Ollama · a row of OpenAI's dialect
                                 OpenAI's Responses
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import SecretStr

from lite_llm_chat.providers import registry
from lite_llm_chat.providers.endpoints import NONE
from standins.behaviours import Answer, Cut, Gate, Pause, Played, Stage, Status
from standins.deepseek import DeepSeekStandIn
from standins.reply import Reply, Wait
from standins.standin import StandIn
from standins.words import pieces
from tests.conftest import Product, Stream

from .conftest import Launch
from .dialects import DIALECTS, KEY, THOUGHT, UP_TO_TWO, WORDS, Dialect
from .follow import at_end, events, log_of, messages, order_of, spoken, text_of


@dataclass(frozen=True, slots=True)
class SignsOnly:
    """After some tokens nothing comes any more but signs of life."""

    stage: ClassVar[Stage] = Stage.TIMING
    sign: bytes
    after_tokens: int

    def shape(self, reply: Reply) -> Reply:
        """The reply that never ends."""
        return reply.put(reply.place(self.after_tokens), Wait(None, self.sign, 0.01))


@pytest.fixture(params=DIALECTS, ids=lambda one: one.provider)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    found: Dialect = request.param
    return found


@pytest.fixture
async def vendor(dialect: Dialect) -> AsyncIterator[StandIn]:
    async with dialect.stand_in() as one:
        yield one


@dataclass(frozen=True, slots=True)
class Asked:
    """A product that knows one vendor of the contract, and questions to it."""

    product: Product
    dialect: Dialect

    def body(self, text: str, /, **fields: object) -> dict[str, object]:
        """A question that is to be thought about."""
        return {
            "provider": self.dialect.provider,
            "model": self.dialect.model,
            "messages": [{"role": "user", "content": text}],
            "thinking": True,
            **fields,
        }

    async def streamed(self, text: str = "Count", /, **fields: object) -> Stream:
        return await self.product.stream("/chat", self.body(text, **fields))

    async def whole(self, text: str = "Count", /, **fields: object) -> tuple[int, Any]:
        body = self.body(text, stream=False, **fields)
        return await self.product.call("POST", "/chat", body)


@pytest.fixture
def patience_s() -> float:
    """How long the product waits for more of an answer. Only silence itself is given little: a
    busy machine may stop for a second, and that is not silence."""
    return 60.0


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment that names no vendor yet."""
    for name in registry.variables(NONE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


@pytest.fixture
async def asked(
    launch: Launch,
    dialect: Dialect,
    vendor: StandIn,
    patience_s: float,
    variables: pytest.MonkeyPatch,
) -> Asked:
    changed: dict[str, object] = {"upstream_retries": 0, "idle_timeout_seconds": patience_s}
    if dialect.provider == "deepseek":
        changed |= {"deepseek_api_key": SecretStr(KEY), "deepseek_base_url": vendor.url}
    else:
        variables.setenv(f"{dialect.variable}_API_KEY", KEY)
        url = dialect.url_variable or f"{dialect.variable}_BASE_URL"
        variables.setenv(url, vendor.url + dialect.path)
    return Asked(await launch(**changed), dialect)


def said(*more: Played) -> tuple[Played, ...]:
    return (Answer(reasoning=THOUGHT, text=WORDS), *more)


# ── an answer ─────────────────────────────────────────────────────────────────────────────────


async def test_thoughts_and_words_come_in_the_plain_frames(asked: Asked, vendor: StandIn) -> None:
    vendor.play(*said())
    first, *frames, last = await (await asked.streamed()).rest()
    assert list(first.data) == ["session_id", "generation_id", "message_id"]
    kinds = [name for frame in frames for name in frame.data]
    assert kinds == sorted(kinds, reverse=True)  # reasoning, then content
    assert "".join(frame.data.get("reasoning", "") for frame in frames) == THOUGHT
    assert text_of(frames) == WORDS
    assert last.raw == 'data: {"done": true}'


async def test_a_whole_answer_has_its_author_its_end_and_its_usage(
    asked: Asked, vendor: StandIn
) -> None:
    vendor.play(*said(), times=2)
    status, body = await asked.whole()
    answer = body["message"]
    assert (status, answer["status"], answer["finish_reason"]) == (200, "completed", "stop")
    assert (answer["content"], answer["thought_process"]) == (WORDS, THOUGHT)
    assert (answer["provider"], answer["model"]) == (asked.dialect.provider, asked.dialect.model)
    thoughts = len(pieces(THOUGHT))
    usage = answer["usage"]
    assert usage["output_tokens"] == thoughts + len(pieces(WORDS))
    assert usage["reasoning_tokens"] == (thoughts if asked.dialect.counts_thoughts else 0)
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    status, body = await asked.whole("And on", session_id=body["session_id"])
    again = body["message"]["usage"]
    assert status == 200
    assert again["input_tokens"] > usage["input_tokens"] >= usage["cached_tokens"]
    assert again["input_tokens"] >= again["cached_tokens"]


async def test_a_limit_of_the_model_is_called_length_and_may_be_continued(
    asked: Asked, vendor: StandIn
) -> None:
    end = {"anthropic": "max_tokens", "gemini": "MAX_TOKENS"}.get(asked.dialect.provider, "length")
    vendor.play(*said(Answer(finish_reason=end)))
    _, body = await asked.whole()
    assert (body["message"]["status"], body["message"]["finish_reason"]) == ("completed", "length")
    vendor.play(Answer(text=" four"))
    status, body = await asked.product.call("POST", "/messages/2/continue", {"stream": False})
    assert (status, body["message"]["content"]) == (200, f"{WORDS} four")


async def test_an_option_is_either_sent_or_named_in_the_warnings(
    asked: Asked, vendor: StandIn
) -> None:
    given: dict[str, object] = {
        "temperature": 0.3125,
        "top_p": 0.96875,
        "top_k": 41,
        "seed": 424_243,
        "frequency_penalty": 0.53125,
        "presence_penalty": 0.59375,
        "max_tokens": 2_345,
    }
    vendor.play(*said())
    status, body = await asked.whole(stop=["a word to stop at"], **given)
    assert status == 200, body
    sent = vendor.chats[0].raw.decode()
    warned = {warning.split(":")[0] for warning in body["warnings"]}
    unsent = {name for name, value in given.items() if str(value) not in sent}
    assert unsent | ({"stop"} if "a word to stop at" not in sent else set()) == warned


# ── failures ──────────────────────────────────────────────────────────────────────────────────


REFUSALS: dict[int, tuple[str, int, str]] = {  # by the vendor's status: code, ours, the mend
    400: ("provider_bad_request", 502, "did not accept the request"),
    401: ("provider_auth", 502, "_API_KEY in .env"),
    429: ("provider_rate_limited", 503, "try again in a moment"),
    500: ("provider_error", 502, "try again"),
    503: ("provider_overloaded", 503, "try again in a moment"),
}


@pytest.mark.parametrize("status", REFUSALS)
async def test_a_refusal_has_its_status_its_code_and_its_mend_but_no_key(
    asked: Asked, vendor: StandIn, status: int
) -> None:
    code, ours, mend = REFUSALS[status]
    vendor.play(Status(status, asked.dialect.refusal(status, f"It was with {KEY}, you see")))
    got, body = await asked.whole()
    assert (got, body["code"]) == (ours, code)
    assert mend in body["detail"]
    if code == "provider_auth":
        assert f"{asked.dialect.variable}_API_KEY" in body["detail"]
    _, session = await asked.product.call("GET", "/sessions/1")
    answer = session["messages"][1]
    assert (answer["status"], answer["content"], answer["error"]["code"]) == ("failed", "", code)
    shown = json.dumps([body, session])
    assert [KEY[at : at + 8] for at in range(len(KEY) - 7) if KEY[at : at + 8] in shown] == []


async def test_a_failure_in_the_middle_keeps_what_came(asked: Asked, vendor: StandIn) -> None:
    vendor.play(*said(asked.dialect.broken))
    frames = await (await asked.streamed()).rest()
    assert text_of(frames) == "one two"
    assert list(frames[-1].data) == ["error", "code"]
    assert frames[-1].data["code"].startswith("provider_")
    answer = (await messages(asked.product))[1]
    assert (answer["status"], answer["content"]) == ("failed", "one two")
    assert answer["thought_process"] == THOUGHT
    assert answer["error"]["code"] == frames[-1].data["code"]


@pytest.mark.parametrize("patience_s", [1.0])
async def test_signs_of_life_are_no_words(asked: Asked, vendor: StandIn) -> None:
    vendor.play(*said(SignsOnly(asked.dialect.sign, UP_TO_TWO)))
    frames = await (await asked.streamed()).rest()
    assert (text_of(frames), frames[-1].data["code"]) == ("one two", "upstream_timeout")
    await vendor.wait_for_disconnect()


# ── what one does with an answer ──────────────────────────────────────────────────────────────


async def test_stopping_closes_the_connection_and_keeps_the_words(
    asked: Asked, vendor: StandIn
) -> None:
    vendor.play(*said(Pause(Gate(), UP_TO_TWO)))
    stream = await asked.streamed()
    seen = ""
    while seen != "one two":
        seen += (await stream.until("content")).data["content"]
    generation_id = stream.headers["X-Generation-Id"]
    status, generation = await asked.product.call("POST", f"/generations/{generation_id}/cancel")
    assert (status, generation["status"]) == (200, "cancelled")
    await vendor.wait_for_disconnect()
    assert (await spoken(asked.product))[1] == ("assistant", "one two")


@pytest.mark.parametrize("text", ["one two three", "one\n\n and more"])
async def test_a_cut_answer_is_continued_from_its_last_character(
    asked: Asked, vendor: StandIn, text: str
) -> None:
    so_far = "".join(pieces(text)[:2])
    vendor.play(Answer(reasoning=THOUGHT, text=text), Cut(after_tokens=UP_TO_TWO))
    frames = await (await asked.streamed()).rest()
    assert (text_of(frames), frames[-1].data["code"]) == (so_far, "upstream_truncated")
    vendor.play(Answer(text="+ four", reasoning=""))
    status, body = await asked.product.call("POST", "/messages/2/continue", {"stream": False})
    answer = body["message"]
    assert (status, answer["status"]) == (200, "completed")
    assert (answer["content"], answer["thought_process"]) == (f"{so_far}+ four", THOUGHT)
    assert json.dumps(so_far)[1:-1] in json.dumps(vendor.chats[-1].body)


async def test_an_answer_is_followed_by_number_from_any_event(
    asked: Asked, vendor: StandIn
) -> None:
    gate = Gate()
    vendor.play(*said(Pause(gate, UP_TO_TWO)))
    stream = await asked.streamed()
    await stream.until("content")
    generation_id = stream.headers["X-Generation-Id"]
    stream.leave()
    gate.open()
    everything = await events(asked.product, generation_id)
    log = log_of(everything)
    assert [int(number) for number in log] == [*range(1, len(log) + 1)]
    assert text_of(everything) == WORDS
    for seen in (1, 2, len(log) - 1):
        path = f"/generations/{generation_id}/events"
        again = await asked.product.stream(path, headers={"Last-Event-ID": str(seen)})
        assert log_of(await again.rest()) == {
            one: raw for one, raw in log.items() if int(one) > seen
        }
    assert (await at_end(asked.product, generation_id))["status"] == "completed"


@pytest.mark.parametrize("dialect", DIALECTS[1:], ids=lambda one: one.provider, indirect=True)
async def test_two_vendors_answer_in_one_session(
    asked: Asked, vendor: StandIn, upstream: DeepSeekStandIn
) -> None:
    home = {"provider": "deepseek", "model": "deepseek-chat"}
    upstream.play(Answer(text="The first said this"))
    await asked.whole("Who?", **home)
    vendor.play(Answer(text="The second said that"))
    guest = {
        "provider": None,
        "model": None,
        "message_provider": asked.dialect.provider,
        "message_model": asked.dialect.model,
    }
    status, _ = await asked.whole("And you?", session_id=1, **guest)
    assert status == 200
    upstream.play(Answer(text="The first again"))
    await asked.whole("And now?", session_id=1, provider=None, model=None)
    answers = (await messages(asked.product))[1::2]
    assert [one["provider"] for one in answers] == ["deepseek", asked.dialect.provider, "deepseek"]
    assert b"The first said this" in vendor.chats[0].raw
    contents = [one["content"] for one in order_of(upstream)["messages"]]
    assert contents[1::2] == ["The first said this", "The second said that"]
