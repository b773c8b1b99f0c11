"""What the reading process says to the server, one frame after the other.

    Found · (Shelf · Preset)* · ( Head · Utterance* · Tail │ Left )* · Done
    each: 4 bytes of length, then JSON

A conversation is sent message by message, so that the server never has to hold one.
"""

from __future__ import annotations

from typing import BinaryIO, Literal

import msgspec

from .base import Head, Utterance
from .own import Preset, Shelf

LENGTH_BYTES = 4


class Found(msgspec.Struct, frozen=True, tag="found"):
    """The first entry of a product was found."""

    format: str


class Tail(msgspec.Struct, frozen=True, tag="tail"):
    """The conversation is whole. `active` is the key of its last shown message; `at` is how many
    bytes of the archive have been read."""

    active: str | None
    at: int


class Left(msgspec.Struct, frozen=True, tag="left"):
    """An entry that is left out, and why: half a sentence."""

    outcome: Literal["skipped", "broken"]
    title: str
    why: str
    at: int


class Done(msgspec.Struct, frozen=True, tag="done"):
    """Everything was read; `trouble` says why the rest could not be."""

    trouble: str | None = None


Frame = Found | Shelf | Preset | Head | Utterance | Tail | Left | Done

_encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Frame).decode


def write(target: BinaryIO, frame: Frame) -> None:
    """Waits while the server is behind."""
    data = _encode(frame)
    target.write(len(data).to_bytes(LENGTH_BYTES, "big"))
    target.write(data)
    target.flush()
