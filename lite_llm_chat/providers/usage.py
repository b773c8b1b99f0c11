"""How many tokens an answer took, out of the `usage` object of OpenAI's dialect.

    {"prompt_tokens": 7, "completion_tokens_details": {…}, …} ─▶ Usage

A number may be missing, negative, a string or absurd: then it is 0, and the answer stays whole.
"""

from __future__ import annotations

from ..domain import Usage
from .gather import count


def read_usage(said: object) -> Usage | None:
    """The counts in a `usage` object; None if it is none."""
    if not isinstance(said, dict):
        return None
    prompt, output = count(said, "prompt_tokens"), count(said, "completion_tokens")
    reasoning = count(said, "completion_tokens_details", "reasoning_tokens")
    if count(said, "total_tokens") == prompt + output + reasoning:
        output += reasoning  # xAI counts it apart (LiteLLM 1.110, November 2026)
    return Usage(
        input=prompt,
        cached=min(count(said, "prompt_tokens_details", "cached_tokens"), prompt),
        output=output,
        reasoning=min(reasoning, output),
    )
