"""What a decoder has read, on its way out: the same in every dialect. Pure: no I/O.

    add(Reasoning, "Hm") add(Text, "a") add(Text, "b") ─▶ handed_out ─▶ Reasoning("Hm") Text("ab")
    {"output_tokens": "7"} ─▶ count ─▶ 7

What one read brings leaves as one piece for each kind in a row, so a fast vendor costs few pieces.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..domain import Piece, Reasoning, Text
from .frames import Mender
from .think import TagReader


class Gatherer:
    """Joins deltas to pieces, mended so that any store can hold them. `spoke` says whether there
    was any visible text. With `tags`, reasoning is looked for in the text itself."""

    __slots__ = ("_kind", "_mender", "_parts", "_pieces", "_tags", "spoke")

    def __init__(self, tags: TagReader | None = None) -> None:
        self.spoke = False
        self._tags = tags
        self._mender = Mender()
        self._kind: type[Text] | type[Reasoning] = Text
        self._parts: list[str] = []
        self._pieces: list[Piece] = []

    @property
    def empty(self) -> bool:
        """Whether nothing was added since the last call of `handed_out`."""
        return not (self._parts or self._pieces)

    def add(self, kind: type[Text] | type[Reasoning], text: object) -> None:
        """One more delta; anything but a text that is not empty is passed over."""
        if not isinstance(text, str) or not text:
            return
        if kind is not self._kind:
            self._flush(last=True)
            self._kind = kind
        self._parts.append(text)
        if kind is Text and self._tags is None:
            self.spoke = True

    def put(self, piece: Piece) -> None:
        """One more piece that came whole, behind all that was added."""
        self._flush(last=True)
        self._pieces.append(piece)

    def more(self, texts: Sequence[str]) -> None:
        """More deltas of the kind that was added last."""
        self._parts += texts

    def handed_out(self, last: bool = False) -> list[Piece]:
        """The pieces of what was added since the last call; with `last`, also what waited for a
        second half that never came."""
        if self._parts or last:
            self._flush(last)
        if last and self._tags is not None:
            self._take(self._tags.close())
        pieces, self._pieces = self._pieces, []
        return pieces

    def _flush(self, last: bool) -> None:
        text = self._mender.mend("".join(self._parts))
        self._parts.clear()
        if last:
            text += self._mender.rest()
        if text and self._tags is not None and self._kind is Text:
            self._take(self._tags.feed(text))
        elif text:
            self._pieces.append(self._kind(text))

    def _take(self, pieces: list[Text | Reasoning]) -> None:
        """What the tags in the text made of it: only now it shows whether anything was said."""
        self._pieces += pieces
        self.spoke |= any(isinstance(piece, Text) for piece in pieces)


def count(said: object, *path: str) -> int:
    """The number of tokens at this path: 0 if it is absent, negative or not a number at all."""
    for name in path:
        said = said.get(name) if isinstance(said, dict) else None
    if isinstance(said, str) and re.fullmatch(r"\d{1,12}", said, re.ASCII):
        return int(said)
    if isinstance(said, bool) or not isinstance(said, int | float) or not 0 <= said < 1e12:
        return 0
    return int(said)
