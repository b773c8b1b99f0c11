"""What is in an HTML page, as a browser's parser would see it; and what must never be in one."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

FORBIDDEN = {"script", "iframe", "object", "embed", "form", "input", "svg", "math", "link", "base"}
URLS = {
    "href",
    "src",
    "action",
    "formaction",
    "srcset",
    "data",
    "poster",
    "background",
    "xlink:href",
}
ALLOWED_URLS = ("http:", "https:", "mailto:", "/s/", "data:image/")
VOID = {"meta", "br", "hr", "img"}


class Page(HTMLParser):
    """The elements of a page, its text, and the URLs in it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.open: list[str] = []
        self.crossed: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()
        elif tag not in VOID:
            self.crossed.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of each element of a kind."""
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def urls(self) -> list[str]:
        return [value for _, one in self.tags for name, value in one.items() if name in URLS]


def dangers(html: str, *, styles: int = 0) -> list[Any]:
    """What could run, load, style or break out. `styles`: so many style elements are the page's."""
    page = Page(html)
    found: list[Any] = [tag for tag in page.tags if tag[0] in FORBIDDEN]
    found += [tag for tag in page.tags if any(name.startswith("on") for name in tag[1])]
    found += [tag for tag in page.tags if "style" in tag[1] or "srcdoc" in tag[1]]
    found += [url for url in page.urls if not url.startswith(ALLOWED_URLS)]
    found += page.all("style")[styles:]
    found += [f"crossed: {tag}" for tag in page.crossed] + [
        f"left open: {tag}" for tag in page.open
    ]
    return found
