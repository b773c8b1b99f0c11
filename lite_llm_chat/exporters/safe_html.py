"""Markdown that a model wrote, as HTML that can only be looked at.

    Markdown ─▶ markdown-it, HTML off ─▶ own rules ─▶ no script, no style, no picture from elsewhere

Links go to http, https and mailto only, and tell the other side nothing. Pictures become links:
to load one would tell its server who reads this. A text that is too long for Markdown is shown as
it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

LONGEST = 100_000  # characters; beyond it Markdown may take seconds
_SCHEMES = ("http:", "https:", "mailto:")
_REL = 'rel="noopener noreferrer nofollow"'


def html_of(text: str) -> str:
    """The HTML of a text in Markdown."""
    return literal(text) if len(text) > LONGEST else str(_markdown.render(text))


def literal(text: str) -> str:
    """A text as it is, with its line breaks."""
    return f'<div class="plain">{escape(text)}</div>\n'


class _Markdown(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802 - the library's name
        return url.strip().lower().startswith(_SCHEMES)


_Rest = tuple[OptionsDict, EnvType]


def _link_open(_renderer: RendererHTML, tokens: Sequence[Token], idx: int, *rest: *_Rest) -> str:
    _, env = rest
    env["in_link"] = True
    title = tokens[idx].attrGet("title")
    said = f' title="{escape(str(title))}"' if title else ""
    address = _attribute(tokens[idx], "href")
    return f'<a href="{address}"{said} {_REL}>' if address else f"<a{said}>"


def _link_close(_renderer: RendererHTML, _tokens: Sequence[Token], _idx: int, *rest: *_Rest) -> str:
    _, env = rest
    env["in_link"] = False
    return "</a>"


def _image(renderer: RendererHTML, tokens: Sequence[Token], idx: int, *rest: *_Rest) -> str:
    options, env = rest
    inner = tokens[idx].children or ()
    word = escape(renderer.renderInlineAsText(inner, options, env)) or "picture"
    address = _attribute(tokens[idx], "src")
    if env.get("in_link") or not address:  # a link within a link is none
        return word
    return f'<a href="{address}" {_REL}>{word}</a>'


def _cell(_renderer: RendererHTML, tokens: Sequence[Token], idx: int, *_rest: Any) -> str:
    """The side of a cell as a class: a style would be refused by the page's policy."""
    token = tokens[idx]
    side = str(token.attrGet("style") or "").removeprefix("text-align:")
    return f'<{token.tag} class="{escape(side)}">' if side else f"<{token.tag}>"


def _table_open(*_: Any) -> str:
    return '<div class="wide"><table>\n'


def _table_close(*_: Any) -> str:
    return "</table></div>\n"


def _attribute(token: Token, name: str) -> str:
    return escape(str(token.attrGet(name) or ""))


_markdown = _Markdown("commonmark", {"html": False}).enable(["table", "strikethrough"])
_RULES: dict[str, Callable[..., str]] = {
    "link_open": _link_open,
    "link_close": _link_close,
    "image": _image,
    "th_open": _cell,
    "td_open": _cell,
    "table_open": _table_open,
    "table_close": _table_close,
}
for _name, _rule in _RULES.items():
    _markdown.add_render_rule(_name, _rule)
