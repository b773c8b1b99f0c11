"""The transactions that open an answer: what is asked becomes rows, all or nothing.

    Ask ─▶ idempotency ─▶ session ─▶ nobody else answers? ─▶ question(s) appended to the branch
                                                                     │
              Opening ◀── prompt ◀── history ◀── generation, placeholder, event 1

A question, and what is done with one again (again.py), differ only in what they put on the branch;
they share everything else. Several models that answer one question are so many plans: each gets a
generation and a message of its own, side by side. Functions here run inside one write transaction
and may run twice; they touch nothing but the connection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import NamedTuple

from ..catalog import Choice
from ..domain import (
    Attachment,
    Event,
    Generation,
    Message,
    Offer,
    Options,
    Part,
    PresetVersion,
    Prompt,
    Said,
    Session,
    Started,
    Ticket,
    Tool,
)
from ..errors import Conflict, Invalid
from ..store import (
    files,
    generations,
    idempotency,
    messages,
    presets,
    sessions,
    summaries,
)
from ..store.database import Connection
from ..store.idempotency import Once
from ..store.messages import Place
from ..store.sessions import Titled
from ..tools.base import Wanted, chosen, vain
from .briefs import Brief, Rules, briefed
from .manners import Manners, changed, for_choice, home_of, merged
from .prompts import LeftOut, closed, parts_of
from .transcript import match_transcript, require_question, title_of


class GenerationActive(Conflict):
    """The session is being answered already: by several models, if its question was put to
    them."""

    def __init__(self, session_id: int, generation_ids: Sequence[str]) -> None:
        super().__init__(
            f"session {session_id} is being answered: stop that answer first, or say with"
            " on_active what should happen to it",
            code="generation_active",
            generation_id=generation_ids[0],
        )
        self.generation_ids = generation_ids


@dataclass(frozen=True, slots=True)
class Wish:
    """How to answer, whatever is asked. `provider` and `model` become the session's own;
    `turn_provider` and `turn_model` are for this answer only. A system prompt of "" is none, None
    is the session's."""

    provider: str | None = None
    model: str | None = None
    turn_provider: str | None = None
    turn_model: str | None = None
    options: Options = Options()
    system_prompt: str | None = None
    warnings: tuple[str, ...] = ()
    once: Once | None = None
    fallback: tuple[str, ...] | None = None  # `provider/model`, in their order; None: as usual
    server_tools: Wanted = True
    models: tuple[str, ...] = ()  # `provider/model`, or a model's name

    @property
    def answers(self) -> int:
        """How many there will be."""
        return max(1, len(self.models))


class Stamp(NamedTuple):
    """Fresh ids, one for each answer that is wished for, and the moment."""

    generation_ids: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Ask:
    """A question: in a session (None: a new one), with what was said, oldest first."""

    said: tuple[Said, ...]
    wish: Wish
    session_id: int | None = None
    title: str | None = None
    preset: PresetVersion | None = None  # that a new session begins with


