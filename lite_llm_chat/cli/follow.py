"""An answer's events, each once, whatever happens to the connection.

    GET …/events, Last-Event-ID: n ─▶ lines ─▶ frames ─▶ Event n+1, n+2, … ─▶ ended
         ▲                                       │ cut, silent, 5xx
         └──── a pause that grows ◀── Watch.lost ┘        nothing for PATIENCE_S: Unreachable

A number stands for the same bytes whenever it is sent, so what is shown after a cut begins at the
very byte where it ended.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Protocol

from .client import Client, Refused, Unreachable

SILENCE_S = 60.0  # a server says something every 15 s: what is silent for so long is gone
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 3.0
PATIENCE_S = 120.0


class Watch(Protocol):
    """Whoever is told of the connection."""

    def lost(self) -> None:
        """It was lost; called once for each time, before the first try to come back."""

    def back(self) -> None:
        """It is there again."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of an answer; `seq` is its number, None of one that has none."""

    name: str
    data: dict[str, Any]
    seq: int | None = None


def events(
    client: Client, generation_id: str, watch: Watch, patience_s: float = PATIENCE_S
) -> Iterator[Event]:
    """The events from the first to `ended`, or `snapshot` in their place. Raises Refused if the
    answer is not there (any more), Unreachable if the server stays away for `patience_s`."""
    path = client.route(f"/generations/{generation_id}/events")
    seen, absence = 0, _Absence(watch, patience_s)
    while True:
        with suppress(OSError, HTTPException, Unreachable):
            for event in _read(client, path, seen, absence):
                if event.seq is not None and event.seq <= seen:
                    continue
                seen = event.seq or seen
                yield event
                if event.name in ("ended", "snapshot"):
                    return
        if not absence.wait():
            raise Unreachable(
                f"{client.shown} stays away: once it is back, the answer is in its session"
            )


class _Absence:
    """How long the server has been away, and when to look for it again."""

    def __init__(self, watch: Watch, patience_s: float) -> None:
        self._watch = watch
        self._patience_s = patience_s
        self._since = 0.0
        self._pause_s = FIRST_PAUSE_S

    def over(self) -> None:
        """The server is there."""
        if self._since:
            self._watch.back()
        self._since, self._pause_s = 0.0, FIRST_PAUSE_S

    def wait(self) -> bool:
        """Let some time pass, a little more each time; False if it has been enough."""
        if not self._since:
            self._since = time.monotonic()
            self._watch.lost()
        elif time.monotonic() - self._since > self._patience_s:
            return False
        time.sleep(self._pause_s)
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        return True


def _read(client: Client, path: str, seen: int, absence: _Absence) -> Iterator[Event]:
    """What one connection brings, after event `seen`. A refusal that may be over soon, such as
    that of a server that is stopping, is none."""
    headers = {"Last-Event-ID": str(seen)} if seen else {}
    try:
        response = client.open("GET", path, headers=headers, timeout_s=SILENCE_S)
    except Refused as refused:
        if refused.status < 500:
            raise
        return
    with response:
        absence.over()
        yield from _parsed(response)


def _parsed(lines: Iterable[bytes]) -> Iterator[Event]:
    """The whole events of a stream, comments left out. One that a cut tears apart is none: its
    number must not count."""
    frame: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.rstrip(b"\r\n").partition(b":")
        if colon and name:
            frame[name] = value.removeprefix(b" ")
        elif not colon and frame:
            if b"data" in frame and line.endswith(b"\n"):
                number = frame.get(b"id", b"")
                yield Event(
                    frame.get(b"event", b"").decode(),
                    json.loads(frame[b"data"]),
                    int(number) if number.isdigit() else None,
                )
            frame = {}
