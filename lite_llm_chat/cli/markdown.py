"""Markdown as it comes: what can change no more is printed, only the last block is drawn again.

    text so far ─▶ settled(text) ─▶ whole blocks │ the block that is still being written
                                       printed once        drawn anew

Where a block ends is Markdown's own matter (a list goes on over an empty line, a fence over many),
so it is asked of the parser; of a last line without its end nothing is concluded.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Heading, Markdown, MarkdownElement
from rich.segment import Segment
from rich.theme import Theme

MARGIN_LINES = 2  # of the terminal, kept free below what is drawn anew
THEME = Theme(
    {  # no background of our own: nobody knows the terminal's
        "markdown.code": "cyan",
        "markdown.code_block": "cyan",
        "markdown.h1": "bold underline",
        "markdown.h2": "bold",
        "markdown.h3": "bold",
        "markdown.h4": "bold dim",
        "markdown.block_quote": "italic",
        "markdown.item.bullet": "cyan",
        "markdown.item.number": "cyan",
    }
)
FENCE = re.compile(r" {0,3}(```|~~~)")


def settled(text: str) -> int:
    """How many characters of the text are blocks that nothing that follows can change."""
    return sum(map(len, blocks(text[: text.rfind("\n") + 1])[:-1]))


def blocks(text: str) -> list[str]:
    """The text cut where its blocks begin; joined they are the text again."""
    lines = text.splitlines(keepends=True)
    starts = [
        token.map[0]
        for token in Markdown(text).parsed
        if token.level == 0 and token.map and token.nesting >= 0
    ]
    cuts = [0, *starts[1:], len(lines)]
    return ["".join(lines[begin:end]) for begin, end in pairwise(cuts)]


class _LeftHeading(Heading):
    """A heading at the left, where the text is, and without a box."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        yield self.text


class Page(Markdown):
    """Markdown in the terminal's own colours. Addresses are shown: where a link leads is seen."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _LeftHeading,
    }

    def __init__(self, text: str) -> None:
        super().__init__(text, code_theme="ansi_dark", hyperlinks=False)


class Block:
    """A whole block without the empty lines around it: these are the page's matter."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(Page(self._text), options, pad=False)
        shown = [number for number, line in enumerate(lines) if not _is_empty(line)]
        for line in lines[shown[0] : shown[-1] + 1] if shown else []:
            yield from line
            yield Segment.line()


def _is_empty(line: list[Segment]) -> bool:
    return not any(segment.text.strip() for segment in line)


class Growing:
    """A block that is still being written: as much of its end as the terminal has lines for, as
    what is drawn again and again must not be longer than what can be taken back."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        most = max(1, console.height - MARGIN_LINES)
        lines = console.render_lines(Page(_end_of(self._text, most)), options, pad=False)
        for line in lines[-most:]:
            yield from line
            yield Segment.line()


def _end_of(text: str, lines: int) -> str:
    """The last so many lines of a block, in the fence that the block began with: it is drawn a
    dozen times a second, however long it gets."""
    first, *others = text.split("\n")
    if len(others) <= lines:
        return text
    return "\n".join([*([first] if FENCE.match(first) else []), *others[-lines:]])
