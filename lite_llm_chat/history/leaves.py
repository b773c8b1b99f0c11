"""Which branch of a session is shown: its leaf is moved, by whoever knows where it is.

PUT leaf {message, expected} ─▶ nobody answers? ─▶ the leaf is where it was? ─▶ moved
"""

from __future__ import annotations

from dataclasses import dataclass

from ..asking.turns import require_idle
from ..domain import Session
from ..errors import Conflict
from ..store import branches, sessions
from ..store.database import Connection


@dataclass(frozen=True, slots=True)
class Step:
    """Where to: to the newest message behind `message_id`, or to that one (`exact`). With
    `compares` only if the leaf is `expected_id` still (None: the branch is empty)."""

    message_id: int
    exact: bool = False
    compares: bool = False
    expected_id: int | None = None


def move(conn: Connection, session_id: int, step: Step) -> Session:
    """The session with another branch, or the same, as its active one. It keeps its place in the
    list: nothing was said. Raises NotFound, Conflict `leaf_moved`, or GenerationActive."""
    session = sessions.get(conn, session_id)
    message = branches.of_session(conn, session_id, step.message_id)
    require_idle(conn, session_id)
    if step.compares and session.leaf_id != step.expected_id:
        raise Conflict(
            f"the active branch of session {session_id} ends in {session.leaf_id or 'nothing'}"
            " by now: look at it, then move it from there",
            code="leaf_moved",
            leaf_id=session.leaf_id,
        )
    leaf_id = message.id if step.exact else branches.below(conn, message.id)
    sessions.move_leaf(conn, session_id, leaf_id, session.updated_at)
    return sessions.get(conn, session_id)
