"""The transactions that do something with a question again, each beside what was there.

    1 ── 2 ── 3 ── 4          regenerate 4 ─▶ 5, a sibling of 4        continue 4 ─▶ the same, begun
         ├──── 5                    edit 3 ─▶ 6, a sibling of 3, and 7, its answer

Nothing is changed and nothing is lost: the old question and the old answer are on other branches.
Functions here run inside one write transaction, as those of turns.py do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from ..domain import LIVE, Message, Said
from ..errors import Conflict, Invalid
from ..store import messages, sessions
from ..store.database import Connection
from ..store.messages import Place
from .briefs import Rules
from .turns import (
    Opening,
    Stamp,
    Wish,
    new_message,
    opened,
    planned,
    remember_choice,
    replayed,
    require_idle,
)

CONTINUABLE = ("interrupted", "cancelled", "failed")


@dataclass(frozen=True, slots=True)
class Edit:
    """A question as it is to be asked instead. The files of the old one stay if none are named
    (`keeps_files`)."""

    message_id: int
    said: Said
    wish: Wish
    keeps_files: bool = True


def open_edit(conn: Connection, edit: Edit, rules: Rules, stamp: Stamp) -> Opening:
    """A sibling of a question, and its answer. Raises NotFound, Invalid `not_a_question` or
    `no_question`, Unavailable, or GenerationActive."""
    if known := replayed(conn, edit.wish.once):
        return known
    message = messages.get(conn, edit.message_id)
    said = _said_instead(edit, message)
    session = sessions.get(conn, message.session_id)
    plans = planned(edit.wish, session, rules, stamp)
    require_idle(conn, session.id)
    remember_choice(conn, session, plans[0])
    history = messages.branch(conn, message.parent_id)
    place = Place.under(history[-1]) if history else Place(session.id)
    question = messages.append(conn, place, new_message(conn, said), stamp.at)
    return opened(conn, plans, [*history, question], rules)


def _said_instead(edit: Edit, message: Message) -> Said:
    if message.role != "user":
        raise Invalid(
            f"message {message.id} is not a question, so it cannot be edited: name a user's",
            code="not_a_question",
        )
    said = edit.said
    if edit.keeps_files:
        files = tuple(file.id for file in message.attachments)
        said = msgspec.structs.replace(said, files=files)
    if not (said.content.strip() or said.files):
        raise Invalid(
            "the question would be empty: say something, or name a file", code="no_question"
        )
    return said


def open_regeneration(
    conn: Connection, message_id: int, wish: Wish, rules: Rules, stamp: Stamp
) -> Opening:
    """A sibling of an answer: the same question, asked again."""
    if known := replayed(conn, wish.once):
        return known
    message, history = _answer_to_replace(conn, message_id, "regenerated")
    session = sessions.get(conn, message.session_id)
    plans = planned(_same_again(wish, message), session, rules, stamp)
    require_idle(conn, session.id)
    remember_choice(conn, session, plans[0])
    return opened(conn, plans, history, rules)


def open_continuation(
    conn: Connection, message_id: int, wish: Wish, rules: Rules, stamp: Stamp
) -> Opening:
    """A sibling of a cut answer that begins with what it has and goes on from there."""
    if known := replayed(conn, wish.once):
        return known
    message, history = _answer_to_replace(conn, message_id, "continued")
    if message.status not in CONTINUABLE and message.finish_reason != "length":
        if message.status in LIVE:
            require_idle(conn, message.session_id)
        raise Conflict(
            f"message {message_id} is complete: there is nothing to continue",
            code="nothing_to_continue",
        )
    session = sessions.get(conn, message.session_id)
    plans = planned(_same_again(wish, message), session, rules, stamp)
    require_idle(conn, session.id)
    return opened(conn, plans, history, rules, message)


def _answer_to_replace(
    conn: Connection, message_id: int, verb: str
) -> tuple[Message, Sequence[Message]]:
    message = messages.get(conn, message_id)
    if message.role != "assistant":
        raise Invalid(
            f"message {message_id} is not an answer, so it cannot be {verb}: name an assistant's",
            code="not_an_answer",
        )
    return message, messages.branch(conn, message.parent_id)


def _same_again(wish: Wish, message: Message) -> Wish:
    """Ask whom the message was asked of, unless the wish says otherwise."""
    named = wish.provider or wish.model or wish.turn_provider or wish.turn_model or wish.models
    if named or message.provider is None:
        return wish
    return replace(wish, turn_provider=message.provider, turn_model=message.model)
