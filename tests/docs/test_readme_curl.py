"""The README's curl lines are run as they stand, top to bottom, against one product."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

from tests.conftest import Product
from tests.house.documents import commands

from .conftest import run

ADDRESS = "http://localhost:8000"
PLACEHOLDER = "GENERATION_ID"


async def test_every_curl_line_of_the_readme_works_in_its_order(
    product: Product, root: Path
) -> None:
    lines = commands((root / "README.md").read_text("utf-8"))
    asked = [line for line in lines if line.startswith("curl ")]
    assert len(asked) > 5
    generation_id = ""
    for shown in asked:
        line = shown.replace(ADDRESS, product.url).replace(PLACEHOLDER, generation_id)
        assert product.url in line
        ran = await run(*shlex.split(line), "-sS", "--fail")
        assert (ran.code, ran.err) == (0, ""), line
        assert _is_stream(ran.out) or json.loads(ran.out)
        named = re.search(r'"generation_id": ?"(\w+)"', ran.out)
        generation_id = named[1] if named else generation_id
    assert generation_id


def _is_stream(text: str) -> bool:
    return text.startswith(("data: ", "id: ", "event: ")) and text.endswith("\n\n")
