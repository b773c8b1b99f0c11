"""What a request says was said, held against what is stored: matched, never trusted.

    branch  1 2 3 4 ─┐
    said    1 2 3 X ─┴─▶ (3 stay, X is new)        a body without assistant messages is all new

Pure: no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..domain import Message, Said, ToolCall, ToolResult
from ..errors import Invalid

TITLE_LENGTH = 60  # characters of a question that become a session's first title


def match_transcript(branch: Sequence[Message], said: Sequence[Said]) -> tuple[int, Sequence[Said]]:
    """How much of the branch stays, and what is appended after it.

    Without assistant messages everything is new. With them the body is a transcript: it must
    match the branch from its start as far as its last assistant message; what follows the match
    is new. Raises Invalid `transcript_mismatch`, `no_question` or `tool_call_mismatch`.
    """
    require_question(said)
    common, fresh = _matched(branch, said)
    _require_results(branch[:common], fresh)
    return common, fresh


def _matched(branch: Sequence[Message], said: Sequence[Said]) -> tuple[int, Sequence[Said]]:
    if all(one.role != "assistant" for one in said):
        return len(branch), said
    common = 0
    for stored, one in zip(branch, said, strict=False):
        if not _alike(stored, one):
            break
        common += 1
    fresh = said[common:]
    if any(one.role == "assistant" for one in fresh):
        raise Invalid(
            f"message {common + 1} of the transcript is not what is stored: send only what is"
            " new, or the stored messages unchanged",
            code="transcript_mismatch",
        )
    if not fresh:
        raise Invalid(
            "every message of the transcript is stored already: send a new one, or regenerate"
            " the last answer",
            code="no_question",
        )
    return common, fresh


def _alike(stored: Message, one: Said) -> bool:
    if (stored.role, stored.content, stored.call_id) != (one.role, one.content, one.call_id):
        return False
    if one.files and one.files != tuple(file.id for file in stored.attachments):
        return False
    return not one.calls or one.calls == open_calls(stored)


def open_calls(message: Message) -> tuple[ToolCall, ...]:
    """The calls in an answer that nothing in the answer itself has a result for."""
    done = {part.call_id for part in message.parts if isinstance(part, ToolResult)}
    return tuple(call for call in message.calls if call.id not in done)


def require_question(said: Sequence[Said]) -> None:
    """Raises Invalid `no_question`."""
    if not said or said[-1].role not in ("user", "tool"):
        raise Invalid(
            "the last message must be the user's, or a tool's result: there is nothing to answer",
            code="no_question",
        )


def _require_results(branch: Sequence[Message], fresh: Sequence[Said]) -> None:
    """Results answer the calls of the last answer, each once; where a result is the last word,
    every call has one. Raises Invalid `tool_call_mismatch`."""
    waiting, given = _still_open(branch)
    for one in fresh:
        if one.role != "tool":
            waiting, given = {}, set()
            continue
        if one.call_id in given:
            raise _mismatch(f"the call {one.call_id!r} has a result already")
        if one.call_id not in waiting:
            raise _mismatch(f"the last answer has no call {one.call_id!r}")
        del waiting[one.call_id]
        given.add(one.call_id)
    if fresh[-1].role == "tool" and waiting:
        raise _mismatch(f"results are missing for {', '.join(map(repr, waiting))}")


def _still_open(branch: Sequence[Message]) -> tuple[dict[str | None, str], set[str | None]]:
    """The calls at the end of a branch that still want a result, and those that have one."""
    given: set[str | None] = set()
    for message in reversed(branch):
        if message.role == "tool":
            given.add(message.call_id)
            continue
        calls = open_calls(message) if message.role == "assistant" else ()
        return {call.id: call.name for call in calls if call.id not in given}, given
    return {}, given


def _mismatch(what: str) -> Invalid:
    return Invalid(
        f"{what}: send one message with role tool and the tool_call_id of each call of the last"
        " answer",
        code="tool_call_mismatch",
    )


def title_of(said: Sequence[Said]) -> str:
    """The first words of the first question, at most TITLE_LENGTH characters."""
    question = next((one.content for one in said if one.role == "user"), "")
    words = " ".join(question.split())
    if len(words) <= TITLE_LENGTH:
        return words or "New chat"
    head = words[:TITLE_LENGTH]
    return (head.rsplit(" ", 1)[0] if " " in head[20:] else head) + "…"
