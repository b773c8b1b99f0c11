"""Which of the history fits a model's window: history → what is sent, pure.

    window ─ what the answer may take ─▶ room
    turns ─▶ fit(room) ─▶ system turns · what is kept of the talk · the last question

Whole exchanges are dropped, oldest first: an answer never stands without its question, nor a
tool's result without its call. The system turns at the head and the last question always stay.
Tokens are an estimate on the high side, for no tokenizer of any vendor is on board.

What is sent only grows at its end, so that a vendor finds its beginning in its cache. A window that
was full would shift with every turn; so the cut moves seldom and far: a quarter of the room at a
time, counted from the start of the talk, and between two moves the beginning stays what it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from ..domain import Turn

TURN_OVERHEAD_TOKENS = 8  # role and separators, a little more than any known template takes
PICTURE_TOKENS = 1600  # of one image: about what the most expensive vendors count
ANSWER_SHARE = 4  # a window's part that is kept free for an answer of unknown length
STEPS = 4  # the cut moves by so much of the room: one part of this many
LEAST_CHARS = 8  # of a token, in any text that means something


def estimate_tokens(text: str) -> int:
    """About how many tokens a text is: three ASCII characters, or half another one, to a token."""
    plain = len(text) if text.isascii() else len(text.encode("ascii", "ignore"))
    return plain // 3 + 2 * (len(text) - plain) + 1


def room(window: int, most_output: int, wanted: int | None) -> int | None:
    """How many tokens a prompt may have, of a window in tokens (0: not known, so no bound): the
    rest is the answer's, which is as long as is `wanted`, else a share of the window."""
    if not window:
        return None
    share = window // ANSWER_SHARE
    answer = wanted if wanted is not None else min(most_output or share, share)
    return max(window - answer, window // STEPS)


def fit(turns: Sequence[Turn], max_tokens: int | None) -> tuple[tuple[Turn, ...], int]:
    """The turns that fit and how many were dropped. None means: everything fits."""
    if max_tokens is None:
        return tuple(turns), 0
    head = next((i for i, turn in enumerate(turns) if turn.role != "system"), len(turns))
    talk = turns[head:]
    costs = [_cost(turn) for turn in turns]
    over = sum(costs) - max_tokens
    if over <= 0:
        return tuple(turns), 0
    cut = _cut(talk, costs[head:], over, max(1, max_tokens // STEPS))
    return (*turns[:head], *talk[cut:]), cut


def hopeless(turns: Sequence[Turn], max_tokens: int | None) -> bool:
    """Whether the turns that are left cannot fit, however kindly one counts."""
    if max_tokens is None:
        return False
    return sum(len(turn.content) for turn in turns) // LEAST_CHARS > max_tokens


def _cut(talk: Sequence[Turn], costs: Sequence[int], over: int, step: int) -> int:
    """How many turns to drop for at least `over` tokens: whole exchanges, up to a whole number of
    steps or not much further; as few as will do where exchanges are longer than steps; all but the
    last one if that is not enough."""
    questions = [i for i, turn in enumerate(talk) if i > 0 and turn.role == "user"]
    dropped = [0, *accumulate(costs)]
    goal = -(-over // step) * step
    enough = (i for i in questions if goal <= dropped[i] <= goal + step)
    just = (i for i in questions if dropped[i] >= over)
    return next(enough, next(just, questions[-1] if questions else 0))


def _cost(turn: Turn) -> int:
    calls = sum(estimate_tokens(call.name + call.arguments) for call in turn.calls)
    pictures = PICTURE_TOKENS * len(turn.pictures)
    return estimate_tokens(turn.content) + calls + pictures + TURN_OVERHEAD_TOKENS
