"""Steering a stand-in from outside its process.

    GET  /_control                                    what happened, and every mode's name
    POST /_control {"play": "stall"}                  once; a list plays together
                   {"play": {"Stall": {"after_tokens": 5}}, "times": 2}
                   {"play": {"Pause": {"gate": "a"}}} then {"open": "a"}
                   {"always": ["crlf", "usage-none"]} for every request; [] behaves again
                   {"reset": true}                    forget everything

A behaviour is the name of a mode, or its class with its fields. Bytes are given as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import cast

from standins import behaviours
from standins.behaviours import Call, Gate, Played, Status
from standins.modes import MODES


class UnreadableError(Exception):
    """The command is not understood; says why."""


class Gates:
    """Gates with names, for those who cannot hold one."""

    def __init__(self) -> None:
        self._gates: dict[str, Gate] = {}

    def named(self, name: str) -> Gate:
        """The gate with this name."""
        return self._gates.setdefault(name, Gate())

    def open(self, name: str) -> None:
        """Open it; the next one with this name is closed again."""
        self._gates.pop(name, Gate()).open()


def named(text: str) -> tuple[Played, ...]:
    """The behaviours of these modes, separated by commas."""
    played: tuple[Played, ...] = ()
    for name in (part.strip() for part in text.split(",")):
        if name not in MODES:
            raise UnreadableError(f"no mode is called {name!r}")
        played = (*played, *MODES[name].played)
    return played


def read_played(spec: object, gates: Gates) -> tuple[Played, ...]:
    """The behaviours in a JSON value."""
    match spec:
        case str():
            return named(spec)
        case list():
            return tuple(one for part in spec for one in read_played(part, gates))
        case dict():
            return tuple(_built(name, given, gates) for name, given in spec.items())
        case _:
            raise UnreadableError(f"no behaviour: {spec!r}")


def _built(name: str, given: object, gates: Gates) -> Played:
    kind = getattr(behaviours, name, None) if name in behaviours.__all__ else None
    if not isinstance(kind, type) or not hasattr(kind, "__dataclass_fields__"):
        raise UnreadableError(f"no behaviour is called {name!r}")
    if not isinstance(given, dict):
        raise UnreadableError(f"{name} needs its fields as an object")
    known = {one.name for one in fields(kind)}
    unknown = set(given) - known
    if unknown:
        raise UnreadableError(f"{name} has no field {', '.join(sorted(unknown))}")
    values = {key: _value(key, value, gates) for key, value in given.items()}
    try:
        return cast("Played", kind(**values))
    except TypeError as error:
        raise UnreadableError(f"{name}: {error}") from error


def _value(name: str, value: object, gates: Gates) -> object:
    """A field's value; JSON has no bytes, tuples, gates and behaviours."""
    match name, value:
        case "gate", str():
            return gates.named(value)
        case "behaviour", _:
            return read_played(value, gates)[0]
        case "raw" | "body", str():
            return value.encode()
        case "writes", list():
            return tuple(str(one).encode() for one in value)
        case "headers", dict():
            return tuple((str(key), str(one)) for key, one in value.items())
        case "calls", list():
            return tuple(Call(str(one["name"]), str(one["arguments"])) for one in value)
        case "codes", list():
            return tuple(value)
        case _, "forever":
            return behaviours.FOREVER
        case _:
            return value


def unknown(error: UnreadableError) -> tuple[Played, ...]:
    """What is played when a request asks for a mode that does not exist."""
    return (Status(400, f"stand-in: {error}".encode(), content_type="text/plain"),)


def mode_list() -> Mapping[str, str]:
    """Every mode and its description."""
    return {one.name: one.description for one in MODES.values()}
