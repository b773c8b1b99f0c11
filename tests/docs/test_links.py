"""Every link of a document leads to a file of the repository and to a heading in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house.documents import repository_files

FENCED = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def links(text: str) -> list[str]:
    """The targets of a Markdown text's links, code left out, other sites left out."""
    prose = re.sub(r"`[^`\n]*`", "", FENCED.sub("", text))
    return [target for target in LINK.findall(prose) if "://" not in target]


def anchors(text: str) -> set[str]:
    """The anchors of a Markdown text's headings, as code hosts make them."""
    headings = re.findall(r"^#+ +(.+?) *$", FENCED.sub("", text), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


def missing(document: Path) -> list[str]:
    """The links of a document that lead nowhere."""
    lost = []
    for target in links(document.read_text("utf-8")):
        path, _, anchor = target.partition("#")
        place = (document.parent / path).resolve() if path else document
        if not place.exists() or (anchor and anchor not in anchors(place.read_text("utf-8"))):
            lost.append(target)
    return lost


@pytest.fixture(scope="module")
def documents(root: Path) -> list[Path]:
    return [path for path in repository_files(root) if path.suffix == ".md"]


def test_every_link_leads_somewhere(documents: list[Path]) -> None:
    assert {path.name: lost for path in documents if (lost := missing(path))} == {}


def test_every_document_is_linked_from_another(root: Path, documents: list[Path]) -> None:
    linked = {
        (path.parent / target.partition("#")[0]).resolve()
        for path in documents
        for target in links(path.read_text("utf-8"))
    }
    linked |= {folder / "README.md" for folder in linked}
    written = [path for path in documents if path.is_relative_to(root / "docs")]
    assert [one.name for one in written if one not in linked] == []


def test_a_link_that_leads_nowhere_would_be_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A `b`, c\n[a](#a-b-c) [b](#d) [c](no.md)\n```\n[d](e)\n```\n", "utf-8")
    assert missing(page) == ["#d", "no.md"]
