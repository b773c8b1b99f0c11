"""`doctor` in set-ups that are broken on purpose: it names what is wrong, and the mend."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest
from aiohttp import web

from lite_llm_chat.cli.machine import versions
from standins.behaviours import Status
from standins.deepseek import DeepSeekStandIn
from tests.durability.processes import Server, free_port

from .standin import serving
from .terminal import Terminal, command

Found = dict[str, dict[str, str]]


async def examined(
    folder: Path, env: Mapping[str, str], *words: str, code: int | None = None
) -> Found:
    """What the doctor finds, by what it looked at; the last word on each."""
    wanted = {"PORT": str(free_port()), **env}
    said = await command(folder, "doctor", "--json", *words, env=wanted)
    assert said.err == ""
    found = {one["what"]: one for one in json.loads(said.out)}
    failed = any(one["level"] == "fail" for one in found.values())
    assert said.code == int(failed)
    assert code in (None, said.code)
    return found


async def test_all_is_well_with_a_key_that_the_vendor_takes(
    upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    found = await examined(tmp_path, {"DEEPSEEK_BASE_URL": upstream.url}, code=0)
    assert {name: one["level"] for name, one in found.items()} == dict.fromkeys(found, "ok")
    assert {"Python", "SQLite", "packages", "settings", "disk space", "database"} <= found.keys()
    assert found["deepseek"]["said"].startswith("answers, ")
    assert found["who answers"]["said"] == "deepseek"
    assert not (tmp_path / "chat.db").exists()  # looking makes nothing
    assert not (tmp_path / "uploads").exists()


async def test_a_key_that_is_refused_fails_with_the_setting_to_change(
    upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    upstream.always(Status(401))
    found = await examined(tmp_path, {"DEEPSEEK_BASE_URL": upstream.url}, code=1)
    assert found["deepseek"]["level"] == "fail"
    assert "DEEPSEEK_API_KEY" in found["deepseek"]["mend"]


async def test_a_vendor_that_nobody_asked_for_is_a_warning_only(
    upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    env = {
        "DEEPSEEK_BASE_URL": upstream.url,
        "GROQ_API_KEY": "x-canary",
        "GROQ_BASE_URL": "http://127.0.0.1:9",
    }
    found = await examined(tmp_path, env, code=0)
    assert found["groq"]["level"] == "warn"
    assert "canary" not in json.dumps(found)


async def test_offline_asks_nobody(upstream: DeepSeekStandIn, tmp_path: Path) -> None:
    env = {"DEEPSEEK_BASE_URL": upstream.url}
    found = await examined(tmp_path, env, "--offline", code=0)
    assert found["keys"]["said"] == "set for deepseek"
    assert upstream.requests == []


async def test_without_any_key_the_mend_is_named(tmp_path: Path) -> None:
    env = {"DEEPSEEK_API_KEY": "", "DEFAULT_PROVIDER": "deepseek"}
    found = await examined(tmp_path, env, "--offline", code=1)
    assert found["who answers"]["mend"] == "set DEEPSEEK_API_KEY in .env and restart"


async def test_a_default_provider_that_nobody_is_is_named(tmp_path: Path) -> None:
    found = await examined(tmp_path, {"DEFAULT_PROVIDER": "nobody"}, "--offline", code=1)
    assert "'nobody'" in found["who answers"]["said"]


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ({"PORT": "many"}, "PORT: input should be a valid integer"),
        ({"DATABASE_URL": "mysql://x/y"}, "DATABASE_URL must name a SQLite file"),
    ],
)
async def test_wrong_settings_end_the_examination_with_their_sentence(
    tmp_path: Path, env: Mapping[str, str], sentence: str
) -> None:
    found = await examined(tmp_path, env, code=1)
    assert sentence in found["settings"]["said"]
    assert "disk space" not in found


async def test_a_file_of_ones_own_that_is_broken_is_named(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text("[[price", "utf-8")
    found = await examined(tmp_path, {}, "--offline", code=1)
    assert "prices.toml" in found["own files"]["said"]


async def test_a_folder_that_is_a_file_is_named_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "uploads").write_text("in the way", "utf-8")
    found = await examined(tmp_path, {}, "--offline", code=1)
    assert "UPLOAD_DIR" in found["upload folder"]["mend"]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
async def test_a_folder_without_the_right_to_write_is_named(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    env = {"DATABASE_URL": f"sqlite:///{tmp_path}/closed/chat.db"}
    found = await examined(tmp_path, env, "--offline", code=1)
    assert "right to write" in found["database folder"]["mend"]


async def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    text = b"a shopping list\n" * 1000
    (tmp_path / "chat.db").write_bytes(text)
    found = await examined(tmp_path, {}, "--offline", code=1)
    assert "restore a backup" in found["database"]["mend"]
    assert (tmp_path / "chat.db").read_bytes() == text


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (["CREATE TABLE recipes (id INTEGER)"], "other tables than this server's"),
        (
            [
                "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
                "INSERT INTO alembic_version VALUES ('9999')",
            ],
            "9999, this program knows",
        ),
    ],
)
async def test_a_database_of_another_program_or_version_is_named(
    tmp_path: Path, statements: list[str], said: str
) -> None:
    with closing(sqlite3.connect(tmp_path / "chat.db")) as file, file:
        for statement in statements:
            file.execute(statement)
    found = await examined(tmp_path, {}, "--offline", code=1)
    assert said in found["revision"]["said"]


async def test_beside_a_running_server_all_is_well_and_the_server_is_named(
    upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    async with Server("main", tmp_path, upstream.url) as server:
        env = {"PORT": str(server.port), "DEEPSEEK_BASE_URL": upstream.url}
        found = await examined(tmp_path, env, code=0)
        assert found["port"]["said"] == f"http://127.0.0.1:{server.port} answers: a server runs"
        assert "sound" in found["database"]["said"]


async def test_sessions_of_the_future_are_a_warning_about_the_clock(
    upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    async with Server("main", tmp_path, upstream.url) as server:
        await command(tmp_path, "ask", "--url", server.url, "say: hello")
    with closing(sqlite3.connect(tmp_path / "chat.db")) as file, file:
        file.execute("UPDATE chat_sessions SET updated_at = '2999-01-01 00:00:00.000000'")
    said = await command(tmp_path, "doctor", "--offline", env={"PORT": str(free_port())})
    assert said.code == 0
    assert "warn  clock: the newest session is of 2999-01-01" in said.out
    assert "keep it by NTP" in said.out


async def test_a_clock_that_is_not_the_vendors_is_a_warning(tmp_path: Path) -> None:
    async def yesterday(_request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response({"data": []}, headers={"Date": "Sun, 29 Nov 1999 08:00:00 GMT"})

    async with serving(yesterday) as url:
        env = {"DEEPSEEK_BASE_URL": url, "PORT": str(free_port())}
        said = await command(tmp_path, "doctor", env=env)
    assert "ahead of DeepSeek's" in said.out


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        env = {"PORT": str(taken.getsockname()[1])}
        found = await examined(tmp_path, env, "--offline", code=1)
    assert "choose another PORT" in found["port"]["mend"]


def test_packages_are_held_against_the_pins(tmp_path: Path) -> None:
    (tmp_path / "requirement.txt").write_text("rich==0.0.1\nno-such-thing==1.0\n", "utf-8")
    [found] = [one for one in versions(tmp_path) if one.what == "packages"]
    assert found.level == "warn"
    assert "no-such-thing is missing; rich is " in found.said
    assert "instead of 0.0.1" in found.said


async def test_in_a_terminal_a_mark_stands_before_each_line_and_the_mend_below(
    tmp_path: Path,
) -> None:
    env = {"DEFAULT_PROVIDER": "nobody", "PORT": str(free_port())}
    async with Terminal(tmp_path, "doctor", "--offline", env=env) as terminal:
        assert await terminal.ended() == 1
        assert "✓ Python " in terminal.screen
        assert "✗ who answers      DEFAULT_PROVIDER is 'nobody'" in terminal.screen
        assert "→ choose one of deepseek" in terminal.screen
