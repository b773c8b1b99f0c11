"""The transaction that cuts a conversation, once nobody answers in it.

It changes nothing and names the live generation in its way, if there is one; else it does its work
and gives None.
"""

from __future__ import annotations

from datetime import datetime

from ..errors import Conflict
from ..store import branches, generations, messages, sessions
from ..store.database import Connection


def truncate(conn: Connection, session_id: int, message_id: int, at: datetime) -> str | None:
    """Take a message and all after it off the active branch; the rows stay. Raises NotFound, or
    Conflict `not_on_branch`."""
    session = sessions.get(conn, session_id)
    message = branches.of_session(conn, session_id, message_id)
    if all(one.id != message_id for one in messages.branch(conn, session.leaf_id)):
        raise Conflict(
            f"message {message_id} is not on the active branch: it was cut off before",
            code="not_on_branch",
        )
    live = generations.live_in(conn, session_id)
    if live is None:
        sessions.move_leaf(conn, session_id, message.parent_id, at)
    return None if live is None else live.id
