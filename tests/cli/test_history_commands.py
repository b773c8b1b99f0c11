"""`search`, `sessions`, `export`, `import`, `usage`: what they send, print and refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from standins.behaviours import Answer
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product

from .standin import serving
from .terminal import Said, Terminal, command

AT = "2026-11-30T08:00:00.000000Z"
SESSION: dict[str, Any] = {
    "id": 3, "title": "Tides \x1b[31m", "provider": "deepseek", "model": "deepseek-flash",
    "created_at": AT, "updated_at": AT, "message_count": 2, "pinned": True, "unread": False,
    "archived_at": None, "tags": ["sea"],
}  # fmt: skip
REPORT: dict[str, Any] = {
    "id": "01", "name": "c.zip", "dry_run": False, "status": "running", "format": "chatgpt",
    "created_at": AT, "ended_at": None, "bytes": 10, "bytes_read": 5, "messages": 4, "files": 0,
    "conversations": {"imported": 1, "updated": 0, "already_here": 0, "skipped": 0, "broken": 1},
    "error": None, "entries": [],
}  # fmt: skip


class Api:
    """A server that answers by a table of `METHOD path`, and keeps what it was asked. A function
    in the table is called, and what it returns is the answer."""

    def __init__(self, **replies: object) -> None:
        self.replies = replies
        self.asked: list[tuple[str, str, bytes]] = []

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append((request.method, request.path_qs, await request.read()))
        found = self.replies[f"{request.method} {request.path.removeprefix('/api/v1')}"]
        found = found.pop(0) if isinstance(found, list) else found
        reply = found() if callable(found) else found
        if isinstance(reply, bytes):
            return web.Response(body=reply)
        return web.json_response(reply) if reply is not None else web.Response(status=204)


async def run(api: Api, folder: Path, *words: str | Path) -> Said:
    """Run a command against it."""
    async with serving(api) as url:
        return await command(folder, *words, "--url", url)


def found(number: int) -> dict[str, Any]:
    session = {**SESSION, "id": number}
    return {
        "session": session, "message_id": 9, "role": "user", "created_at": AT, "snippet": "",
        "text": "the tide comes", "ranges": [[4, 8]], "on_branch": True, "score": 1.0,
        "more_in_session": 2,
    }  # fmt: skip


async def test_search_asks_for_all_that_was_said_and_takes_the_pages_it_needs(
    tmp_path: Path,
) -> None:
    pages = [
        {"results": [found(n) for n in range(100)], "next_cursor": "c 1", "indexed": 1.0},
        {"results": [found(100)], "next_cursor": None, "indexed": 0.5},
    ]
    api = Api(**{"GET /search": pages})
    words = ("search", "--tag", "a b", "--tag", "c", "--after", "2026-11-01", "--limit", "200")
    said = await run(api, tmp_path, *words, "--archived", "tide", '"of time"')
    assert said.code == 0
    assert said.out.count("\n") == 101
    assert said.out.startswith("0\t2026-11-30 ")
    assert "\x1b" not in said.out
    assert "50% is looked through so far" in said.err
    first, second = (path for _, path, _ in api.asked)
    assert "q=tide%20%22of%20time%22" in first
    assert "tag=a%20b&tag=c" in first
    assert "archived=any" in first
    assert "cursor=c%201" in second


async def test_search_marks_what_it_found_in_a_terminal(tmp_path: Path) -> None:
    page = {"results": [found(3)], "next_cursor": None, "indexed": 1.0}
    async with (
        serving(Api(**{"GET /search": page})) as url,
        Terminal(tmp_path, "search", "--url", url, "tide") as terminal,
    ):
        assert await terminal.ended() == 0
        assert "    3  Tides [31m  2026-11-30" in terminal.screen
        assert b"\x1b[1mtide\x1b[0m" in terminal.raw


async def test_search_that_finds_nothing_is_1(tmp_path: Path) -> None:
    page: dict[str, Any] = {"results": [], "next_cursor": None, "indexed": 1.0}
    said = await run(Api(**{"GET /search": page}), tmp_path, "search", "--json", "x")
    assert (said.code, json.loads(said.out)["results"]) == (1, [])


async def test_sessions_are_listed_shown_and_renamed(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    upstream.play(Answer(text="High **and** low"))
    here = ("--url", product.url)
    await command(tmp_path, "ask", *here, "What are tides?")
    listed = await command(tmp_path, "sessions", *here)
    assert listed.code == 0
    head, row = listed.out.splitlines()
    assert head == "session\ttitle\tmessages\tmodel\tlast"
    assert row.startswith("1\tWhat are tides?\t2\tdeepseek-flash\t2")
    renamed = await command(tmp_path, "sessions", "rename", "1", "High", "tide", *here)
    assert (renamed.code, renamed.err) == (0, "session 1: High tide\n")
    shown = await command(tmp_path, "sessions", "show", "1", *here)
    assert shown.out == "# High tide\n\n> What are tides?\n\nHigh **and** low\n"
    listed = await command(tmp_path, "sessions", "list", "--json", *here)
    assert [one["title"] for one in json.loads(listed.out)] == ["High tide"]
    deleted = await command(tmp_path, "sessions", "delete", "1", *here)
    assert deleted.code == 0
    assert "session 1 is deleted" in deleted.err
    gone = await command(tmp_path, "sessions", "show", "99", *here)
    assert (gone.code, gone.err.count("\n")) == (4, 1)


async def test_a_list_has_its_filters_and_its_marks(tmp_path: Path) -> None:
    api = Api(**{"GET /sessions": [SESSION]})
    api.replies["GET /sessions"] = [[SESSION]]
    words = ("sessions", "list", "--trash", "--tag", "sea", "--folder", "none", "--limit", "5")
    said = await run(api, tmp_path, *words)
    assert "3\t★ Tides [31m #sea\t2\t" in said.out
    [(_, path, _)] = api.asked
    assert path == "/api/v1/sessions?skip=0&limit=5&trashed=true&folder_id=none&tag=sea"


@pytest.mark.parametrize(
    ("action", "method", "path", "body"),
    [
        ("pin", "PATCH", "/sessions/3", {"pinned": True}),
        ("unarchive", "PATCH", "/sessions/3", {"archived": False}),
        ("restore", "POST", "/sessions/3/restore", None),
        ("delete", "DELETE", "/sessions/3", None),
    ],
)
async def test_what_is_done_to_a_session_is_one_request(
    tmp_path: Path, action: str, method: str, path: str, body: object
) -> None:
    api = Api(**{f"{method} {path}": None if method == "DELETE" else SESSION})
    said = await run(api, tmp_path, "sessions", action, "3")
    assert said.code == 0, said.err
    [(_, _, sent)] = api.asked
    assert (json.loads(sent) if sent else None) == body


async def test_deleting_for_good_has_to_be_said(tmp_path: Path) -> None:
    api = Api(**{"DELETE /sessions/3": None})
    said = await run(api, tmp_path, "sessions", "delete", "3", "--permanent")
    assert api.asked[0][1] == "/api/v1/sessions/3?permanent=true"
    assert said.err == "session 3 is deleted\n"


@pytest.mark.parametrize(
    "words", [("delete",), ("delete", "all"), ("rename", "3"), ("list", "3"), ("burn", "3")]
)
async def test_a_wrong_command_line_is_2_and_one_line(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    said = await command(tmp_path, "sessions", *words)
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)


async def test_a_session_is_exported_to_a_file_in_the_form_of_its_name(tmp_path: Path) -> None:
    api = Api(**{"GET /sessions/3/export": b"<html>"})
    said = await run(api, tmp_path, "export", "3", "--to", "talk.html")
    assert (said.code, said.out, said.err) == (0, "", "talk.html: 6 bytes\n")
    assert (tmp_path / "talk.html").read_bytes() == b"<html>"
    assert api.asked[0][1] == "/api/v1/sessions/3/export?format=html"
    again = await run(api, tmp_path, "export", "3", "--to", "talk.html")
    assert again.code == 1
    assert "talk.html exists: name another file, or say --replace" in again.err


async def test_everything_is_exported_to_standard_output(tmp_path: Path) -> None:
    said = await run(Api(**{"GET /export": b"PK.."}), tmp_path, "export", "all")
    assert said == Said(0, "PK..", "")


async def test_an_export_that_is_cut_leaves_no_file(tmp_path: Path) -> None:
    async def cut(request: web.BaseRequest) -> web.StreamResponse:
        reply = web.StreamResponse()
        reply.enable_chunked_encoding()
        await reply.prepare(request)
        await reply.write(b"PK")
        assert request.transport is not None
        request.transport.abort()
        return reply

    async with serving(cut) as url:
        said = await command(tmp_path, "export", "all", "--to", "all.zip", "--url", url)
    assert said.code == 3
    assert not (tmp_path / "all.zip").exists()
    assert not (tmp_path / "all.zip.part").exists()


async def test_an_import_sends_the_file_waits_and_tells_what_became_of_it(tmp_path: Path) -> None:
    (tmp_path / "c.zip").write_bytes(b"PK" * 400_000)
    entry = {
        "title": "Broken\x07 one", "source_id": None, "outcome": "broken", "why": "no messages",
        "session_id": None, "messages": 0, "notes": ["a file is missing"],
    }  # fmt: skip
    ended = {**REPORT, "status": "completed", "bytes_read": 10, "entries": [entry]}
    api = Api(**{"POST /imports": REPORT, "GET /imports/01": [REPORT, ended]})
    said = await run(api, tmp_path, "import", "c.zip", "--dry-run")
    assert (said.code, said.err) == (0, "")
    method, path, sent = api.asked[0]
    assert (method, len(sent)) == ("POST", 800_000)
    assert path == "/api/v1/imports?name=c.zip&format=auto&dry_run=true"
    assert "imported\t1\nbroken\t1\nmessages\t4\n" in said.out
    assert "Broken one\tbroken\tno messages; a file is missing\n" in said.out


async def test_an_import_that_fails_is_its_sentence(tmp_path: Path) -> None:
    (tmp_path / "c.zip").write_bytes(b"PK")
    failed = {**REPORT, "status": "failed", "error": "the file is no export that is known here"}
    api = Api(**{"POST /imports": failed})
    said = await run(api, tmp_path, "import", "c.zip", "--json")
    assert said.code == 1
    assert json.loads(said.out)["status"] == "failed"
    assert "the file is no export that is known here" in said.err


async def test_ctrl_c_cancels_an_import(tmp_path: Path) -> None:
    (tmp_path / "c.zip").write_bytes(b"PK")
    api = Api(**{"POST /imports": REPORT, "GET /imports/01": REPORT})

    def cancel() -> dict[str, Any]:
        api.replies["GET /imports/01"] = cancelled = {**REPORT, "status": "cancelled"}
        return cancelled

    api.replies["POST /imports/01/cancel"] = cancel
    async with (
        serving(api) as url,
        Terminal(tmp_path, "import", "c.zip", "--url", url) as terminal,
    ):
        await terminal.shows("50% read, 2 conversations")
        terminal.press("\x03")
        assert await terminal.ended() == 130
        assert "stopping; what is in stays" in terminal.text


async def test_usage_is_a_table_json_or_csv(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    upstream.play(Answer(text="Paris"))
    here = ("--url", product.url)
    await command(tmp_path, "ask", *here, "Where?")
    table = await command(tmp_path, "usage", "--by", "model", *here)
    assert table.code == 0
    assert table.out.splitlines()[1].startswith("deepseek/deepseek-flash\t1\t")
    assert "\t$0.0000" in table.out
    whole = json.loads((await command(tmp_path, "usage", "--json", *here)).out)
    assert whole["total"]["requests"] == 1
    csv = (await command(tmp_path, "usage", "--csv", "--by", "session", *here)).out
    assert csv.splitlines()[0].startswith("key,requests,")
    wrong = await command(tmp_path, "usage", "--from", "yesterday", *here)
    assert (wrong.code, wrong.err.count("\n")) == (4, 1)


async def test_csv_of_many_pages_has_one_line_of_names(tmp_path: Path) -> None:
    pages = {"": ("a,b\r\n1,2\r\n", "x%20y"), "x y": ("a,b\r\n3,4\r\n", None)}

    async def usage(request: web.BaseRequest) -> web.StreamResponse:
        text, following = pages[request.query.get("after", "")]
        return web.Response(text=text, headers={"X-Next-After": following} if following else {})

    async with serving(usage) as url:
        said = await command(tmp_path, "usage", "--csv", "--url", url)
    assert said.out.split() == ["a,b", "1,2", "3,4"]
