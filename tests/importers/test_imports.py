"""Imports themselves: twice, dry, cancelled, cut, too much, and in the midst of answers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from lite_llm_chat.history import taking
from lite_llm_chat.importers.base import Utterance
from lite_llm_chat.store import imports as store
from lite_llm_chat.store.database import Connection
from standins.behaviours import Gate, Pause
from standins.deepseek import DeepSeekStandIn
from tests.api.conftest import Launch
from tests.api.follow import order_of
from tests.api.truth import send
from tests.conftest import Product, question

from .bring import as_json, branch, bring, counts, rows, sessions, shown, start, talk, zipped
from .chatgpt import node, plain
from .chatgpt import talk as conversation


async def test_a_second_run_finds_everything_here_already(product: Product) -> None:
    data = zipped({"conversations.json": [plain(n) for n in range(1, 6)]})
    await bring(product, data)
    before = (
        rows(product, "SELECT * FROM chat_sessions"),
        rows(product, "SELECT * FROM chat_messages"),
    )
    again = await bring(product, data)
    assert (counts(again), again["messages"]) == ({"already_here": 5}, 0)
    assert before == (
        rows(product, "SELECT * FROM chat_sessions"),
        rows(product, "SELECT * FROM chat_messages"),
    )
    [listed, _] = (await send(product, "GET", "/api/v1/imports")).json
    assert listed["id"] == again["id"]
    assert "entries" not in listed


async def test_what_was_said_since_is_added_and_the_branch_goes_on(product: Product) -> None:
    await bring(product, as_json([plain()]))
    grown = plain(update_time=1_700_000_500.5, current_node="a2")
    for one in (node("q2", "a", "user", "More"), node("a2", "q2", "assistant", "Then")):
        grown["mapping"][one["id"]] = one
    done = await bring(product, as_json([grown]))
    assert (counts(done), done["messages"]) == ({"updated": 1}, 2)
    assert [words for _, words in await talk(product, "Talk 1")] == [
        *("Question 1", "Answer 1", "More", "Then"),
    ]
    assert (await sessions(product))["Talk 1"]["updated_at"] == "2023-11-14T22:21:40.500000Z"


async def test_a_branch_that_a_person_went_on_with_here_stays_the_shown_one(
    product: Product,
) -> None:
    await bring(product, as_json([plain()]))
    session = (await sessions(product))["Talk 1"]
    asked = question("say: Here", session_id=session["id"])
    await (await product.stream("/chat", asked)).rest()
    here = await talk(product, "Talk 1")
    assert here[2:] == [("user", "say: Here"), ("assistant", "Here")]
    grown = plain(current_node="q2")
    grown["mapping"]["q2"] = node("q2", "a", "user", "There")
    done = await bring(product, as_json([grown]))
    assert (counts(done), done["messages"]) == ({"updated": 1}, 1)
    assert await talk(product, "Talk 1") == here
    assert len(rows(product, "SELECT id FROM chat_messages")) == 5


async def test_an_imported_talk_goes_on_with_all_that_it_holds(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    call = {"content_type": "code", "language": "python", "text": "1+1"}
    drawn: dict[str, Any] = {"parts": ["Two", {"asset_pointer": "sediment://file_1"}]}
    plainly: dict[str, Any] = {"parts": ["Drawn", {"asset_pointer": "sediment://file_1"}]}
    tree = conversation(
        node("q", None, "user", "1+1?"),
        node("c", "q", "assistant", content=call, recipient="python"),
        node("r", "c", "tool", "2"),
        node("a", "r", "assistant", content=drawn),
        node("q2", "a", "user", "Draw"),
        node("a2", "q2", "assistant", content=plainly),
    )
    await bring(product, zipped({"conversations.json": [tree], "file_1.png": b"no picture"}))
    session = (await sessions(product))["A talk"]
    asked = question("say: Fine", session_id=session["id"])
    frames = await (await product.stream("/chat", asked)).rest()
    assert frames[-1].data == {"done": True}
    sent = order_of(upstream)["messages"]
    assert [(one["role"], one["content"]) for one in sent][2:] == [
        *(("tool", "2"), ("assistant", "Two"), ("user", "Draw"), ("assistant", "Drawn")),
        ("user", "say: Fine"),
    ]
    assert sent[1]["tool_calls"][0]["function"]["name"] == "python"


async def test_a_dry_run_says_the_same_and_writes_nothing(product: Product) -> None:
    await bring(product, as_json([plain(1)]))
    before = rows(product, "SELECT * FROM chat_sessions"), rows(product, "SELECT * FROM files")
    grown = plain(1)
    grown["mapping"]["q2"] = node("q2", "a", "user", "More")
    files = {"attachments": [{"id": "file-1", "name": "a.txt"}]}
    tree = plain(2)
    tree["mapping"]["q"]["message"]["metadata"] = files
    data = zipped({"conversations.json": [grown, tree, {"x": 1}], "file-1-a.txt": b"a"})
    dry = await bring(product, data, dry_run="true")
    assert before == (
        rows(product, "SELECT * FROM chat_sessions"),
        rows(product, "SELECT * FROM files"),
    )
    assert dry["dry_run"] is True
    assert [one["session_id"] is None for one in dry["entries"]] == [True, False, True]
    wet = await bring(product, data)
    for name in ("conversations", "messages", "files", "format", "status"):
        assert dry[name] == wet[name], name
    assert counts(wet) == {"imported": 1, "updated": 1, "skipped": 1}


async def test_what_is_in_the_trash_stays_there(product: Product) -> None:
    await bring(product, as_json([plain()]))

    def trash(conn: Connection) -> None:
        conn.exec_driver_sql("UPDATE chat_sessions SET deleted_at = '2026-01-01 00:00:00.000000'")

    await product.parts.database.write(trash)
    grown = plain()
    grown["mapping"]["q2"] = node("q2", "a", "user", "More")
    done = await bring(product, as_json([grown]))
    assert counts(done) == {"skipped": 1}
    assert "in the trash" in done["entries"][0]["why"]
    assert len(rows(product, "SELECT id FROM chat_messages")) == 2


def left_of(product: Product) -> list[Path]:
    """The folders of imports beside the database."""
    folder = Path(product.settings.database_url.removeprefix("sqlite:///") + "-imports")
    return list(folder.iterdir()) if folder.exists() else []


def long_talk(count: int, number: int = 1) -> dict[str, Any]:
    nodes = [node("n0", None, "user", "word 0")]
    for n in range(1, count):
        role = "assistant" if n % 2 else "user"
        nodes.append(node(f"n{n}", f"n{n - 1}", role, f"word {n}"))
    key = f"long-{number}"
    return conversation(*nodes, id=key, conversation_id=key, title=f"Long {number}")


async def test_a_long_talk_is_written_in_steps_and_shown_when_it_is_whole(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[int, int]] = []
    whole = store.show

    def watched(conn: Connection, *values: Any) -> None:
        unseen = "SELECT count(*) FROM chat_sessions WHERE deleted_at IS NULL"
        [(before,)] = conn.exec_driver_sql(unseen).all()
        [(messages,)] = conn.exec_driver_sql("SELECT count(*) FROM chat_messages").all()
        steps.append((before, messages))
        whole(conn, *values)

    monkeypatch.setattr(store, "show", watched)
    done = await bring(product, as_json([long_talk(1050)]))
    assert steps[0] == (0, 1050)
    assert (counts(done), done["messages"]) == ({"imported": 1}, 1050)
    assert len(await branch(product, "Long 1")) == 1050
    again = await bring(product, as_json([long_talk(1300)]))
    assert (counts(again), again["messages"]) == ({"updated": 1}, 250)
    assert len(await branch(product, "Long 1")) == 1300
    dry = await bring(product, as_json([long_talk(1500)]), dry_run="true")
    assert (counts(dry), dry["messages"]) == ({"updated": 1}, 200)


class Held:
    """Holds the import at its first frame of a kind."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kind: type, *, after: int) -> None:
        self.reached, self.gate = asyncio.Event(), asyncio.Event()
        usual, left = taking.Taking._frame, [after]

        async def frame(self_: taking.Taking, one: Any) -> None:
            if isinstance(one, kind):
                left[0] -= 1
                if left[0] == 0:
                    self.reached.set()
                    await self.gate.wait()
            await usual(self_, one)

        monkeypatch.setattr(taking.Taking, "_frame", frame)


