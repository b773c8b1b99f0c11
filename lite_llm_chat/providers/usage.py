"""How many tokens an answer took, out of the `usage` object of OpenAI's dialect.

    {"prompt_tokens": 7, "completion_tokens_details": {…}, …} ─▶ Usage

A number may be missing, negative, a string or absurd: then it is 0, and the answer stays whole.
"""

from __future__ import annotations

import re

from ..domain import Usage


def read_usage(said: object) -> Usage | None:
    """The counts in a `usage` object; None if it is none."""
    if not isinstance(said, dict):
        return None
    prompt, output = _count(said, "prompt_tokens"), _count(said, "completion_tokens")
    reasoning = _count(said, "completion_tokens_details", "reasoning_tokens")
    if _count(said, "total_tokens") == prompt + output + reasoning:
        output += reasoning  # xAI counts it apart (LiteLLM 1.110, November 2026)
    return Usage(
        input=prompt,
        cached=_count(said, "prompt_tokens_details", "cached_tokens"),
        output=output,
        reasoning=min(reasoning, output),
    )


def _count(said: object, *path: str) -> int:
    """A number of tokens: 0 if it is absent, negative or not a number at all."""
    for name in path:
        said = said.get(name) if isinstance(said, dict) else None
    if isinstance(said, str) and re.fullmatch(r"\d{1,12}", said, re.ASCII):
        return int(said)
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 <= said < 1e12:
        return 0
    return int(said)
