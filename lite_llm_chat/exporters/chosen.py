"""Which messages of a session, in which order. Pure.

the tree ─┬─ its active branch, oldest first        path
          └─ all of it, branch by branch            walk ─▶ Step (a message, and which of several)
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from ..store.records import Head


class Step(NamedTuple):
    """A message of a walk. `choice` is (which, of how many) where it has siblings; `back` if
    the one before it in the walk is not its parent."""

    id: int
    choice: tuple[int, int] | None = None
    back: bool = False


def number(ids: Sequence[int], message_id: int) -> int | None:
    """Which of the messages this is, counted from 1; None if it is none of them. `ids` grow."""
    at = bisect_left(ids, message_id)
    return at + 1 if at < len(ids) and ids[at] == message_id else None


def path(head: Head, leaf_id: int | None) -> list[int]:
    """The branch that ends in a message, oldest first; empty for None or a foreign message."""
    branch: list[int] = []
    at = leaf_id and number(head.ids, leaf_id)
    while at:
        branch.append(head.ids[at - 1])
        at = number(head.ids, head.parents[at - 1])
    return branch[::-1]


def walk(head: Head) -> list[Step]:
    """Every message behind its parent, each branch to its end before the next one begins."""
    children: dict[int, list[int]] = {}
    for message_id, parent_id in zip(head.ids, head.parents, strict=True):
        children.setdefault(parent_id, []).append(message_id)
    steps: list[Step] = []
    waiting = _steps(children.get(0, ()))
    while waiting:
        step = waiting.pop()
        steps.append(step)
        waiting += _steps(children.get(step.id, ()))
    return steps


def _steps(siblings: Sequence[int]) -> list[Step]:
    """The siblings, the last one first."""
    many = len(siblings)
    steps = [
        Step(one, (at, many) if many > 1 else None, at > 1) for at, one in enumerate(siblings, 1)
    ]
    return steps[::-1]
