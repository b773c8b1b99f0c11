"""How an answer may end, and how long it may take: from what the vendor did and what was asked.

calls of the vendor ─┐
cancel, kill, full disk ─┼─▶ the endings that are right ─▶ complaints
the clock ───────────┘
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from itertools import pairwise

from lite_llm_chat.domain import Text
from tests.durability.oracle import Log

from .facts import Asked
from .model import Answer, spoken
from .world import POLICY, Call

Ending = tuple[str, str | None]

ALMOST_S = 1e-6  # what the clock's arithmetic may lose
ANSWERS_S = 1.0  # what the server itself may take
LONGEST_PAUSE_S = 20.0
FIRST_S = POLICY.first_piece_s or 0.0
FIXED: dict[str, Ending] = {
    "finish": ("completed", None),
    "cut": ("failed", "upstream_truncated"),
    "defect": ("failed", "internal_error"),
}
BY_FORCE: dict[str, Ending] = {
    "cancel": ("cancelled", None),
    "storage": ("interrupted", "storage_unavailable"),
    "shutdown": ("interrupted", "server_stopped"),
    "kill": ("interrupted", "server_stopped"),
}


def says(log: Log, answer: Answer, calls: Sequence[Call], ends: Set[str]) -> list[str]:
    """I4: a log says what the vendor said, letter by letter: all of it once it has ended, and the
    beginning of it while it runs, or if its process was killed."""
    pieces = [piece for call in calls for piece in call.said]
    names = [("text" if isinstance(piece, Text) else "reasoning", piece.text) for piece in pieces]
    told = spoken((kind, data) for _, kind, data in log.events if kind in ("text", "reasoning"))
    wanted = spoken([*answer.begins, *names])
    whole = not log.live and "kill" not in ends
    right = told == (wanted if whole else wanted[: len(told)])
    return [] if right else [f"I4: {log.id} ({log.status}) says {told}, not {wanted}"]


def ended(log: Log, asked: Asked, calls: Sequence[Call], ends: Set[str]) -> list[str]:
    """I9, I16: the one ending that the vendor's last word calls for, or one that was forced."""
    allowed = {BY_FORCE[force] for force in ends}
    found = []
    if calls:
        last = calls[-1]
        allowed |= _by_vendor(last, calls)
        if last.outcome == "open":
            found.append(f"I9: {log.id} has ended, and the vendor is still listened to")
        if _given_up_early(calls) and not ends:
            found.append(f"I16: {log.id} was given up after {len(calls)} tries")
        if log.status == "completed" and last.finish and asked.reason != last.finish.reason:
            found.append(f"I4: {log.id} ended by {asked.reason}, not {last.finish.reason}")
    if (log.status, log.code) not in allowed:
        found.append(f"I16: {log.id} ended as {log.status} {log.code}, not as any of {allowed}")
    return found


def _by_vendor(last: Call, calls: Sequence[Call]) -> set[Ending]:
    grew = sum(len(piece.text.encode()) for piece in last.said) > POLICY.answer_bytes
    if last.outcome in FIXED and not grew:
        return {FIXED[last.outcome]}
    if last.outcome != "closed" and not grew:
        return {("failed", last.outcome)}
    late: set[Ending] = set()
    if _was_silent(last) or _lasted(calls[0].began_at, last, POLICY.total_s):
        late.add(("failed", "upstream_timeout"))
    if grew:
        late.add(("failed", "answer_too_long"))
    return late


def _was_silent(call: Call) -> bool:
    patience_s = POLICY.idle_s if call.said else FIRST_S
    return _lasted(call.heard_at, call, patience_s)


def _lasted(since_s: float, call: Call, at_least_s: float) -> bool:
    return call.closed_at is not None and call.closed_at - since_s >= at_least_s - ALMOST_S


def _given_up_early(calls: Sequence[Call]) -> bool:
    """Whether the vendor would have had to be asked once more."""
    last = calls[-1]
    may = last.outcome == "cut" or (last.fault is not None and last.fault.retryable)
    if not may or last.said or len(calls) > POLICY.retries or last.closed_at is None:
        return False
    wished_s = last.fault.retry_after_s if last.fault else None
    pause_s = wished_s or 0.75 * 0.5 * 2 ** (len(calls) - 1)
    in_time = last.closed_at + pause_s - calls[0].began_at < POLICY.retry_window_s
    return in_time and pause_s <= LONGEST_PAUSE_S


def repeated(calls: Sequence[Call]) -> list[str]:
    """I7, I12: one call at a time, and none after a piece."""
    found = []
    for one, following in pairwise(calls):
        if one.said:
            found.append(f"I12: wish {one.number} was asked again after {one.said}")
        if one.closed_at is None or one.closed_at > following.began_at:
            found.append(f"I7: two calls at a time serve wish {one.number}")
        if one.prompt is not following.prompt:
            found.append(f"I12: wish {one.number} was asked again with another prompt")
    return found


def overdue(log: Log, calls: Sequence[Call], now_s: float, began_s: float) -> list[str]:
    """I16: nothing that runs outlives its timers."""
    due_s = began_s
    if calls and calls[-1].outcome == "open":
        last = calls[-1]
        patience_s = POLICY.idle_s + min(1.0, POLICY.idle_s / 8) if last.said else FIRST_S
        due_s = min(last.heard_at + patience_s, calls[0].began_at + POLICY.total_s)
    elif calls:
        due_s = (calls[-1].closed_at or 0.0) + LONGEST_PAUSE_S
    if now_s <= due_s + ANSWERS_S:
        return []
    return [f"I16: {log.id} is {log.status} at {now_s:g} s, due at {due_s:g} s"]
