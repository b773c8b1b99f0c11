"""`ask`: the answer and nothing else on standard output, and an exit code for every end."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from lite_llm_chat.errors import StartupError
from lite_llm_chat.store.location import Location, Lock
from standins.behaviours import Answer, Gate, Pause, Status
from standins.deepseek import DeepSeekStandIn
from tests.api.follow import order_of
from tests.conftest import Product
from tests.docs.cutter import Cutter
from tests.durability.processes import ROOT, Server, free_port, until

from .standin import serving
from .terminal import Said, Terminal, command, surroundings

STORY = " ".join(f"word{n}" for n in range(1, 201))


async def ask(
    product: Product, folder: Path, *words: str | Path, stdin: bytes | None = None
) -> Said:
    """Run `ask` against a product."""
    return await command(folder, "ask", "--url", product.url, *words, stdin=stdin)


def begin(upstream: DeepSeekStandIn) -> Gate:
    """The next answer begins the story and waits before the gate."""
    gate = Gate()
    upstream.play(Answer(text=STORY, reasoning_tokens=0), Pause(gate, after_tokens=4))
    return gate


def content(upstream: DeepSeekStandIn, number: int = -1) -> str:
    """What the vendor was asked last."""
    return str(order_of(upstream, number)["messages"][-1]["content"])


async def test_the_answer_alone_is_on_standard_output(product: Product, tmp_path: Path) -> None:
    said = await ask(product, tmp_path, "say: Paris, of course")
    assert said == Said(0, "Paris, of course\n", "")


async def test_what_a_pipe_has_is_put_behind_the_question(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    said = await ask(product, tmp_path, "Sum up:", stdin="Grüße\nline two\n".encode())
    assert said.code == 0
    assert content(upstream) == "Sum up:\n\nGrüße\nline two"


async def test_a_pipe_alone_is_the_question(product: Product, tmp_path: Path) -> None:
    assert (await ask(product, tmp_path, stdin=b"say: yes\n")).out == "yes\n"


async def test_no_question_at_all_is_a_wrong_command_line(tmp_path: Path) -> None:
    said = await command(tmp_path, "ask")
    assert (said.code, said.out) == (2, "")
    assert 'lite-llm-chat ask "What is …?"' in said.err


@pytest.mark.parametrize(
    ("piped", "sentence"),
    [(b"\xff\xfe", "no text in UTF-8"), (b"x" * 900_001, "more than 900 kB came")],
)
async def test_a_pipe_that_is_no_text_or_too_long_is_refused_with_the_mend(
    piped: bytes, sentence: str, tmp_path: Path
) -> None:
    said = await command(tmp_path, "ask", "What is this?", stdin=piped)
    assert (said.code, said.out) == (1, "")
    assert sentence in said.err
    assert "--file" in said.err


async def test_json_is_one_object_with_all_that_is_known(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    upstream.play(Answer(text="Paris", reasoning="Hm."))
    said = await ask(product, tmp_path, "--json", "Where?")
    answer = json.loads(said.out)
    assert (said.code, said.err) == (0, "")
    assert answer["content"] == "Paris"
    assert answer["reasoning"] == "Hm."
    assert answer["status"] == "completed"
    assert (answer["provider"], answer["model"]) == ("deepseek", "deepseek-flash")
    assert answer["usage"]["output_tokens"] > 0
    assert answer["cost_microusd"] > 0
    status, kept = await product.call("GET", f"/generations/{answer['generation_id']}")
    assert (status, kept["message_id"]) == (200, answer["message_id"])


async def test_a_session_a_model_a_system_prompt_a_schema_and_a_file_go_with_the_question(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    (tmp_path / "n.txt").write_text("Milk, eggs", "utf-8")
    (tmp_path / "schema.json").write_text('{"type": "object"}', "utf-8")
    first = json.loads((await ask(product, tmp_path, "--json", "say: one")).out)
    upstream.play(Answer(text='{"a": 1}'))
    said = await ask(
        product, tmp_path,
        *("--session", str(first["session_id"]), "--model", "deepseek/deepseek-chat"),
        *("--system", "Be brief.", "--file", tmp_path / "n.txt"),
        *("--schema", tmp_path / "schema.json", "What is it?"),
    )  # fmt: skip
    assert (said.code, said.out) == (0, '{"a": 1}\n')
    order = order_of(upstream)
    assert order["thinking"] == {"type": "disabled"}
    assert order["response_format"]["type"].startswith("json")
    system, question, answer, last = order["messages"]
    assert system["content"].startswith("Be brief.")
    assert (question["content"], answer["content"]) == ("say: one", "one")
    assert "Milk, eggs" in last["content"]


async def test_what_steers_a_terminal_reaches_a_pipe_but_no_terminal(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    evil = "before \x1b]0;gotcha\x07after"
    upstream.play(Answer(text=evil))
    assert (await ask(product, tmp_path, "x")).out == f"{evil}\n"
    upstream.play(Answer(text=evil))
    async with Terminal(tmp_path, "ask", "--url", product.url, "x") as terminal:
        assert await terminal.ended() == 0
        assert b"before ]0;gotchaafter" in terminal.raw


# ── exit codes ────────────────────────────────────────────────────────────────────────────────


async def test_nobody_at_an_address_is_3(tmp_path: Path) -> None:
    said = await command(tmp_path, "ask", "--url", f"http://127.0.0.1:{free_port()}", "Hi")
    assert (said.code, said.out) == (3, "")
    assert said.err.count("\n") == 1
    assert "connection refused" in said.err
    assert "--url" in said.err


async def test_a_stranger_at_an_address_is_3(tmp_path: Path) -> None:
    async def page(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text="<h1>It works!</h1>", content_type="text/html")

    async with serving(page) as url:
        said = await command(tmp_path, "ask", "--url", url, "Hi")
    assert (said.code, said.err.count("\n")) == (3, 1)
    assert "is not Lite-LLM-Chat" in said.err


async def test_what_is_no_address_is_2(tmp_path: Path) -> None:
    said = await command(tmp_path, "ask", "Hi", env={"LITE_LLM_CHAT_URL": "localhost"})
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "'localhost' is no address of a server" in said.err


async def test_a_refused_question_is_4_with_the_servers_sentence(
    product: Product, tmp_path: Path
) -> None:
    said = await ask(product, tmp_path, "--session", "99", "Hi")
    assert (said.code, said.out) == (4, "")
    assert "session 99" in said.err


async def test_a_vendor_that_fails_is_5(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    upstream.play(Status(402))
    said = await ask(product, tmp_path, "Hi")
    assert (said.code, said.out) == (5, "")
    assert "balance" in said.err.lower()


async def test_an_answer_that_a_limit_cut_is_6(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    upstream.play(Answer(text="Once upon", finish_reason="length"))
    said = await ask(product, tmp_path, "Hi")
    assert (said.code, said.out) == (6, "Once upon\n")
    assert "a limit of tokens cut it" in said.err


async def test_ctrl_c_is_130_and_the_answer_is_stopped_and_kept(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    begin(upstream)
    async with Terminal(tmp_path, "ask", "--url", product.url, "Hi") as terminal:
        await terminal.shows("word1")
        terminal.press("\x03")
        assert await terminal.ended() == 130
        assert "Traceback" not in terminal.text
    await upstream.wait_for_disconnect()
    _, session = await product.call("GET", "/sessions/1")
    assert session["messages"][-1]["status"] == "cancelled"
    assert session["messages"][-1]["content"].startswith("word1")


async def test_a_reader_who_leaves_is_no_complaint_and_ends_the_answer(
    product: Product, upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    gate = begin(upstream)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "main.py"), "ask", "--url", product.url, "Hi"),
        cwd=tmp_path,
        env=surroundings(tmp_path),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    await process.stdout.read(5)
    process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]
    gate.open()
    assert await process.wait() == 141
    assert await process.stderr.read() == b""


# ── connections that break ────────────────────────────────────────────────────────────────────


async def test_no_word_is_lost_or_doubled_when_the_connection_breaks_again_and_again(
    product: Product, tmp_path: Path
) -> None:
    story = " ".join(f"word{number}" for number in range(8_000))
    async with Cutter(product.url, bytes_each=20_000) as cutter:  # more than the largest event
        said = await command(tmp_path, "ask", "--url", cutter.url, f"say: {story}")
        assert cutter.cuts > 1
    assert (said.code, said.out) == (0, f"{story}\n")
    assert "[connection lost, resuming…]" in said.err


async def test_a_server_that_is_killed_leaves_6_once_it_is_back(
    upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    begin(upstream)
    async with (
        Server("main", tmp_path, upstream.url) as server,
        Terminal(tmp_path, "ask", "--url", server.url, "Hi") as terminal,
    ):
        await terminal.shows("word1")
        await server.kill()
        await terminal.shows("connection lost, resuming…")
        await server.start()
        assert await terminal.ended() == 6
        assert terminal.text.count("word1") == 1


# ── a server for the time of a command ────────────────────────────────────────────────────────


def is_free(folder: Path) -> bool:
    """No server uses the database of a folder."""
    lock = Lock(Location(folder / "chat.db"))
    try:
        lock.take()
    except StartupError:
        return False
    lock.release()
    return True


async def test_without_a_server_one_is_started_and_has_ended_with_the_command(
    upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    more = {"DEEPSEEK_BASE_URL": upstream.url, "PORT": str(free_port())}
    said = await command(tmp_path, "ask", "say: hello", env=more)
    assert (said.code, said.out) == (0, "hello\n")
    assert f"no server at http://127.0.0.1:{more['PORT']}: one is started" in said.err
    assert is_free(tmp_path)


async def test_a_server_that_was_started_ends_though_its_command_is_killed(
    upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    begin(upstream)
    more = {"DEEPSEEK_BASE_URL": upstream.url, "PORT": str(free_port()), "DRAIN_SECONDS": "0"}
    async with Terminal(tmp_path, "ask", "Hi", env=more) as terminal:
        await terminal.shows("word1")
        assert not is_free(tmp_path)
    await until(lambda: is_free(tmp_path))  # the terminal kills its command


async def test_a_server_that_runs_at_the_usual_place_is_used(
    upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    async with Server("main", tmp_path, upstream.url) as server:
        said = await command(tmp_path, "ask", "say: hello", env={"PORT": str(server.port)})
        assert said == Said(0, "hello\n", "")


async def test_a_database_that_another_server_holds_is_3_and_says_how_to_reach_that_one(
    upstream: DeepSeekStandIn, tmp_path: Path
) -> None:
    async with Server("main", tmp_path, upstream.url):
        said = await command(tmp_path, "ask", "Hi", env={"PORT": str(free_port())})
    assert said.code == 3
    assert "another server uses the database file chat.db" in said.err
    assert "--url" in said.err


async def test_a_wrong_setting_is_one_sentence(tmp_path: Path) -> None:
    said = await command(tmp_path, "ask", "Hi", env={"PORT": "many"})
    assert (said.code, said.out, said.err.count("\n")) == (1, "", 1)
    assert "PORT: input should be a valid integer" in said.err


async def test_a_proxy_with_a_password_is_passed(product: Product, tmp_path: Path) -> None:
    seen: list[str | None] = []

    async def forward(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(request.headers.get("Authorization"))
        if seen[-1] is None:
            return web.Response(status=401, text="who are you?")
        path = request.path_qs.removeprefix("/chat")
        kept = {name: v for name, v in request.headers.items() if name == "Content-Type"}
        async with (
            aiohttp.ClientSession(product.url) as client,
            client.request(request.method, path, data=await request.read(), headers=kept) as reply,
        ):
            headers = {"Content-Type": reply.headers["Content-Type"]}
            return web.Response(status=reply.status, body=await reply.read(), headers=headers)

    async with serving(forward) as url:
        login = url.replace("//", "//me:s%40crt@")
        said = await command(tmp_path, "ask", "--url", f"{login}/chat/", "say: hello")
        bare = await command(tmp_path, "ask", "--url", f"{url}/chat", "Hi")
    assert said == Said(0, "hello\n", "")
    assert set(seen) == {"Basic bWU6c0BjcnQ=", None}
    assert bare.code == 3
    assert "asks for a password" in bare.err
