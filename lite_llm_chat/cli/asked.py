"""A question under way: put to the server once, followed to its end, stopped by Ctrl-C.

    put(client, body) ─▶ Ticket          in the background, with a key: a lost reply is asked for
                                         again and counts once
    followed(client, ticket, Stopper) ─▶ Event … ─▶ ended
    Answer.take(Event) ─▶ what it adds to the text; in the end how it ended

Ctrl-C is a request to the server, not an exception: what is on its way then is still read, so no
word is lost by it. While nobody answers, and the second time, it is the exception as always.
"""

from __future__ import annotations

import signal
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType, TracebackType
from typing import Any, NamedTuple, Self

from .client import Client, Unreachable
from .follow import Event, events
from .trouble import Exit, Trouble

TRIES = 5
PAUSE_S = 0.5
WHOLE = frozenset({"stop", "tool_calls", "tool_rounds"})  # any other reason names a cut


class Ticket(NamedTuple):
    """Where an answer is made."""

    session_id: int
    generation_id: str
    message_id: int
    warnings: tuple[str, ...]


def put(client: Client, path: str, body: Mapping[str, object]) -> Ticket:
    """Ask by a POST to `/chat`, `…/regenerate` or `…/continue`. Raises Refused, Unreachable."""
    keyed = Client(client.address, client.prefix, {"Idempotency-Key": uuid.uuid4().hex})
    for left in reversed(range(TRIES)):
        try:
            made = keyed.call("POST", path, {**body, "background": True})
            break
        except Unreachable as gone:
            again = gone.dropped or left < TRIES - 1  # it was there before
            if not (left and again):
                raise
            time.sleep(PAUSE_S)
    else:
        raise AssertionError("the last try returns or raises")
    return ticket_of(made)


def ticket_of(made: Mapping[str, Any]) -> Ticket:
    """The ticket in a reply."""
    warnings = tuple(made.get("warnings", ()))
    return Ticket(made["session_id"], made["generation_id"], made["message_id"], warnings)


def model_fields(client: Client, name: str | None) -> dict[str, str]:
    """The fields `provider` and `model` for what a person calls a model: `provider/model`, or the
    model alone. Raises Refused, Unreachable."""
    if not name:
        return {}
    first, slash, rest = name.partition("/")
    if slash and any(one["id"] == first for one in client.call("GET", "/providers")):
        return {"provider": first, "model": rest}
    return {"model": name}


# ── stopping ──────────────────────────────────────────────────────────────────────────────────


@dataclass
class Stopper:
    """What Ctrl-C does while an answer is read: the first time the server is asked to stop it.
    It is told of the connection as well (`Watch`); `say` gets a line for the person."""

    client: Client
    generation_id: str = ""
    asked: bool = False  # Ctrl-C was pressed
    away: bool = False  # the server does not answer
    _before: Any = field(default=None, init=False)

    def say(self, line: str) -> None:
        """A line for the person; overridden by who has a place for it."""

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._pressed)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def asks(self, generation_id: str) -> None:
        """The answer to stop; if Ctrl-C came before it was known, now."""
        self.generation_id = generation_id
        if self.asked:
            self.cancel()

    def lost(self) -> None:
        """The connection is gone: from now on Ctrl-C is an exception."""
        self.away = True
        self.say("connection lost, resuming…")

    def back(self) -> None:
        """The connection is there again."""
        self.away = False
        self.say("connected again")

    def _pressed(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked or self.away:
            raise KeyboardInterrupt
        self.asked = True
        if self.generation_id:
            threading.Thread(target=self.cancel, daemon=True).start()

    def cancel(self) -> None:
        """Ask the server to stop the answer; what it says until then is kept."""
        with suppress(Trouble):  # if nobody hears it, the next Ctrl-C leaves
            self.client.call("POST", f"/generations/{self.generation_id}/cancel")


def followed(client: Client, ticket: Ticket, stopper: Stopper) -> Iterator[Event]:
    """The events of an answer that its stopper may stop. Once they all were taken its session is
    not unread any more; the answer may have ended before anybody followed it."""
    stopper.asks(ticket.generation_id)
    yield from events(client, ticket.generation_id, stopper)
    with suppress(Trouble):
        client.call("PATCH", f"/sessions/{ticket.session_id}", {"unread": False})


# ── what came ─────────────────────────────────────────────────────────────────────────────────


@dataclass
class Answer:
    """What an answer says so far and, once it has ended, how."""

    content: str = ""
    reasoning: str = ""
    status: str = ""
    finish_reason: str | None = None
    usage: dict[str, Any] | None = None
    error: dict[str, str] | None = None
    warnings: list[str] = field(default_factory=list)

    def take(self, event: Event) -> str:
        """Add an event; the text that is new by it."""
        data, new = event.data, ""
        match event.name:
            case "text":
                new = data["content"]
            case "reasoning":
                self.reasoning += data["reasoning"]
            case "snapshot":  # the whole message: what is not shown yet is its rest
                new = data["content"].removeprefix(self.content)
                self.reasoning = data["thought_process"] or ""
                self._end(data)
            case "ended":
                self._end(data)
            case "started" | "rerouted":
                self.warnings += data.get("warnings", ())
        self.content += new
        return new

    def _end(self, data: Mapping[str, Any]) -> None:
        self.status, self.finish_reason = data["status"], data["finish_reason"]
        self.usage, self.error = data["usage"], data["error"]
        self.warnings += data.get("warnings", ())

    @property
    def exit_code(self) -> Exit:
        """What a script is told of how it ended, if nobody here stopped it."""
        match self.status:
            case "completed" if self.finish_reason in (None, *WHOLE):
                return Exit.WHOLE
            case "failed":
                return Exit.VENDOR
            case _:
                return Exit.CUT

    @property
    def why(self) -> str:
        """Why it is not whole, as a sentence; "" if it is."""
        if self.error:
            return self.error["detail"]
        match self.status:
            case "completed" if self.exit_code is Exit.WHOLE:
                return ""
            case "completed":
                return CUTS.get(self.finish_reason or "", f"it ended by {self.finish_reason}")
            case "cancelled":
                return "it was stopped; what it said is kept"
            case _:
                return "it was interrupted; what it said is kept"


CUTS = {
    "length": "a limit of tokens cut it; it can be continued",
    "content_filter": "the vendor's filter stopped it; what came before is kept",
    "refusal": "the model declined to go on; what came before is kept",
}
