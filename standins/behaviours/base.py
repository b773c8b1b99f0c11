"""What a behaviour is: a value that rewrites a reply before it is played.

    reply ─▶ REPLACE ─▶ DELTAS ─▶ EVENTS ─▶ TIMING ─▶ WRITES ─▶ LINK ─▶ player
             another    other     other     waits,    how it    the
             reply      JSON      bytes     cuts      is cut    connection

Several behaviours may be given together; each knows its stage, so their order does not matter
unless they share one. A behaviour that does not fit (a delta of an answer that is no stream)
changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Protocol, runtime_checkable

from standins.answers import Answer
from standins.reply import Reply
from standins.server import Request


class Stage(IntEnum):
    """When a behaviour has its turn."""

    REPLACE = 0
    DELTAS = 1
    EVENTS = 2
    TIMING = 3
    WRITES = 4
    LINK = 5


@dataclass(frozen=True, slots=True)
class Ask:
    """What a behaviour may know: the request, its key, how many chats are in flight (this one
    included), and how often it was asked this same behaviour before (0: never)."""

    request: Request
    key: str
    in_flight: int
    seen: Callable[[Choice], int]

    @property
    def body(self) -> Mapping[str, object]:
        """The request's JSON object, empty when it is none."""
        return self.request.body if isinstance(self.request.body, dict) else {}


class Behaviour(Protocol):
    """A frozen value with a stage."""

    stage: ClassVar[Stage]

    def shape(self, reply: Reply) -> Reply:
        """The reply as it is under this behaviour."""
        ...


@runtime_checkable
class Choice(Protocol):
    """A frozen value that decides by the request whether another one is played."""

    def choose(self, ask: Ask) -> Behaviour | None:
        """What is played for this request."""
        ...


Played = Answer | Behaviour | Choice


def shaped(reply: Reply, played: Iterable[Played], ask: Ask) -> Reply:
    """The reply under all behaviours, stage by stage."""
    for behaviour in sorted(_chosen(played, ask), key=lambda one: one.stage):
        reply = behaviour.shape(reply)
    return reply


def _chosen(played: Iterable[Played], ask: Ask) -> Iterator[Behaviour]:
    for one in played:
        if isinstance(one, Answer):
            continue
        behaviour = one.choose(ask) if isinstance(one, Choice) else one
        if behaviour is not None:
            yield behaviour


def answer_of(default: Answer, played: Iterable[Played]) -> Answer:
    """The default answer under all behaviours that say what to say."""
    for one in played:
        if isinstance(one, Answer):
            default = one.over(default)
    return default
