"""The window that Ollama is asked for, and what happens to what does not fit it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from lite_llm_chat.domain import Beginning as Said
from lite_llm_chat.domain import Prompt, Turn
from lite_llm_chat.errors import UpstreamError
from lite_llm_chat.providers.ollama import Ollama
from lite_llm_chat.providers.ollama_window import Windows
from lite_llm_chat.providers.pool import Pool
from lite_llm_chat.providers.wire import Endpoint, Reply, Wire
from standins.behaviours import Answer
from standins.ollama import OllamaStandIn

from .conftest import collect, failing, finish, no_rest, prompt

MODEL = "gemma4:e2b"


@pytest.fixture
async def upstream() -> AsyncIterator[OllamaStandIn]:
    async with OllamaStandIn() as one:
        yield one


@pytest.fixture
def ollama(wire: Wire, upstream: OllamaStandIn) -> Ollama:
    return Ollama(wire, api_key=None, base_url=upstream.url)


def ask(content: str = "Hello", model: str = MODEL, **options: object) -> Prompt:
    return prompt(content, model, **options)


class Tap(Wire):
    """A wire that ends here: what would be sent is kept, and nobody answers."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool, no_rest, headers_timeout_s=1.0)
        self.bodies: list[dict[str, Any]] = []
        self.urls: list[str] = []

    async def post(self, endpoint: Endpoint, body: bytes) -> Reply:
        self.bodies.append(json.loads(body))
        self.urls.append(endpoint.url)
        raise UpstreamError("a tap", code="upstream_unreachable")


@pytest.fixture
def tap(pool: Pool) -> Tap:
    return Tap(pool)


async def options(tap: Tap, asked: Prompt, base_url: str = "http://localhost:11434") -> Any:
    """The `options` of the request for this prompt, None if it has none."""
    await failing(Ollama(tap, api_key=None, base_url=base_url).stream(asked))
    return tap.bodies[-1].get("options")


@pytest.mark.parametrize(
    ("letters", "max_tokens", "num_ctx"),
    [
        (6_000, None, None),
        (6_200, None, 8_192),
        (20_000, None, 16_384),
        (40_000, None, 16_384),
        (60_000, None, 32_768),
        (6_200, 100, None),
        (10, 6_000, 8_192),
        (10, 1_000_000, 16_384),
        (5_000_000, None, 262_144),
    ],
)
async def test_a_window_is_asked_for_when_the_smallest_one_does_not_do(
    tap: Tap, letters: int, max_tokens: int | None, num_ctx: int | None
) -> None:
    told = await options(tap, ask("x" * letters, max_tokens=max_tokens))
    assert (told or {}).get("num_ctx") == num_ctx


@pytest.mark.parametrize("content", ["嗯" * 3_000, "\U0001f600" * 2_000])
async def test_letters_of_more_bytes_take_more_of_the_window(tap: Tap, content: str) -> None:
    assert await options(tap, ask(content)) == {"num_ctx": 8_192}


def test_a_large_window_is_kept_while_somebody_needs_it() -> None:
    clock = [0.0]
    windows = Windows(lambda: clock[0])
    short, long, longer = ask("x"), ask("x" * 20_000), ask("x" * 60_000)
    assert windows.ask_for(short) is None
    assert windows.ask_for(long) == 16_384
    assert windows.ask_for(short) == 16_384
    assert windows.ask_for(ask("x", "gpt-oss:20b")) is None
    clock[0] = 200.0
    assert windows.ask_for(longer) == 32_768
    clock[0] = 400.0
    assert windows.ask_for(longer) == 32_768
    assert windows.ask_for(long) == 32_768
    clock[0] = 699.0
    assert windows.ask_for(short) == 32_768
    clock[0] = 700.0
    assert windows.ask_for(short) is None
    assert windows.ask_for(long) == 16_384


def test_names_that_are_no_models_are_not_kept_for_ever() -> None:
    windows = Windows(lambda: 0.0)
    for number in range(100):
        windows.ask_for(ask("x" * 20_000, f"m{number}"))
    windows.ask_for(ask("x" * 20_000, "m99"))
    assert windows.ask_for(ask("x", "m0")) == 16_384
    windows.ask_for(ask("x" * 20_000, "m100"))
    assert windows.ask_for(ask("x", "m0")) is None


async def test_a_short_question_beside_a_long_conversation_loads_nothing(
    ollama: Ollama, upstream: OllamaStandIn
) -> None:
    for content in ("Hi", "x" * 7_000, "Hi", "x" * 7_000, "Hi"):
        await collect(ollama.stream(ask(content)))
    assert upstream.loads == [(MODEL, 4_096), (MODEL, 8_192)]


async def test_every_turn_and_the_text_to_go_on_from_take_their_part(tap: Tap) -> None:
    talk = tuple(Turn("user", "x") for _ in range(300))
    assert await options(tap, Prompt(MODEL, talk)) == {"num_ctx": 8_192}
    cut = replace(ask(), prefix=Said(text="x" * 7_000))
    assert await options(tap, cut) == {"num_ctx": 8_192}


@pytest.mark.parametrize(
    ("model", "base_url"),
    [
        ("glm-4.6:cloud", "http://localhost:11434"),
        ("gpt-oss:120b-cloud", "http://localhost:11434"),
        ("gpt-oss:120b", "https://ollama.com/api"),
    ],
)
async def test_a_model_in_the_cloud_has_its_window_already(
    tap: Tap, model: str, base_url: str
) -> None:
    assert await options(tap, ask("x" * 50_000, model), base_url) is None


async def test_a_growing_conversation_seldom_loads_the_model_anew(
    ollama: Ollama, upstream: OllamaStandIn
) -> None:
    turns: tuple[Turn, ...] = ()
    for _ in range(16):
        turns = (*turns, Turn("user", "x" * 900), Turn("assistant", "y" * 900))
        await collect(ollama.stream(Prompt(MODEL, (*turns, Turn("user", "Well?")))))
    assert upstream.loads == [(MODEL, 4_096), (MODEL, 8_192), (MODEL, 16_384)]


async def test_a_prompt_is_never_cut_without_a_word(ollama: Ollama) -> None:
    asked = ask("x" * 60_000, model="small:8k")
    with pytest.raises(UpstreamError) as caught:
        await collect(ollama.stream(asked))
    assert caught.value.code == "provider_bad_request"
    assert "OLLAMA_CONTEXT_LENGTH" in caught.value.detail
    assert "15002 tokens" in caught.value.detail


async def test_an_answer_that_fills_the_window_ends_by_its_length(
    ollama: Ollama, upstream: OllamaStandIn
) -> None:
    upstream.play(Answer(tokens=5_000))
    pieces = await collect(ollama.stream(ask(thinking=False)))
    end = finish(pieces)
    assert end.reason == "length"
    assert end.usage is not None
    assert end.usage.input + end.usage.output == 4_096


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ("box", "http://box:11434"),
        ("127.0.0.1/api", "http://127.0.0.1:11434"),
        ("[::1]", "http://[::1]:11434"),
        ("box:80", "http://box:80"),
        ("box/ollama/", "http://box:11434/ollama"),
        ("http://box", "http://box"),
        ("https://box/ollama/api", "https://box/ollama"),
    ],
)
async def test_an_address_without_a_scheme_has_the_usual_port(
    tap: Tap, given: str, place: str
) -> None:
    await failing(Ollama(tap, api_key=None, base_url=given).stream(ask()))
    assert tap.urls == [f"{place}/api/chat"]
