"""About how many tokens a text is, where no vendor has counted: for what is paid, so a fair figure.

    text ─▶ quarters (of a token) ─ summed ─▶ tokens

Four ASCII characters are a token, or one Chinese, Japanese or Korean one; of an alphabet such as
the Greek two. By the length in UTF-8 that is a sum and no loop: an ASCII character is a quarter,
one of two bytes two quarters, of three bytes four, of four bytes six. The bound of a window has
another estimate, on the high side: see asking/context.py.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from .asked import Prompt, Turn

TURN_QUARTERS = 16  # role and separators of a turn: four tokens, as most templates take
PICTURE_QUARTERS = 4 * 1000  # vendors count from 250 tokens to 1600


def quarters(text: str) -> int:
    """A text's tokens, in quarters."""
    if text.isascii():
        return len(text)
    return len(text.encode("ascii", "ignore")) + 2 * (len(text.encode()) - len(text))


def tokens(count: int) -> int:
    """Quarters as whole tokens, upwards."""
    return -(-count // 4)


def prompt_quarters(prompt: Prompt) -> int:
    """What a prompt takes: its turns, what was begun, and the tools that may be called. Earlier
    reasoning is left out, for most vendors are not sent it."""
    begun = quarters(prompt.prefix.text) if prompt.prefix else 0
    schemas = msgspec.json.encode(prompt.tools).decode() if prompt.tools else ""
    return begun + quarters(schemas) + sum(map(_turn, prompt.turns))


def texts_quarters(texts: Iterable[str]) -> int:
    """As `prompt_quarters`, where nothing but the texts of the turns is known."""
    return sum(TURN_QUARTERS + quarters(text) for text in texts)


def _turn(turn: Turn) -> int:
    calls = sum(quarters(call.name) + quarters(call.arguments) for call in turn.calls)
    pictures = PICTURE_QUARTERS * len(turn.pictures)
    return TURN_QUARTERS + quarters(turn.content) + calls + pictures
