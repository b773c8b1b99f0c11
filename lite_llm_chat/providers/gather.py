"""What a decoder has read, on its way out: the same in every dialect. Pure: no I/O.

    add(Reasoning, "Hm") add(Text, "a") add(Text, "b") ─▶ handed_out ─▶ Reasoning("Hm") Text("ab")
    {"output_tokens": "7"} ─▶ count ─▶ 7

What one read brings leaves as one piece for each kind in a row, so a fast vendor costs few pieces.
"""

from __future__ import annotations

import re

from ..domain import Piece, Reasoning, Text
from .frames import Mender


class Gatherer:
    """Joins deltas to pieces, mended so that any store can hold them. `spoke` says whether there
    was any visible text."""

    __slots__ = ("_kind", "_mender", "_parts", "_pieces", "spoke")

    def __init__(self) -> None:
        self.spoke = False
        self._mender = Mender()
        self._kind: type[Text] | type[Reasoning] = Text
        self._parts: list[str] = []
        self._pieces: list[Piece] = []

    def add(self, kind: type[Text] | type[Reasoning], text: object) -> None:
        """One more delta; anything but a text that is not empty is passed over."""
        if not isinstance(text, str) or not text:
            return
        if kind is not self._kind:
            self._flush(last=True)
            self._kind = kind
        self._parts.append(text)
        if kind is Text:
            self.spoke = True

    def handed_out(self, last: bool = False) -> list[Piece]:
        """The pieces of what was added since the last call; with `last`, also what waited for a
        second half that never came."""
        if self._parts or last:
            self._flush(last)
        pieces, self._pieces = self._pieces, []
        return pieces

    def _flush(self, last: bool) -> None:
        text = self._mender.mend("".join(self._parts))
        self._parts.clear()
        if last:
            text += self._mender.rest()
        if text:
            self._pieces.append(self._kind(text))


def count(said: object, *path: str) -> int:
    """The number of tokens at this path: 0 if it is absent, negative or not a number at all."""
    for name in path:
        said = said.get(name) if isinstance(said, dict) else None
    if isinstance(said, str) and re.fullmatch(r"\d{1,12}", said, re.ASCII):
        return int(said)
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 <= said < 1e12:
        return 0
    return int(said)
