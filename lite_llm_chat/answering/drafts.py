"""The text of an answer that must have a form, while it is being made.

    Text ─▶ draft ─┬─ held back until it is whole: what is wrong must not be seen first
                   └─ only noted: it goes to the log as it comes

Held back is text, and the seals that belong to it. Reasoning and calls go on at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ..domain import Reasoning, Seal, Text, ToolCall


@dataclass(slots=True, eq=False)
class Draft:
    """Of one request. `calls` is True once a tool was called: then the text is not the answer."""

    held: bool
    calls: bool = False
    size: int = 0  # bytes of UTF-8 that are held back
    _texts: list[str] = field(default_factory=list)
    _seals: list[Seal] = field(default_factory=list)
    _in_text: bool = False

    def keeps(self, piece: Text | Reasoning | ToolCall | Seal) -> bool:
        """Note what came; whether it is held back here."""
        match piece:
            case Text():
                self._in_text = True
                self._texts.append(piece.text)
                self.size += len(piece.text.encode()) if self.held else 0
                return self.held
            case Seal() if self._in_text and self.held:
                self._seals.append(piece)
                return True
            case ToolCall():
                self.calls = True
        self._in_text = False
        return False

    @property
    def text(self) -> str:
        """What came so far."""
        return "".join(self._texts)

    def let_go(self, text: str | None = None) -> list[Text | Seal]:
        """What was held back, once, as it came, or with another text instead; from now on nothing
        is held back."""
        held, self.held, self.size = self.held, False, 0
        text = self.text if text is None else text
        if not held:
            return []
        return [*([Text(text)] if text else []), *self._seals]
