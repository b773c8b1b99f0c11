"""What waits for a person: the calls in the logs of answers that wait.

    generations.waiting ──▶ their logs: tool_call, approval ──▶ Asked(call, state), in their order

Whether an answer waits is a column; about what it waits, its events say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from ..domain import Approval, ApprovalState, Generation, ToolCall
from . import generations
from .bare import run
from .codec import row_to_body

_CALLS = (
    "SELECT kind, data FROM events WHERE generation_id = ? AND kind IN ('tool_call', 'approval')"
    " ORDER BY seq"
)
_WAITING = (
    "SELECT id FROM generations WHERE waiting AND status IN ('queued', 'running') AND id > ?"
    " ORDER BY id LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A call of an answer, and how it stands with a person; None: nobody was ever asked."""

    call: ToolCall
    state: ApprovalState | None = None


def calls(conn: Connection, generation_id: str) -> Sequence[Asked]:
    """The calls of an answer, in their order."""
    found: dict[str, Asked] = {}
    for kind, data in run(conn, _CALLS, (generation_id,)):
        match row_to_body(kind, data):
            case ToolCall() as call:
                found[call.id] = Asked(call)
            case Approval() as approval if approval.call_id in found:
                found[approval.call_id] = Asked(found[approval.call_id].call, approval.state)
            case _:
                pass
    return list(found.values())


def still_open(conn: Connection, generation_id: str) -> Sequence[ToolCall]:
    """The calls about which a person has to decide."""
    return [one.call for one in calls(conn, generation_id) if one.state == "asked"]


def waiting(
    conn: Connection, after: str, most: int
) -> Sequence[tuple[Generation, Sequence[ToolCall]]]:
    """The answers that wait, oldest first, from the one after an id."""
    ids = [generation_id for (generation_id,) in run(conn, _WAITING, (after, most))]
    return [(generations.get(conn, one), still_open(conn, one)) for one in ids]