@dataclass(frozen=True, slots=True)
class Fallback:
    """Somebody else who may answer, and what would be asked of that one, with its warnings."""

    choice: Choice
    ask: Callable[[], tuple[Prompt, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Opening:
    """What the transaction made. `prompt` is None for a replayed request: nothing is started.
    `others` are asked if the first one cannot answer; `left_out` did not fit. `beside`: the
    same of each other model that the question was put to."""

    ticket: Ticket
    generation: Generation | None = None
    prompt: Prompt | None = None
    events: tuple[Event, ...] = ()
    others: tuple[Fallback, ...] = ()
    left_out: LeftOut | None = None
    beside: tuple[Opening, ...] = ()

    @property
    def everyone(self) -> tuple[Opening, ...]:
        """Itself and those beside it."""
        return (self, *self.beside)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything decided of an answer before rows are written. `own` is who answers in the session
    from now on, `choice` who answers this turn, `others` who does if that one cannot; `slot` is
    its place among the answers of one question."""

    wish: Wish
    own: Choice
    choice: Choice
    others: tuple[Choice, ...]
    options: Options
    tools: tuple[Tool, ...]  # of this server
    generation_id: str
    at: datetime
    slot: int = 0


def open_question(conn: Connection, ask: Ask, rules: Rules, stamp: Stamp) -> Opening:
    """Append the question and start its answer. Raises NotFound, Invalid, Unavailable, or
    GenerationActive."""
    if known := replayed(conn, ask.wish.once):
        return known
    session = None if ask.session_id is None else sessions.get(conn, ask.session_id)
    plans = planned(ask.wish, session or ask.preset, rules, stamp)
    own, at = plans[0].own, stamp.at
    if session is None:
        session = sessions.create(conn, _titled(ask), (own.provider, own.model), at)
        if ask.preset is not None:
            presets.settle(conn, changed(session, ask.preset, Manners()))
    else:
        require_question(ask.said)  # what cannot be taken stops no answer
        require_idle(conn, session.id)
        remember_choice(conn, session, plans[0])
    branch = messages.branch(conn, session.leaf_id)
    common, fresh = match_transcript(branch, ask.said)
    place = Place.under(branch[common - 1]) if common else Place(session.id)
    history = list(branch[:common])
    for said in fresh:
        history.append(messages.append(conn, place, new_message(conn, said), at))
        place = Place.under(history[-1])
    return opened(conn, plans, history, rules)


def _titled(ask: Ask) -> Titled:
    return Titled(ask.title) if ask.title else Titled(title_of(ask.said), "words")


# ── the parts they share ──────────────────────────────────────────────────────────────────────


def replayed(conn: Connection, once: Once | None) -> Opening | None:
    """What a request with this key opened before, nothing to be started."""
    generation_id = None if once is None else idempotency.find(conn, once)
    if generation_id is None:
        return None
    found = generations.get(conn, generation_id)
    first, *beside = map(_attached, (found, *generations.beside(conn, found)))
    return Opening(replace(first, beside=tuple(beside)))


def _attached(found: Generation) -> Ticket:
    return Ticket(found.session_id, found.id, found.message_id, True, found.warnings)


def planned(
    wish: Wish, kept: Session | PresetVersion | None, rules: Rules, stamp: Stamp
) -> Sequence[Plan]:
    """What is decided of each answer, the first one's first; `kept` is the session, or what a new
    one begins with. Raises Invalid or Unavailable."""
    wish, home = _agreed(wish, kept), None
    if isinstance(kept, Session):
        home = kept.provider, kept.model
    elif kept is not None:
        home = home_of(kept, None, rules.catalog.choose)
    own = rules.catalog.choose(wish.provider, wish.model, home)
    tools = _server_tools(wish, rules)
    plans = []
    for slot, choice in enumerate(_choices(wish, own, rules)):
        others = rules.catalog.others(choice, wish.fallback)
        rules.require([choice.provider, *(other.provider for other in others)])
        who = own, choice, others
        how = for_choice(wish.options, choice), tools
        plans.append(Plan(wish, *who, *how, stamp.generation_ids[slot], stamp.at, slot))
    return plans


def _choices(wish: Wish, own: Choice, rules: Rules) -> Sequence[Choice]:
    home = own.provider, own.model
    if wish.models:
        return [rules.catalog.named(name, home) for name in wish.models]
    if wish.turn_provider is not None or wish.turn_model is not None:
        return [rules.catalog.choose(wish.turn_provider, wish.turn_model, home)]
    return [own]


def _agreed(wish: Wish, kept: Session | PresetVersion | None) -> Wish:
    """The wish, and what is kept where it has no opinion."""
    if kept is None or not (kept.system_prompt or kept.options):
        return wish
    prompt = kept.system_prompt if wish.system_prompt is None else wish.system_prompt
    return replace(wish, system_prompt=prompt, options=merged(wish.options, kept.options))


def _server_tools(wish: Wish, rules: Rules) -> tuple[Tool, ...]:
    """Which of this server's tools may be called. Raises Invalid `tool_name_taken`."""
    there = rules.tools()
    if not there:
        return ()
    tools = chosen(there, wish.server_tools)
    names = {tool.name for tool in tools}
    for theirs in wish.options.tools or ():
        if theirs.name in names:
            raise Invalid(
                f"this server has a tool {theirs.name!r} of its own: give yours another name, or"
                " leave that one out with server_tools",
                code="tool_name_taken",
            )
    return tools


def require_idle(conn: Connection, session_id: int) -> None:
    """Raises GenerationActive."""
    live = generations.all_in(conn, session_id)
    if live:
        raise GenerationActive(session_id, [one.id for one in live])


def remember_choice(conn: Connection, session: Session, plan: Plan) -> None:
    """From now on who was named for the session answers in it."""
    own = plan.own
    if (session.provider, session.model) != (own.provider, own.model):
        values = {"provider": own.provider, "model": own.model}
        sessions.change(conn, session.id, plan.at, values)


def opened(
    conn: Connection,
    plans: Sequence[Plan],
    history: Sequence[Message],
    rules: Rules,
    begun: Message | None = None,
) -> Opening:
    """The answers to the last message of a history, side by side. One that goes on begins with all
    of what was `begun`. Raises Invalid."""
    first, *beside = [_open(conn, plan, history, rules, begun) for plan in plans]
    if not beside:
        return first
    ticket = replace(first.ticket, beside=tuple(one.ticket for one in beside))
    return replace(first, ticket=ticket, beside=tuple(beside))


def _open(
    conn: Connection,
    plan: Plan,
    history: Sequence[Message],
    rules: Rules,
    begun: Message | None = None,
) -> Opening:
    """The placeholder, the generation and event 1; of the first answer the session's leaf and the
    idempotency record too; then the prompt."""
    parent, at = history[-1], plan.at
    if begun is not None and not (begun.content or begun.calls):
        begun = None
    empty = messages.New("assistant", generation_id=plan.generation_id)
    answer = messages.append(conn, Place.under(parent), empty, at)
    known = summaries.known(conn, parent.session_id) if rules.sums_up else None
    texts = _texts(conn, history)
    brief = Brief(history, plan.wish.system_prompt, begun, known, plan.tools, texts)
    prompt, about, left_out = briefed(brief, plan.choice, plan.options, rules)
    vainly = tuple(
        f"server_tools: no tool of this server is called {name}"
        for name in vain(rules.tools(), plan.wish.server_tools)
    )
    warnings = (*plan.wish.warnings, *about, *vainly)
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
        slot=plan.slot,
    )
    provider, model = plan.choice.provider, plan.choice.model
    offer = _offer(plan)
    started = Started(parent.session_id, answer.id, provider, model, warnings, offer)
    begins = () if begun is None else closed(parts_of(begun))
    events = _opening_events(plan.generation_id, started, begins)
    generations.open_log(conn, generation, events)
    if plan.slot == 0:
        sessions.move_leaf(conn, parent.session_id, answer.id, at)
        if plan.wish.once is not None:
            idempotency.keep(conn, plan.wish.once, plan.generation_id, at)
    ticket = Ticket(parent.session_id, plan.generation_id, answer.id, warnings=warnings)
    others = tuple(
        Fallback(
            other, partial(_asked_of, brief, other, for_choice(plan.wish.options, other), rules)
        )
        for other in plan.others
    )
    return Opening(ticket, generation, prompt, events, others, left_out)


def _asked_of(
    brief: Brief, other: Choice, options: Options, rules: Rules
) -> tuple[Prompt, tuple[str, ...]]:
    prompt, warnings, _ = briefed(brief, other, options, rules)
    return prompt, warnings


def _offer(plan: Plan) -> Offer | None:
    if not plan.tools:
        return None
    return Offer(tuple(tool.name for tool in plan.tools), plan.wish.system_prompt)


def first_prompt(conn: Connection, generation: Generation, offer: Offer, rules: Rules) -> Prompt:
    """What an answer that waits was asked at first, from rows; the tools of this server left out.
    Raises Invalid if nobody serves its model any more."""
    choice = rules.catalog.choose(generation.provider, generation.model)
    answer = messages.get(conn, generation.message_id)
    history = messages.branch(conn, answer.parent_id)
    known = summaries.known(conn, generation.session_id) if rules.sums_up else None
    texts = _texts(conn, history)
    brief = Brief(history, offer.system_prompt, summaries=known, texts=texts)
    return briefed(brief, choice, generation.options, rules).prompt


def new_message(conn: Connection, said: Said) -> messages.New:
    """A message of a request as it is kept. Raises NotFound `file_not_found`, or Invalid
    `file_not_readable`."""
    kept = [files.get(conn, file_id) for file_id in said.files]
    for one in kept:
        if one.kind == "other":
            raise Invalid(
                f"no model is shown the file {one.name!r}: {one.note or 'upload it once more'}",
                code="file_not_readable",
            )
    parts = tuple(Attachment(one.id, one.name, one.media_type, one.size_bytes) for one in kept)
    return messages.New(said.role, said.content, parts, said.call_id)


def _texts(
    conn: Connection, history: Sequence[Message]
) -> Mapping[str, tuple[str | None, str | None]]:
    """What a prompt can hold of the files of a history that are no images."""
    beside = [one for message in history if message.parts for one in message.attachments]
    return files.texts(conn, [one.id for one in beside if not one.is_image])


def _opening_events(
    generation_id: str, started: Started, begins: tuple[Part, ...]
) -> tuple[Event, ...]:
    bodies = [started, *(part for part in begins if not isinstance(part, Attachment))]
    return tuple(Event(generation_id, seq, body) for seq, body in enumerate(bodies, start=1))
