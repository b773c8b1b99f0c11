"""What a provider said, as a turn of the next prompt.

pieces ─▶ turn_of ─▶ Turn        parts ─▶ said ─▶ Turn        a call ─▶ result ─▶ Turn
"""

from __future__ import annotations

from collections.abc import Iterable

from lite_llm_chat.domain import Attachment, Finish, Part, Piece, ToolCall, Turn, Working, fold


def said(parts: Iterable[Part]) -> Turn:
    """The turn of an answer, as the next prompt has it."""
    answer = fold(part for part in parts if not isinstance(part, Attachment))
    return Turn("assistant", answer.text, answer.reasoning or None, answer.parts)


def turn_of(pieces: Iterable[Piece]) -> Turn:
    """The same, of what a provider said."""
    return said(piece for piece in pieces if not isinstance(piece, Finish | Working))


def result(call: ToolCall, content: str, *, failed: bool = False) -> Turn:
    """What a tool gave for a call."""
    return Turn("tool", content, call_id=call.id, failed=failed)
