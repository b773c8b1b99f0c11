"""Every dialect of the bench says all its tokens through the product, and is measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import dialects
from bench.load import Order, Place
from bench.machine import Cores
from bench.servers import Servers
from bench.shapes import ALIKE, SHAPES, Shape, shape_at

ANYWHERE = Cores(None, None)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    with Servers(tmp_path, ANYWHERE) as running:
        yield running


async def test_every_dialect_has_a_row_and_no_token_is_missing(servers: Servers) -> None:
    place = Place(await servers.upstream(), ANYWHERE)
    rows = await dialects.speaking(servers, place, Order(2, 120, 50), 1)
    names = ["chat, alike", *(spoken.name for spoken in dialects.OTHERS)]
    assert [row.what.partition("token of ")[2] for row in rows] == names
    assert all("≤ 1.10" in row.goal for row in rows)


def test_each_address_of_a_dialect_has_a_shape_of_its_own() -> None:
    found = [shape_at(b"/v1" + end + b"?alt=sse") for end in SHAPES]
    assert found == list(SHAPES.values())
    assert shape_at(b"/chat/completions") is ALIKE


@pytest.mark.parametrize("shape", SHAPES.values())
def test_no_two_events_of_these_shapes_are_alike(shape: Shape) -> None:
    assert len({shape.event(b"a", number) for number in range(8)}) == 8
