"""Titles made by a model: after the first answer of a conversation, or when somebody asks.

    a question's words ─▶ answered ─▶ an aside ─▶ naming.title_in ─▶ title, title_by "model"
                             └ failed, nonsense, renamed meanwhile, the server stops: as it was

It is made while nobody waits. An answer is never later for it, and never another one: all that is
written is a title, and only in the place of the one that was seen.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ..answering.asides import Aside, Asides, Making
from ..catalog import Catalog, Choice
from ..domain import Generation, Message, Prompt, Session
from ..errors import Conflict, Invalid, LiteError, StartupError, Unavailable, UpstreamError
from ..providers.base import Provider
from ..store import generations, messages, sessions
from ..store.database import Connection, Database
from .naming import asked, title_in

ON_BOARD = "local"  # too small to name anything: measured, decision 0042
FIRST_TURNS = 8  # of a prompt: a longer one is no first question
MOST_WAITING = 100  # titles in the making; more conversations keep the question's words

log = logging.getLogger("lite_llm_chat.history.titles")


@dataclass(frozen=True, slots=True)
class TitleRules:
    """Whether titles are made by themselves, and by whom (None: by who answered)."""

    by_itself: bool = True
    by: Choice | None = None


def title_rules(titles: Literal["auto", "off"], name: str | None, catalog: Catalog) -> TitleRules:
    """The operator's rules; `name` is `provider/model`. Raises StartupError."""
    if name is None:
        return TitleRules(titles == "auto")
    provider, _, model = name.partition("/")
    if not model:
        raise StartupError(f"TITLE_MODEL: {name!r} names no model: write it as provider/model")
    try:
        return TitleRules(titles == "auto", catalog.choose(provider, model))
    except Invalid as wrong:
        raise StartupError(f"TITLE_MODEL: {wrong.detail}") from None


class _Source(NamedTuple):
    """What a title is made of."""

    session: Session
    branch: Sequence[Message]


class Titles:
    """Makes them. `draining` is true once the server is about to stop."""

    def __init__(
        self,
        database: Database,
        asides: Asides,
        providers: tuple[Catalog, Mapping[str, Provider]],
        rules: TitleRules,
        draining: Callable[[], bool],
    ) -> None:
        self._db = database
        self._asides = asides
        self._catalog, self._providers = providers
        self._rules = rules
        self._draining = draining
        self._making = Making("title")

    def after(
        self,
        generation: Generation,
        prompt: Prompt,
        wait_end: Callable[[str], Awaitable[None]],
    ) -> None:
        """Make a title once an answer has ended, if that was the first of its conversation."""
        session_id = generation.session_id
        if (
            not self._rules.by_itself
            or len(prompt.turns) > FIRST_TURNS
            or session_id in self._making
            or len(self._making) >= MOST_WAITING
        ):
            return
        self._making.begin(session_id, self._make(generation.id, wait_end))

    async def anew(self, session_id: int) -> Session:
        """A new title, whoever made the old one; the session with it. Raises NotFound; Conflict
        `nothing_to_name`; Invalid if nobody has its model; Unavailable `draining`,
        `provider_not_configured`; UpstreamError `no_title`."""
        source = await self._db.read(lambda conn: _of_session(conn, session_id))
        if self._draining():
            raise Unavailable("the server is stopping: ask again in a moment", code="draining")
        session = source.session
        choice = self._rules.by or self._catalog.choose(session.provider, session.model)
        readiness = self._providers[choice.provider].readiness()
        if not readiness.ready:
            raise Unavailable(
                f"{choice.provider} cannot give a title: {readiness.note}",
                code="provider_not_configured",
            )
        title = await self._title(source, choice)
        if title is None:
            raise UpstreamError(
                f"{choice.provider}/{choice.model} gave no title: try again, or let another model"
                " make titles with TITLE_MODEL",
                code="no_title",
            )
        return await self._db.write(lambda conn: _renamed(conn, session, title))

    async def close(self) -> None:
        """Give up what is being made."""
        await self._making.close()

    async def _make(self, generation_id: str, wait_end: Callable[[str], Awaitable[None]]) -> None:
        await wait_end(generation_id)
        if self._draining():
            return
        try:
            found = await self._db.read(lambda conn: _first_answer(conn, generation_id))
            if found is None:
                return
            source, who = found
            choice = self._rules.by or self._catalog.choose(*who)
            if choice.provider == ON_BOARD and self._rules.by is None:
                return
            title = await self._title(source, choice)
            if title is not None:
                await self._db.write(lambda conn: sessions.rename(conn, source.session, title))
        except LiteError as error:
            log.warning("the title of the answer %s: %s", generation_id, error.code)

    async def _title(self, source: _Source, choice: Choice) -> str | None:
        prompt = asked(source.branch, choice.served)
        provider = self._providers[choice.provider]
        reply = await self._asides.ask(Aside("title", source.session.id, provider, prompt))
        return None if reply is None else title_in(reply)


def _first_answer(conn: Connection, generation_id: str) -> tuple[_Source, tuple[str, str]] | None:
    """What an answer ends and who gave it, if it is the first whole one of a conversation that
    still has its question's words for a title. Raises NotFound if that was deleted."""
    generation = generations.get(conn, generation_id)
    session = sessions.get(conn, generation.session_id)
    branch = messages.branch(conn, generation.message_id)
    whole = [one.id for one in branch if one.role == "assistant" and one.status == "completed"]
    if session.title_by != "words" or whole != [generation.message_id]:
        return None
    return _Source(session, branch), (generation.provider, generation.model)


def _of_session(conn: Connection, session_id: int) -> _Source:
    session = sessions.get(conn, session_id)
    branch = messages.branch(conn, session.leaf_id)
    if not any(one.content for one in branch):
        raise Conflict(
            f"nothing was said in session {session_id} yet: there is nothing to name",
            code="nothing_to_name",
        )
    return _Source(session, branch)


def _renamed(conn: Connection, seen: Session, title: str) -> Session:
    sessions.rename(conn, seen, title)
    return sessions.get(conn, seen.id)
