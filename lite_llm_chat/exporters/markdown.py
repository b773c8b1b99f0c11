"""A session as a Markdown text that any viewer shows as it was meant, whatever is in it.

    start │ message │ message │ …         what was said stays Markdown · thoughts are quoted
                                          calls and results are fenced, longer than what is in them

What somebody said cannot run into what comes next: a fence that it left open is closed, and lines
that would begin a block of HTML begin with a backslash.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import assert_never

from markdown_it import MarkdownIt

from ..domain import Attachment, Session
from .chosen import Step
from .shown import Called, Gave, Shown, Thought, Words

WHO = {"user": "User", "assistant": "Assistant", "system": "System", "tool": "Tool"}
CUT = {
    "failed": "This answer failed before its end.",
    "cancelled": "This answer was stopped before its end.",
    "interrupted": "This answer was interrupted before its end.",
}

_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})(.*)")
_LINE_END = re.compile(r"\r\n|\n|\r")
_HTML_BLOCK = re.compile(r"^( {0,3})<(?=[A-Za-z/!?])(?![A-Za-z][A-Za-z0-9+.-]{1,31}:)")
_markdown = MarkdownIt("commonmark").disable("inline")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&!])")


def start(session: Session) -> str:
    """The title, and when and with whom the conversation began."""
    home = f"{session.provider}/{session.model}"
    return f"# {plain(session.title)}\n\n{day(session.created_at)} · {plain(home)}\n"


def message(one: Shown, step: Step) -> str:
    """One message with its heading."""
    who = WHO[one.role] if one.said_by is None else f"{WHO[one.role]} ({plain(one.said_by)})"
    heading = f"\n---\n\n## {who} · {day(one.created_at)}\n"
    return heading + "".join(f"\n{part}\n" for part in _parts(one, step))


def _parts(one: Shown, step: Step) -> Iterator[str]:
    if step.choice is not None:
        yield f"*Version {step.choice[0]} of {step.choice[1]} at this place.*"
    if one.files:
        yield "\n".join(f"- {_named(file)}" for file in one.files)
    for block in one.blocks:
        match block:
            case Words():
                yield kept_apart(block.text)
            case Thought():
                yield quoted(f"**Reasoning**\n\n{block.text}")
            case Called():
                yield f"Called **{plain(block.name)}**:\n\n{fenced(block.arguments, 'json')}"
            case Gave():
                word = "Failed" if block.failed else "Result"
                yield f"{word}:\n\n{fenced(block.text)}"
            case _:
                assert_never(block)
    if one.status in CUT:
        yield f"*{CUT[one.status]}*"


def _named(file: Attachment) -> str:
    return f"Attached: {plain(file.name)} ({plain(file.media_type)}, {size(file.size_bytes)})"


def day(at: datetime) -> str:
    """A moment for people, to the minute."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def size(count: int) -> str:
    """So many bytes, for people."""
    if count < 1000:
        return f"{count} B"
    return f"{count / 1000:.0f} kB" if count < 999_500 else f"{count / 1_000_000:.1f} MB"


def plain(text: str) -> str:
    """Any text as one line that Markdown leaves alone."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def fenced(text: str, language: str = "") -> str:
    """A text between fences that are longer than any in it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def quoted(text: str) -> str:
    """A text as a quotation: nothing in it reaches beyond it."""
    return "\n".join(f"> {line}" if line else ">" for line in _LINE_END.split(text))


def kept_apart(text: str) -> str:
    """Markdown that ends where it ends."""
    fence: str | None = None
    lines = _LINE_END.split(text)
    fences = False
    for at, line in enumerate(lines):
        found = _FENCE.fullmatch(line)
        fences = fences or "```" in line or "~~~" in line
        if fence is None and found is not None:
            fence = found[1]
        elif fence is None:
            lines[at] = _HTML_BLOCK.sub(r"\1\\<", line, count=1)
        elif found is not None and found[1].startswith(fence) and not found[2].strip():
            fence = None
    tried = ["\n".join(lines), "\n".join([*lines, fence or "```"])] if fences else []
    return next(filter(_ends, tried), fenced(text)) if fences else "\n".join(lines)


def _ends(text: str) -> bool:
    """Whether a heading behind this text is a heading: a fence within a list ends with the list,
    so that lines alone do not tell."""
    last = _markdown.parse(f"{text}\n\n# end")[-3:]
    return last[0].type == "heading_open" and last[0].level == 0
