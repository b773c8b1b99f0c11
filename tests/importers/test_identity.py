"""Whatever another product brings here is the same again after an export and an import.

any tree of messages ─▶ a product's own form ─▶ import ─▶ export ─▶ an empty instance ─▶ export
                                                            └────── the same bytes ──────────┘
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.api.test_export_everything import export
from tests.api.test_round_trip import bring, empty
from tests.conftest import Product
from tests.torture import scaled

from . import test_claude as claude
from . import test_librechat as librechat
from . import test_open_webui as webui
from .bring import as_json
from .chatgpt import node, talk

TIMES = scaled(6, 200)  # an import takes a process of its own


@dataclass(frozen=True)
class Line:
    """A message: the number of the one before it (None: a root), and its words."""

    parent: int | None
    by_user: bool
    words: str


def _as_chatgpt(lines: Sequence[Line]) -> bytes:
    roles = {True: "user", False: "assistant"}
    nodes = [
        node(f"n{at}", "root" if line.parent is None else f"n{line.parent}",
             roles[line.by_user], line.words)
        for at, line in enumerate(lines)
    ]  # fmt: skip
    return as_json([talk(node("root", None), *nodes)])


def _as_open_webui(lines: Sequence[Line]) -> bytes:
    said = [
        webui.said(
            f"n{at}",
            None if line.parent is None else f"n{line.parent}",
            "user" if line.by_user else "assistant",
            line.words,
        )
        for at, line in enumerate(lines)
    ]
    return as_json([webui.item(webui.chat(*said))])


def _as_librechat(lines: Sequence[Line]) -> bytes:
    said = [
        librechat.said(
            f"n{at}",
            librechat.NOBODY if line.parent is None else f"n{line.parent}",
            line.words,
            by_user=line.by_user,
            createdAt="2025-05-01T10:00:00.000Z",
        )
        for at, line in enumerate(lines)
    ]
    return as_json(librechat.talked(messages=said))


def _as_claude(lines: Sequence[Line]) -> bytes:
    said = [
        claude.message(f"n{at}", "human" if line.by_user else "assistant", claude.text(line.words))
        for at, line in enumerate(lines)
    ]
    return as_json([claude.talked(*said)])


@st.composite
def trees(draw: st.DrawFn) -> list[Line]:
    """A tree whose messages take turns on every way through it."""
    words = st.text(min_size=1, max_size=30).filter(lambda text: text.strip() != "")
    lines = [Line(None, True, draw(words))]
    for _ in range(draw(st.integers(1, 8))):
        parent = draw(st.integers(0, len(lines) - 1))
        lines.append(Line(parent, not lines[parent].by_user, draw(words)))
    return lines


async def _same_again(product: Product, data: bytes) -> None:
    await bring(product, data)
    first = await export(product)
    done = await bring(product, first)
    assert done["conversations"]["already_here"] == 1
    assert await export(product) == first
    await empty(product)
    await bring(product, first)
    assert await export(product) == first


@pytest.mark.timeout(scaled(120, 3_600))
@pytest.mark.parametrize("form", [_as_chatgpt, _as_open_webui, _as_librechat, _as_claude])
async def test_any_import_exported_and_imported_is_the_same(
    product: Product, form: Callable[[Sequence[Line]], bytes]
) -> None:
    loop = asyncio.get_running_loop()

    def now(work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result()

    @settings(max_examples=TIMES, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(trees())
    def any_tree(lines: list[Line]) -> None:
        now(empty(product))
        now(_same_again(product, form(lines)))

    await asyncio.to_thread(any_tree)