async def test_a_cancelled_import_keeps_what_is_whole_and_nothing_else(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch, Utterance, after=2 + 500)
    data = as_json([plain(1), long_talk(900), plain(2)])
    reply = await start(product, data)
    await held.reached.wait()
    mid = await shown(product, reply.json["id"])
    assert mid["status"] == "running"
    second = await start(product, data)
    assert second.verdict == (409, "import_running")
    assert list(await sessions(product)) in (["Talk 1"], ["Long 1", "Talk 1"], ["Talk 1", "Long 1"])
    ended = await send(product, "POST", f"/api/v1/imports/{reply.json['id']}/cancel")
    assert (ended.status, ended.json["status"]) == (200, "cancelled")
    assert list(await sessions(product)) == ["Talk 1"]
    assert len(rows(product, "SELECT id FROM chat_messages")) == 2
    late = await send(product, "POST", f"/api/v1/imports/{reply.json['id']}/cancel")
    assert late.verdict == (409, "import_ended")
    monkeypatch.undo()
    done = await bring(product, data)
    assert counts(done) == {"already_here": 1, "imported": 2}


async def test_a_stop_of_the_server_interrupts_and_running_again_finishes(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch, Utterance, after=500)
    data = as_json([plain(1), long_talk(900)])
    reply = await start(product, data)
    await held.reached.wait()
    await product.restart()
    monkeypatch.undo()
    assert (await shown(product, reply.json["id"]))["status"] == "interrupted"
    assert counts(await bring(product, data)) == {"already_here": 1, "imported": 1}


