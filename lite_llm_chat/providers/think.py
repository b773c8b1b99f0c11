"""Reasoning that stands in the text itself, between `<think>` and `</think>`. Pure.

    "<th" "ink>Hm." "</thi" "nk>\\n\\nYes." ─▶ Reasoning "Hm." · Text "Yes."

Only an answer that begins with the tag begins with reasoning: what is quoted further down stays
text. Blanks around the tags belong to nobody. A tag may be split anywhere; what could still become
one is held until it is decided.
"""

from __future__ import annotations

from typing import Literal

from ..domain import Reasoning, Text

_OPEN, _CLOSE = "<think>", "</think>"
_MOST_HELD = 1_000  # characters, nearly all blank: what begins so is no tag any more


class TagReader:
    """Splits the text of one answer. `opened`: the opening tag may be left out, the answer
    begins inside of it."""

    __slots__ = ("_held", "_state")

    def __init__(self, opened: bool = False) -> None:
        self._state: Literal["start", "opened", "lead", "thought", "gap", "text"] = (
            "opened" if opened else "start"
        )
        self._held = ""

    def feed(self, text: str) -> list[Text | Reasoning]:
        """The pieces in the next part of the text; some of it may be held back."""
        if self._state == "text":
            return [Text(text)] if text else []
        self._held += text
        pieces: list[Text | Reasoning] = []
        while self._step(pieces):
            pass
        return pieces

    def close(self) -> list[Text | Reasoning]:
        """What was held back: nothing more comes that could make a tag of it."""
        held, self._held = self._held, ""
        if not held or self._state in ("lead", "gap"):
            return []
        return [Reasoning(held) if self._state in ("opened", "thought") else Text(held)]

    def _step(self, pieces: list[Text | Reasoning]) -> bool:
        """Decide what can be decided; True if the state changed, so that more may be."""
        match self._state:
            case "start" | "opened":
                return self._begin()
            case "lead" | "gap":
                self._held = self._held.lstrip()
                if self._held:
                    self._state = "thought" if self._state == "lead" else "text"
                return bool(self._held)
            case "thought":
                return self._think(pieces)
            case "text":
                if self._held:
                    pieces.append(Text(self._held))
                self._held = ""
                return False

    def _begin(self) -> bool:
        said = self._held.lstrip()
        if said.startswith(_OPEN):
            self._held, self._state = said[len(_OPEN) :], "lead"
            return True
        if _OPEN.startswith(said) and len(self._held) < _MOST_HELD:
            return False
        self._state = "lead" if self._state == "opened" else "text"
        return True

    def _think(self, pieces: list[Text | Reasoning]) -> bool:
        thought, tag, rest = self._held.partition(_CLOSE)
        if not tag:
            kept = _beginning_of(_CLOSE, thought)
            thought, rest = thought[: len(thought) - kept], thought[len(thought) - kept :]
        if thought:
            pieces.append(Reasoning(thought))
        self._held = rest
        if tag:
            self._state = "gap"
        return bool(tag)


def _beginning_of(tag: str, text: str) -> int:
    """How many characters at the end of `text` could be the beginning of `tag`."""
    sizes = range(min(len(tag) - 1, len(text)), 0, -1)
    return next((size for size in sizes if text.endswith(tag[:size])), 0)
