"""The commands about history, against the server itself: nobody stands in for it."""

from __future__ import annotations

import json
from pathlib import Path

from standins.behaviours import Answer
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product

from .terminal import Said, command


class Shell:
    """Commands for one server in one folder."""

    def __init__(self, product: Product, folder: Path) -> None:
        self._url = product.url
        self._folder = folder

    async def __call__(self, *words: str | Path) -> Said:
        said = await command(self._folder, *words, "--url", self._url)
        assert said.code == 0, said.err
        return said

    async def titles(self, *words: str) -> list[str]:
        """The titles of a list."""
        listed = await self("sessions", "list", "--json", *words)
        return [one["title"] for one in json.loads(listed.out)]


async def test_everything_is_exported_deleted_for_good_imported_and_found_again(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    run = Shell(product, tmp_path)
    upstream.play(Answer(text="The moon pulls the sea"))
    await run("ask", "What are tides?")
    await run("ask", "say: Bread and salt")
    zipped = tmp_path / "everything.zip"
    await run("export", "all", "--to", zipped)
    again = json.loads((await run("import", zipped, "--json")).out)
    assert again["conversations"]["already_here"] == 2
    await run("sessions", "delete", "--permanent", "1", "2")
    assert await run.titles() == []
    dry = json.loads((await run("import", zipped, "--dry-run", "--json")).out)
    assert (dry["dry_run"], dry["conversations"]["imported"]) == (True, 2)
    assert await run.titles() == []
    told = await run("import", zipped)
    assert "2" in told.out + told.err
    assert sorted(await run.titles()) == ["What are tides?", "say: Bread and salt"]
    hits = json.loads((await run("search", "--json", "moon sea")).out)["results"]
    assert [hit["text"] for hit in hits] == ["The moon pulls the sea"]
    page = await run("export", str(hits[0]["session"]["id"]))
    assert "The moon pulls the sea" in page.out


async def test_a_session_is_pinned_archived_trashed_and_brought_back(
    product: Product, tmp_path: Path
) -> None:
    run = Shell(product, tmp_path)
    await run("ask", "say: Hello")
    await run("sessions", "pin", "1")
    (session,) = json.loads((await run("sessions", "list", "--json")).out)
    assert session["pinned"] is True
    await run("sessions", "archive", "1")
    assert await run.titles() == []
    assert await run.titles("--archived") == ["say: Hello"]
    await run("sessions", "unarchive", "1")
    await run("sessions", "delete", "1")
    assert await run.titles("--trash") == ["say: Hello"]
    await run("sessions", "restore", "1")
    assert await run.titles() == ["say: Hello"]
