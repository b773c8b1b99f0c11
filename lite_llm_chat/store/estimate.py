"""What an answer took that nobody finished counting: by its rows, after a crash.

    the messages before it ─▶ input        its log ─▶ output        both by our own count

Less is known here than while it ran: a system prompt and tools are not stored, and what a continued
answer began with counts as output.
"""

from __future__ import annotations

from sqlalchemy import Connection

from ..domain import Answer, Reasoning, Text, ToolCall, Usage
from ..domain.tally import quarters, texts_quarters, tokens
from .bare import run

_BEFORE = (
    "WITH RECURSIVE path (id) AS (SELECT m.parent_id FROM generations AS g"
    " JOIN chat_messages AS m ON m.id = g.message_id WHERE g.id = ? AND g.status = 'running'"
    " UNION ALL SELECT m.parent_id"
    " FROM path JOIN chat_messages AS m ON m.id = path.id WHERE m.parent_id IS NOT NULL)"
    " SELECT content FROM path JOIN chat_messages AS m ON m.id = path.id"
)


def estimate(conn: Connection, generation_id: str, answer: Answer) -> Usage | None:
    """The tokens of a running generation whose log says so much; None if no piece of it came, or
    if it does not run: then nothing is known."""
    before = [content for (content,) in run(conn, _BEFORE, (generation_id,))]
    if not before:
        return None
    said = sum(map(quarters, _texts(answer)))
    return Usage(tokens(texts_quarters(before)), output=tokens(said), estimated=True)


def _texts(answer: Answer) -> list[str]:
    if not answer.parts:
        return [answer.reasoning, answer.text]
    texts = [part.text for part in answer.parts if isinstance(part, Text | Reasoning)]
    calls = [one.name + one.arguments for one in answer.parts if isinstance(one, ToolCall)]
    return texts + calls
