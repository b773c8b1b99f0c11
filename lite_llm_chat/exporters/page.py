"""The page of a conversation, as a file and behind a link: it needs no script and no network.

    start(cover) │ message │ message │ … │ end(cover)         pieces, so that it can be streamed

Whatever comes from a conversation is escaped or rendered by safe_html, and the policy that each
page carries lets nothing run and nothing load, should both be wrong.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import datetime
from html import escape
from typing import NamedTuple, assert_never

from ..domain import Attachment
from .chosen import Step
from .markdown import CUT, WHO, day, size
from .safe_html import html_of, literal
from .shown import Called, Gave, Shown, Thought, Words
from .style import STYLE

# Shown in place: what uploads are looked at for. An SVG is a text there, and no picture here.
PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
FileUrl = Callable[[Attachment], str | None]

_STYLE_HASH = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_LOCKED = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'"
)
FILE_POLICY = f"{_LOCKED}; img-src data:"
LINK_POLICY = f"{_LOCKED}; img-src 'self'; frame-ancestors 'none'"


class Cover(NamedTuple):
    """What stands above and below the messages. `policy`: a page that no server serves brings its
    own."""

    title: str
    begun: datetime
    lines: tuple[str, ...] = ()  # small print above
    end: str = ""  # small print below
    policy: str | None = None


def start(cover: Cover) -> str:
    """The page up to its first message."""
    title, begun = escape(" ".join(cover.title.split())), cover.begun.isoformat()
    policy = (
        f'<meta http-equiv="Content-Security-Policy" content="{escape(cover.policy)}">\n'
        if cover.policy
        else ""
    )
    lines = "".join(f"<span>{escape(line)}</span>" for line in cover.lines)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"{policy}"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex, nofollow">\n'
        '<meta name="referrer" content="no-referrer">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<header>\n<h1 dir="auto">{title}</h1>\n'
        f'<p class="about"><time datetime="{begun}">{day(cover.begun)}</time>{lines}</p>\n'
        "</header>\n"
    )


def message(one: Shown, step: Step, url_of: FileUrl) -> str:
    """One message. `url_of` a file: where it can be had from the page, if it can."""
    which = (
        f'<p class="which">Version {step.choice[0]} of {step.choice[1]}</p>' if step.choice else ""
    )
    back = " back" if step.back else ""
    who = escape(one.said_by or WHO[one.role])
    at = f'<time datetime="{one.created_at.isoformat()}">{day(one.created_at)}</time>'
    files = "".join(_file(file, url_of(file)) for file in one.files)
    files = f'<ul class="files">{files}</ul>\n' if files else ""
    said = "".join(_blocks(one))
    cut = f'<p class="cut">{CUT[one.status]}</p>\n' if one.status in CUT else ""
    return (
        f'<article class="{one.role}{back}">\n{which}<h2>{who} {at}</h2>\n'
        f"{said}{files}{cut}</article>\n"
    )


def _blocks(one: Shown) -> Iterator[str]:
    for block in one.blocks:
        match block:
            case Words():
                said = html_of(block.text) if one.role == "assistant" else literal(block.text)
                yield f'<div class="said" dir="auto">{said}</div>\n'
            case Thought():
                yield _folded("Reasoning", literal(block.text), "thought")
            case Called():
                yield _folded(f"Called {block.name}", literal(block.arguments), "tool")
            case Gave():
                word = "The tool failed" if block.failed else "Result of the tool"
                yield _folded(word, literal(block.text), "tool")
            case _:
                assert_never(block)


def _folded(word: str, inside: str, kind: str) -> str:
    return (
        f'<details class="{kind}"><summary>{escape(word)}</summary>'
        f'<div dir="auto">{inside}</div></details>\n'
    )


def _file(file: Attachment, url: str | None) -> str:
    name, about = escape(file.name), escape(f"{file.media_type}, {size(file.size_bytes)}")
    if url is None:
        return f"<li>{name} <small>{about}</small></li>"
    if file.media_type in PICTURES:
        return f'<li class="image"><img src="{escape(url)}" alt="{name}"></li>'
    return f'<li><a href="{escape(url)}" rel="nofollow">{name}</a> <small>{about}</small></li>'


def end(cover: Cover) -> str:
    """The rest of the page."""
    below = f"<footer>{escape(cover.end)}</footer>\n" if cover.end else ""
    return f"{below}</main>\n</body>\n</html>\n"


def nothing_here() -> str:
    """The page of a link that leads nowhere, whatever the reason."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex, nofollow">\n'
        f"<title>Nothing here</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        '<main class="nothing">\n<h1>Nothing here</h1>\n'
        "<p>This link does not exist, has expired, or was taken back by whoever shared it.</p>\n"
        "</main>\n</body>\n</html>\n"
    )
