"""Which of the history fits a model's window: history → what is sent, pure.

Whole exchanges are dropped, oldest first: an answer never stands without its question, nor a
tool's result without its call. The system turns at the head and the last question always stay.
Tokens are an estimate on the high side, for no tokenizer of any vendor is on board.
"""

from __future__ import annotations

from collections.abc import Sequence

from .domain import Turn

TURN_OVERHEAD_TOKENS = 8  # role and separators, a little more than any known template takes

PICTURE_TOKENS = 1600  # of one image: about what the most expensive vendors count


def estimate_tokens(text: str) -> int:
    """About how many tokens a text is: three ASCII characters, or half another one, to a token."""
    plain = sum(1 for char in text if char < "\x80")
    return plain // 3 + 2 * (len(text) - plain) + 1


def fit(turns: Sequence[Turn], max_tokens: int | None) -> tuple[tuple[Turn, ...], int]:
    """The turns that fit and how many were dropped. None means: everything fits."""
    if max_tokens is None:
        return tuple(turns), 0
    head = next((i for i, turn in enumerate(turns) if turn.role != "system"), len(turns))
    system, talk = list(turns[:head]), list(turns[head:])
    used = sum(_cost(turn) for turn in turns)
    dropped = 0
    while used > max_tokens and (cut := _next_question(talk)) is not None:
        used -= sum(_cost(turn) for turn in talk[:cut])
        talk = talk[cut:]
        dropped += cut
    return (*system, *talk), dropped


def _cost(turn: Turn) -> int:
    calls = sum(estimate_tokens(call.name + call.arguments) for call in turn.calls)
    pictures = PICTURE_TOKENS * len(turn.pictures)
    return estimate_tokens(turn.content) + calls + pictures + TURN_OVERHEAD_TOKENS


def _next_question(talk: Sequence[Turn]) -> int | None:
    """Where the second exchange begins, or None if there is only one left."""
    return next((i for i, turn in enumerate(talk) if i > 0 and turn.role == "user"), None)
