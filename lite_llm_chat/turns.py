"""The transactions that open an answer: what is asked becomes rows, all or nothing.

    Ask ─▶ idempotency ─▶ session ─▶ nobody else answers? ─▶ question(s) appended to the branch
                                                                     │
              Opening ◀── prompt ◀── history ◀── generation, placeholder, event 1

A question, a second try (regenerate) and a continuation differ only in what they put on the
branch; they share everything else. Functions here run inside one write transaction and may run
twice; they touch nothing but the connection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from . import context
from .catalog import Catalog, Choice
from .domain import (
    LIVE,
    Answer,
    Event,
    Generation,
    Message,
    Options,
    Prompt,
    Reasoning,
    Said,
    Session,
    Started,
    Text,
    Ticket,
    Turn,
)
from .errors import Conflict, Invalid
from .store import generations, idempotency, messages, sessions
from .store.database import Connection
from .store.idempotency import Once
from .store.messages import Place

TITLE_LENGTH = 60  # characters of a question that become a session's first title
CONTINUABLE = ("interrupted", "cancelled", "failed")


class GenerationActive(Conflict):
    """The session is being answered already."""

    def __init__(self, session_id: int, generation_id: str) -> None:
        super().__init__(
            f"session {session_id} is being answered: stop that answer first, or say with"
            " on_active what should happen to it",
            code="generation_active",
            generation_id=generation_id,
        )
        self.generation_id = generation_id


@dataclass(frozen=True, slots=True)
class Wish:
    """How to answer, whatever is asked. `provider` and `model` become the session's own;
    `turn_provider` and `turn_model` are for this answer only."""

    provider: str | None = None
    model: str | None = None
    turn_provider: str | None = None
    turn_model: str | None = None
    options: Options = Options()
    system_prompt: str | None = None
    warnings: tuple[str, ...] = ()
    once: Once | None = None


@dataclass(frozen=True, slots=True)
class Ask:
    """A question: in a session (None: a new one), with what was said, oldest first."""

    said: tuple[Said, ...]
    wish: Wish
    session_id: int | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """What the transaction made. `prompt` is None for a replayed request: nothing is started."""

    ticket: Ticket
    generation: Generation | None = None
    prompt: Prompt | None = None
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """What the transactions need to know of the providers: who serves a name, whether that
    provider can answer (raises if not), and which options it has no use for."""

    catalog: Catalog
    require: Callable[[str], None]
    ignored: Callable[[Choice, Options], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Plan:
    """Everything decided before rows are written. `own` is who answers in the session from now
    on, `choice` who answers this turn."""

    wish: Wish
    own: Choice
    choice: Choice
    options: Options
    generation_id: str
    at: datetime


def open_question(
    conn: Connection, ask: Ask, rules: Rules, generation_id: str, at: datetime
) -> Opening:
    """Append the question and start its answer. Raises NotFound, Invalid, Unavailable, or
    GenerationActive."""
    if replayed := _replayed(conn, ask.wish.once):
        return replayed
    session = None if ask.session_id is None else sessions.get(conn, ask.session_id)
    plan = _plan(ask.wish, session, rules, generation_id, at)
    if session is None:
        title = ask.title or title_of(ask.said)
        session = sessions.create(conn, title, plan.own.provider, plan.own.model, at)
    else:
        _require_question(ask.said)  # what cannot be taken stops no answer
        _require_idle(conn, session.id)
        _remember_choice(conn, session, plan)
    branch = messages.branch(conn, session.leaf_id)
    common, fresh = match_transcript(branch, ask.said)
    place = Place.under(branch[common - 1]) if common else Place(session.id)
    history = list(branch[:common])
    for said in fresh:
        history.append(messages.append(conn, place, said, at))
        place = Place.under(history[-1])
    return _open(conn, plan, history, rules)


def open_regeneration(
    conn: Connection, message_id: int, wish: Wish, rules: Rules, stamp: tuple[str, datetime]
) -> Opening:
    """A sibling of an answer: the same question, asked again. `stamp` is a fresh generation id
    and the moment."""
    if replayed := _replayed(conn, wish.once):
        return replayed
    message, history = _answer_to_replace(conn, message_id, "regenerated")
    session = sessions.get(conn, message.session_id)
    plan = _plan(_same_again(wish, message), session, rules, *stamp)
    _require_idle(conn, session.id)
    _remember_choice(conn, session, plan)
    return _open(conn, plan, history, rules)


def open_continuation(
    conn: Connection, message_id: int, wish: Wish, rules: Rules, stamp: tuple[str, datetime]
) -> Opening:
    """A sibling of a cut answer that begins with what it has and goes on from there."""
    if replayed := _replayed(conn, wish.once):
        return replayed
    message, history = _answer_to_replace(conn, message_id, "continued")
    if message.status not in CONTINUABLE and message.finish_reason != "length":
        if message.status in LIVE:
            _require_idle(conn, message.session_id)
        raise Conflict(
            f"message {message_id} is complete: there is nothing to continue",
            code="nothing_to_continue",
        )
    session = sessions.get(conn, message.session_id)
    plan = _plan(_same_again(wish, message), session, rules, *stamp)
    _require_idle(conn, session.id)
    prefix = Answer(text=message.content, reasoning=message.reasoning or "")
    return _open(conn, plan, history, rules, prefix if prefix.text else None)


# ── the parts they share ──────────────────────────────────────────────────────────────────────


def _replayed(conn: Connection, once: Once | None) -> Opening | None:
    generation_id = None if once is None else idempotency.find(conn, once)
    if generation_id is None:
        return None
    found = generations.get(conn, generation_id)
    return Opening(Ticket(found.session_id, found.id, found.message_id, True, found.warnings))


def _plan(
    wish: Wish, session: Session | None, rules: Rules, generation_id: str, at: datetime
) -> _Plan:
    home = None if session is None else (session.provider, session.model)
    own = rules.catalog.choose(wish.provider, wish.model, home)
    choice = own
    if wish.turn_provider is not None or wish.turn_model is not None:
        home = own.provider, own.model
        choice = rules.catalog.choose(wish.turn_provider, wish.turn_model, home)
    rules.require(choice.provider)
    options = wish.options
    if options.thinking is None and options.effort is None:
        options = replace(options, thinking=choice.thinking)
    return _Plan(wish, own, choice, options, generation_id, at)


def _require_idle(conn: Connection, session_id: int) -> None:
    live = generations.live_in(conn, session_id)
    if live is not None:
        raise GenerationActive(session_id, live.id)


def _remember_choice(conn: Connection, session: Session, plan: _Plan) -> None:
    own = plan.own
    if (session.provider, session.model) != (own.provider, own.model):
        values = {"provider": own.provider, "model": own.model}
        sessions.change(conn, session.id, plan.at, values)


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
    named = wish.provider or wish.model or wish.turn_provider or wish.turn_model
    if named or message.provider is None:
        return wish
    return replace(wish, turn_provider=message.provider, turn_model=message.model)


def _open(
    conn: Connection,
    plan: _Plan,
    history: Sequence[Message],
    rules: Rules,
    prefix: Answer | None = None,
) -> Opening:
    """The placeholder, the generation, event 1 and the idempotency record; then the prompt."""
    parent, at = history[-1], plan.at
    empty = Said("assistant", "")
    answer = messages.append(conn, Place.under(parent), empty, at, plan.generation_id)
    turns, dropped = context.fit(
        _turns(plan.wish.system_prompt, history), plan.choice.max_prompt_tokens
    )
    warnings = (*plan.wish.warnings, *_warnings(plan, rules, dropped))
    generation = Generation(
        plan.generation_id,
        parent.session_id,
        answer.id,
        plan.choice.provider,
        plan.choice.model,
        "queued",
        plan.options,
        at,
        warnings,
    )
    started = Started(
        parent.session_id, answer.id, plan.choice.provider, plan.choice.model, warnings
    )
    events = _opening_events(plan.generation_id, started, prefix)
    generations.open_log(conn, generation, events)
    sessions.move_leaf(conn, parent.session_id, answer.id, at)
    if plan.wish.once is not None:
        idempotency.keep(conn, plan.wish.once, plan.generation_id, at)
    ticket = Ticket(parent.session_id, plan.generation_id, answer.id, warnings=warnings)
    prompt = Prompt(plan.choice.served, turns, plan.options, prefix)
    return Opening(ticket, generation, prompt, events)


def _opening_events(
    generation_id: str, started: Started, prefix: Answer | None
) -> tuple[Event, ...]:
    bodies: list[Started | Reasoning | Text] = [started]
    if prefix is not None:
        if prefix.reasoning:
            bodies.append(Reasoning(prefix.reasoning))
        bodies.append(Text(prefix.text))
    return tuple(Event(generation_id, seq, body) for seq, body in enumerate(bodies, start=1))


def _turns(system_prompt: str | None, history: Sequence[Message]) -> list[Turn]:
    """The history as a prompt; answers that never said anything are left out."""
    head = [Turn("system", system_prompt)] if system_prompt else []
    return head + [
        Turn(message.role, message.content, message.reasoning)
        for message in history
        if message.content or message.role != "assistant"
    ]


def _warnings(plan: _Plan, rules: Rules, dropped: int) -> list[str]:
    choice = plan.choice
    warnings = [
        f"{name}: {choice.model} has no use for it, so it was ignored"
        for name in rules.ignored(choice, plan.options)
    ]
    if dropped:
        warnings.append(
            f"the oldest {dropped} messages were left out: they do not fit into the context"
            f" window of {choice.model}"
        )
    return warnings


def match_transcript(branch: Sequence[Message], said: Sequence[Said]) -> tuple[int, Sequence[Said]]:
    """How much of the branch stays, and what is appended after it.

    Without assistant messages everything is new. With them the body is a transcript: it must
    match the branch from its start as far as its last assistant message; what follows the match
    is new. Raises Invalid `transcript_mismatch` or `no_question`.
    """
    _require_question(said)
    if all(one.role != "assistant" for one in said):
        return len(branch), said
    common = 0
    for stored, one in zip(branch, said, strict=False):
        if (stored.role, stored.content) != (one.role, one.content):
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


def _require_question(said: Sequence[Said]) -> None:
    if not said or said[-1].role != "user":
        raise Invalid(
            "the last message must be the user's: there is nothing to answer",
            code="no_question",
        )


def title_of(said: Sequence[Said]) -> str:
    """The first words of the first question, at most TITLE_LENGTH characters."""
    question = next((one.content for one in said if one.role == "user"), "")
    words = " ".join(question.split())
    if len(words) <= TITLE_LENGTH:
        return words or "New chat"
    head = words[:TITLE_LENGTH]
    return (head.rsplit(" ", 1)[0] if " " in head[20:] else head) + "…"
