"""The dialects of test_dialects.py: who speaks each of them here, and how it refuses and fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from standins import anthropic, gemini, ollama, responses, responses_rules
from standins.anthropic_words import error_body
from standins.behaviours import ErrorEvent, Played
from standins.deepseek import DeepSeekStandIn
from standins.deepseek_rules import RefusedError
from standins.gemini_refusal import GeminiRefusal
from standins.reply import KEEP_ALIVE, compact
from standins.standin import StandIn
from standins.words import pieces

KEY = "canary.key.0f1e.2d3c.4b5a"  # looks like no key: only who knows it can take it out
THOUGHT, WORDS = "Hm hm", "one two three"
UP_TO_TWO = len(pieces(THOUGHT)) + 2  # tokens: all thoughts and two words
BUSY = "Busy just now"


@dataclass(frozen=True, slots=True)
class Dialect:
    """One vendor of the contract: who it is here, its stand-in, where that is found, and what is
    its own way to refuse, to fail in the middle and to give a sign of life. `counts_thoughts`:
    its usage says how many of the tokens were thoughts."""

    provider: str
    model: str
    variable: str
    stand_in: Callable[[], StandIn]
    refusal: Callable[[int, str], bytes]
    broken: Played
    sign: bytes = KEEP_ALIVE
    path: str = ""
    counts_thoughts: bool = True
    url_variable: str = ""  # where another than its own name begins it


def _flat(status: int, said: str) -> bytes:
    return RefusedError(said, status, "some_error", "application/json").body()


DIALECTS = (
    Dialect(
        "deepseek",
        "deepseek-flash",
        "DEEPSEEK",
        lambda: DeepSeekStandIn(key=KEY),
        _flat,
        ErrorEvent(after_tokens=UP_TO_TWO),
    ),
    Dialect(
        "anthropic",
        "claude-sonnet-5-5",
        "ANTHROPIC",
        lambda: anthropic.AnthropicStandIn(key=KEY),
        lambda status, said: error_body("api_error", said),
        anthropic.Fault(after_tokens=UP_TO_TWO),
        anthropic.PING,
    ),
    Dialect(
        "gemini",
        "gemini-3.8-flash",
        "GEMINI",
        lambda: gemini.GeminiStandIn(key=KEY),
        lambda status, said: GeminiRefusal(said, status).body(),
        gemini.BreakIn(GeminiRefusal(BUSY, 503), UP_TO_TWO),
        b": \r\n\r\n",
    ),
    Dialect(
        "ollama",
        "gemma4:e2b",
        "OLLAMA",
        lambda: ollama.OllamaStandIn(key=KEY),
        lambda status, said: compact({"error": said}),
        ollama.ErrorLine(BUSY, UP_TO_TWO),
        b"\n",
        counts_thoughts=False,
    ),
    Dialect(
        "mistral",  # a row that goes on from a marked message, as DeepSeek's beta address does
        "deepseek-flash",
        "MISTRAL",
        lambda: DeepSeekStandIn(key=KEY),
        _flat,
        ErrorEvent(after_tokens=UP_TO_TWO),
        path="/beta",
    ),
    Dialect(
        "openai-responses",
        "gpt-6-luna",
        "OPENAI",
        lambda: responses.ResponsesStandIn(key=KEY),
        lambda status, said: responses_rules.error_body(said, "some_error"),
        responses.Fault(after_tokens=UP_TO_TWO),
        url_variable="OPENAI_RESPONSES_BASE_URL",
    ),
)