async def test_what_a_killed_server_left_is_taken_away_at_the_next_start(product: Product) -> None:
    await bring(product, as_json([long_talk(300)]))

    def as_after_a_kill(conn: Connection) -> None:
        conn.exec_driver_sql("UPDATE chat_sessions SET deleted_at = '9999-01-01 00:00:00.000000'")
        conn.exec_driver_sql("UPDATE imports SET status = 'running', ended_at = NULL")

    await product.parts.database.write(as_after_a_kill)
    [place] = left_of(product)
    (place / "archive").write_bytes(b"half")
    await product.restart()
    assert rows(product, "SELECT id FROM chat_messages") == []
    assert rows(product, "SELECT id FROM chat_sessions") == []
    assert [path.name for path in place.iterdir()] == ["report.ndjson"]
    [one] = (await send(product, "GET", "/api/v1/imports")).json
    assert one["status"] == "interrupted"
    assert counts(await bring(product, as_json([long_talk(300)]))) == {"imported": 1}


async def test_answers_are_written_while_an_import_runs(
    product: Product, upstream: DeepSeekStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    upstream.play(Pause(gate, after_tokens=1))
    stream = await product.ask("say: Hello there")
    await stream.until("content")
    held = Held(monkeypatch, Utterance, after=250)
    await start(product, as_json([long_talk(400)]))
    await held.reached.wait()
    gate.open()
    frames = await stream.rest()
    assert frames[-1].data == {"done": True}
    held.gate.set()
    await product.parts.imports.settled()
    assert "Long 1" in await sessions(product)


async def test_the_whole_report_has_a_line_for_every_entry(product: Product) -> None:
    done = await bring(product, as_json([plain(n) for n in range(1, 1100)] + [{"x": 1}]))
    assert len(done["entries"]) == 1000
    report = await send(product, "GET", f"/api/v1/imports/{done['id']}/report")
    lines = [json.loads(line) for line in report.body.splitlines()]
    assert report.headers["content-type"].startswith("application/x-ndjson")
    assert [one["outcome"] for one in lines].count("imported") == 1099
    assert len(lines) == 1100
    assert lines[:1000] == done["entries"]


async def test_a_file_that_is_no_export_is_refused_in_a_sentence(product: Product) -> None:
    for data in (b"", b"hello", b"{}", b"[1, 2]", zipped({"a.txt": b"x"}), b"\x89PNG\r\n", b"[{"):
        done = await bring(product, data)
        assert (done["status"], done["format"]) == ("failed", None), data
        assert done["error"].startswith("nothing in this file"), data
    cut = zipped({"conversations.json": [plain(n) for n in range(200)]})[:-400]
    assert (await bring(product, cut))["status"] == "failed"


async def test_only_the_wished_format_is_taken(product: Product) -> None:
    claude = {"uuid": "u", "name": "C", "chat_messages": [{"sender": "human", "text": "Hi"}]}
    data = as_json([plain(), claude])
    assert counts(await bring(product, data, format="claude")) == {"skipped": 1, "imported": 1}
    assert list(await sessions(product)) == ["C"]
    reply = await start(product, data, format="word")
    assert reply.verdict[0] == 422


async def test_a_body_that_any_web_page_could_post_is_refused(product: Product) -> None:
    for kind in (
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
    ):
        headers = {"content-type": kind}
        refused = await send(product, "POST", "/api/v1/imports", b"[]", headers)
        assert refused.verdict == (415, "unsupported_media_type"), kind
    assert (await send(product, "GET", "/api/v1/imports")).json == []


async def test_a_file_that_is_too_large_is_refused_and_leaves_nothing(launch: Launch) -> None:
    product = await launch(max_import_bytes=5000, max_body_bytes=1024)
    assert (await start(product, b"x" * 5001)).verdict == (413, "body_too_large")
    assert left_of(product) == []
    assert (await bring(product, as_json([plain()])))["status"] == "completed"


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def test_an_archive_is_gone_after_its_import_and_was_private(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch, Utterance, after=1)
    await start(product, as_json([plain()]), name="../../etc/x.json")
    await held.reached.wait()
    [place] = left_of(product)
    assert [mode_of(path) for path in (place, place / "archive")] == [0o700, 0o600]
    held.gate.set()
    await product.parts.imports.settled()
    assert [path.name for path in place.iterdir()] == ["report.ndjson"]
    [one] = (await send(product, "GET", "/api/v1/imports")).json
    assert one["name"] == "x.json"


async def test_an_unknown_import_is_not_found(product: Product) -> None:
    for method, end in (("GET", ""), ("GET", "/report"), ("POST", "/cancel")):
        refused = await send(product, method, f"/api/v1/imports/none{end}")
        assert refused.verdict == (404, "import_not_found")
