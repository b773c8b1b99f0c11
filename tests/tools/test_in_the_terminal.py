"""A call that a person has to allow, when the person sits before `chat`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.follow import messages
from tests.cli.terminal import Terminal
from tests.conftest import Product

from .conftest import Box


@pytest.mark.parametrize(
    ("typed", "allowed"),
    [("y", True), ("n", False), ("", False)],
)
async def test_the_person_is_asked_once_and_the_answer_goes_on_by_that_word(
    product: Product, box: Box, tmp_path: Path, typed: str, allowed: bool
) -> None:
    words = ("chat", "--url", product.url, "--model", "caller/one")
    async with Terminal(tmp_path, *words) as terminal:
        await terminal.shows("\n› ")
        terminal.type("call own__buy 1")
        await terminal.shows("may it call own__buy? [y/N] ")
        terminal.type(typed)
        await terminal.shows("\n› ")
    assert terminal.text.count("may it call") == 1
    assert box.began == (["c0.0"] if allowed else [])
    answer = (await messages(product))[1]
    assert answer["status"] == "completed"
    assert ("own__buy=1" if allowed else "did not allow this call") in answer["content"]
