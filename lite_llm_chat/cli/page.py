"""Where an answer is shown while it comes.

    reasoning(…) ─┐            ┌─ Drawn: Markdown, thoughts dimmed, a sign of life while it is quiet
    text(…)      ─┼─▶ a page ──┤
    note(…)      ─┘            └─ Plain: the text as it comes, for a file, a pipe, or NO_COLOR

A page is a context: what it draws is whole when the block ends, however that ends.
"""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.spinner import Spinner
from rich.style import Style
from rich.text import Text

from .markdown import THEME, Block, Growing, blocks, settled
from .text import harmless

FRAMES_PER_S = 12
BAR = "│ "


class Shown(Protocol):
    """A page."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def text(self, new: str) -> None:
        """More of the answer."""

    def reasoning(self, new: str) -> None:
        """More of what the model thinks."""

    def note(self, line: str, style: str = "dim") -> None:
        """A line of this program's, between what the model says."""

    def pause(self) -> None:
        """Finish what is being drawn: a person is asked something now."""

    def gap(self) -> None:
        """Finish it, and leave some room for what is said about it."""


def console() -> Console:
    """Standard output."""
    return Console(theme=THEME, highlight=False)


def is_plain(out: Console) -> bool:
    """Nothing may be drawn there: it is no terminal, or somebody does not want it."""
    return not out.is_terminal or out.no_color or out.is_dumb_terminal


def page(out: Console, *, thoughts: bool) -> Shown:
    """A page for one answer; `thoughts`: what the model thinks is shown too."""
    return Plain(thoughts=thoughts) if is_plain(out) else Drawn(out, thoughts=thoughts)


class Plain:
    """The text as it comes."""

    def __init__(self, *, thoughts: bool) -> None:
        self._thoughts = thoughts
        self._thinking = False
        self._fresh = True  # nothing stands on the line

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.pause()

    def text(self, new: str) -> None:
        if self._thinking:
            self.pause()
            self._write("\n")
            self._thinking = False
        self._write(harmless(new))

    def reasoning(self, new: str) -> None:
        if self._thoughts:
            if not self._thinking:
                self._write("[thinking] ")
            self._thinking = True
            self._write(harmless(new))

    def note(self, line: str, style: str = "dim") -> None:  # noqa: ARG002
        self.pause()
        self._write(f"[{harmless(line)}]\n")

    def pause(self) -> None:
        if not self._fresh:
            self._write("\n")

    def gap(self) -> None:
        self.pause()

    def _write(self, text: str) -> None:
        if text:
            sys.stdout.write(text)
            sys.stdout.flush()
            self._fresh = text.endswith("\n")


class Drawn:
    """Blocks of Markdown, each printed when it is whole; the last one is drawn as it grows."""

    def __init__(self, out: Console, *, thoughts: bool) -> None:
        self._out = out
        self._thoughts = thoughts
        self._live: _Still | None = None
        self._open = ""  # the block that is still being written
        self._thought = ""  # the line of thoughts that is still being written
        self._thinking_since = 0.0
        self._blocks = 0

    def __enter__(self) -> Self:
        self._spin("")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.pause()

    def text(self, new: str) -> None:
        self._stop_thinking()
        self._open += harmless(new)
        cut = settled(self._open) if "\n" in new else 0
        if cut:
            whole, self._open = self._open[:cut], self._open[cut:]
            self._draw(Text(""))
            self._print_blocks(whole)
        self._draw(Growing(self._open) if self._open.strip() else Text(""))

    def reasoning(self, new: str) -> None:
        if not self._thinking_since:
            self._thinking_since = time.monotonic()
            if not self._thoughts:
                self._spin("thinking")
        if self._thoughts:
            *lines, self._thought = (self._thought + harmless(new)).split("\n")
            for line in lines:
                self._print(_Thought(line))
            self._draw(_Thought(self._thought))

    def note(self, line: str, style: str = "dim") -> None:
        self._print(Text(harmless(line), style))

    def pause(self) -> None:
        self._stop_thinking()
        rest, self._open = self._open, ""
        if self._live is not None:
            self._live.update(Text(""))
            self._live.stop()
            self._live = None
        if rest.strip():
            self._print_blocks(rest)

    def gap(self) -> None:
        self.pause()
        if self._blocks:
            self._print(Text(""))

    def _stop_thinking(self) -> None:
        if not self._thinking_since:
            return
        took_s, self._thinking_since = time.monotonic() - self._thinking_since, 0.0
        if self._thoughts:
            rest, self._thought = self._thought, ""
            self._draw(Text(""))
            if rest:
                self._print(_Thought(rest))
        else:
            self._print(Text(f"thought for {took_s:.0f} s", "dim"))
        self._blocks += 1  # an empty line stands between it and the answer

    def _print_blocks(self, text: str) -> None:
        for block in filter(str.strip, blocks(text)):
            if self._blocks:
                self._print(Text(""))
            self._blocks += 1
            self._out.print(Block(block))

    def _print(self, line: Text | _Thought) -> None:
        self._out.print(line, soft_wrap=False)

    def _spin(self, words: str) -> None:
        self._draw(Spinner("dots", Text(words, "dim"), style="cyan"))

    def _draw(self, what: Growing | _Thought | Text | Spinner) -> None:
        if self._live is None:
            self._live = _Still(console=self._out, refresh_per_second=FRAMES_PER_S, transient=True)
            self._live.start()
        self._live.update(what)


class _Still(Live):
    """Draws again only what has changed, or moves by itself: what stands still does not flicker."""

    _moves = False
    _drawn = False

    def update(self, renderable: RenderableType, *, refresh: bool = False) -> None:
        with self._lock:
            self._moves, self._drawn = isinstance(renderable, Spinner), False
            super().update(renderable, refresh=refresh)

    def refresh(self) -> None:
        with self._lock:
            if self._moves or not self._drawn:
                self._drawn = True
                super().refresh()


class _Thought:
    """A line of thoughts, with a bar before each line of the terminal."""

    def __init__(self, text: str) -> None:
        self._text = Text(text, "dim italic")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        room = options.update(width=max(1, options.max_width - len(BAR)))
        for line in console.render_lines(self._text, room, pad=False):
            yield Segment(BAR, Style(dim=True))
            yield from line
            yield Segment.line()
