"""Calls of functions in dialects where the arguments are an object; ours are JSON text.

    {"id": …, "name": "f", "args": {…}} ─▶ Calls.read ─▶ ToolCall(id, "f", "{…}")
    ToolCall.arguments ─▶ as_object ─▶ {…}

A call without an id gets one of ours: a hash of the conversation and of its place in the answer,
so it is the same whenever the same bytes come, and no other call of a conversation has it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import msgspec

from ..domain import Prompt, ToolCall
from .exchange import garbage
from .frames import Mender

_ID_BYTES = 12


def seed_of(prompt: Prompt) -> str:
    """What tells this request from all others of its conversation; "" where nothing may be
    called."""
    if not prompt.tools:
        return ""
    seed = hashlib.blake2b(digest_size=_ID_BYTES)
    for turn in prompt.turns:
        for said in (turn.role, turn.content, turn.call_id or ""):
            seed.update(said.encode("utf-8", "replace") + b"\0")
    return seed.hexdigest()


class Calls:
    """Reads the calls of one answer; `made` is how many there were."""

    __slots__ = ("_seed", "_taken", "_who", "made")

    def __init__(self, who: str, seed: str = "") -> None:
        self.made = 0
        self._who = who
        self._seed = seed
        self._taken: set[str] = set()

    def read(self, call_id: object, name: object, arguments: object) -> ToolCall:
        """A call out of what the vendor says it is. Raises UpstreamError `upstream_garbage` if
        it names no function, or its arguments go too deep."""
        if not isinstance(name, str) or not name:
            raise garbage(self._who, "a call that names no function")
        try:
            written = _written(arguments)
        except RecursionError as error:
            raise garbage(self._who, "a call with arguments that go too deep") from error
        own = call_id if isinstance(call_id, str) else ""
        given = _mended(own) if own not in self._taken else ""
        found = given or self._made_up()
        self._taken |= {own, found}
        self.made += 1
        return ToolCall(found, _mended(name), written)

    def _made_up(self) -> str:
        place = f"{self._seed}:{self.made}".encode()
        return f"call_{hashlib.blake2b(place, digest_size=_ID_BYTES).hexdigest()}"


def as_object(arguments: str) -> Mapping[str, Any]:
    """The arguments as an object; empty if they are none, which the call's result says then."""
    try:
        text = json.dumps(json.loads(arguments, strict=False), ensure_ascii=False)
        value = msgspec.json.decode(text.encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _written(arguments: object) -> str:
    if isinstance(arguments, str):
        return _mended(arguments)
    given = {} if arguments is None else arguments
    text = json.dumps(given, ensure_ascii=False)
    return text if _mended(text) == text else json.dumps(given)


def _mended(text: str) -> str:
    mender = Mender()
    return mender.mend(text) + mender.rest()
