"""Whatever the description allows is answered as described, whatever it forbids is refused.

    schemathesis ──thousands of requests──▶ a real server ──▶ DeepSeek stand-in, short answers
         │ reads /openapi.json                   │
         └─ every response is checked            └─ its rows are checked in the end

Three phases: the edges of every schema, random requests, and chains of requests that use what
earlier ones returned. A finding is printed with the curl line that shows it.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path

import aiohttp
import pytest

from standins.answers import Answer
from standins.deepseek import DeepSeekStandIn, Traits
from tests.conftest import KEY, question
from tests.durability import oracle
from tests.durability.processes import Server
from tests.torture import record, replayable, scaled, seed

from .schema_hooks import beyond_shape

ME = "tests/api/test_any_request.py"
CASES = scaled(3_000, 50_000)
PHASES = ("--phases", "coverage,fuzzing,stateful")
EXAMPLES = scaled(125, 3_600)  # for each operation and phase: 14 requests come of one
NO_LIMIT = Traits(concurrency=1_000)
SESSIONS = 40  # asked before, so that ids name something
CONFIG = """
hooks = "{hooks}"
request-timeout = 20
continue-on-failure = true

[output.sanitization]
enabled = false

[generation]
database = "none"

[parameters]
"path.session_id" = {{ dictionary = "session_ids", probability = 0.4 }}
"path.message_id" = {{ dictionary = "message_ids", probability = 0.4 }}
"path.generation_id" = {{ dictionary = "generation_ids", probability = 0.6 }}
"body.provider" = {{ dictionary = "providers", probability = 0.9 }}
"body.message_provider" = {{ dictionary = "providers", probability = 0.9 }}
"body.model" = {{ dictionary = "models", probability = 0.9 }}
"body.message_model" = {{ dictionary = "models", probability = 0.9 }}
"body.messages[*].content" = {{ dictionary = "questions", probability = 0.8 }}

[dictionaries]
providers = {{ values = ["deepseek"] }}
questions = {{ values = ["Who?", "say: Grüße, 河 🙂"] }}
models = {{ values = ["deepseek-chat", "deepseek-reasoner"] }}
session_ids = {{ values = {session_ids} }}
message_ids = {{ values = {message_ids} }}
generation_ids = {{ values = {generation_ids} }}

# A form has only text: what was made an object or a number arrives as a file that holds it.
[[operations]]
include-path = "/api/v1/upload"
checks.negative_data_rejection.enabled = false

# It leaves nothing to ask for, so it waits for the last phase.
[[operations]]
include-name = "DELETE /api/v1/sessions"
phases.coverage.enabled = false
phases.fuzzing.enabled = false
"""


async def fill(server: Server) -> dict[str, str]:
    """Ask a few questions; the ids of what there is then, as JSON lists."""
    tickets = []
    async with aiohttp.ClientSession(server.url) as client:
        for number in range(SESSIONS):
            body = question(f"{number}?", background=True)
            async with client.post("/api/v1/chat", json=body) as response:
                tickets.append(await response.json())
    names = ("session_id", "message_id", "generation_id")
    return {f"{name}s": json.dumps([ticket[name] for ticket in tickets]) for name in names}


async def fuzz(server: Server, folder: Path, fuzz_seed: int) -> tuple[int, str]:
    """The exit code of the fuzzer and all that it said; its lines are printed as they come."""
    config = folder / "schemathesis.toml"
    hooks = Path(__file__).with_name("schema_hooks.py")
    config.write_text(CONFIG.format(hooks=hooks, **await fill(server)), "utf-8")
    start = "from schemathesis.cli import schemathesis; schemathesis()"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", start, "--config-file", str(config)),
        *("run", f"{server.url}/openapi.json", "--no-color", *PHASES),
        *("--seed", str(fuzz_seed), "--max-examples", str(EXAMPLES)),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    lines = []
    try:
        async for raw in process.stdout:
            lines.append(raw.decode())
            print(lines[-1][:300].rstrip(), flush=True)
    except BaseException:
        process.kill()
        raise
    return await process.wait(), "".join(lines)


async def heartbeat(upstream: DeepSeekStandIn) -> None:
    """A line every so often."""
    while True:
        await asyncio.sleep(20)
        print(f"G4 … {len(upstream.requests)} questions have reached the vendor", flush=True)


@pytest.mark.timeout(scaled(170, 3_600))
async def test_every_request_is_answered_as_it_is_described(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fuzz_seed = seed()
    with replayable(ME, fuzz_seed), capsys.disabled():
        async with (
            DeepSeekStandIn(KEY, answer=Answer(text="Yes."), traits=NO_LIMIT) as upstream,
            Server("main", tmp_path, upstream.url, log_level="warning", drain_seconds=0) as server,
        ):
            beating = asyncio.create_task(heartbeat(upstream))
            code, said = await fuzz(server, tmp_path, fuzz_seed)
            beating.cancel()
        cases = int(found[1]) if (found := re.search(r"(\d+) generated", said)) else 0
        met = code == 0 and cases >= CASES
        wanted = f"{CASES} cases without a finding"
        record("G4", "requests made from the description", wanted, f"{cases}, exit {code}", met)
        assert code == 0, said[-20_000:]
        assert cases > CASES / 2  # the seed decides a little
        assert "Traceback" not in server.output
        assert oracle.findings(server.database, at_rest=False) == []


@pytest.mark.parametrize(
    ("code", "detail", "dropped"),
    [
        ("unknown_model", "there is no such model", True),
        (
            "validation_error",
            [{"msg": "Value error, it is empty: there is nothing to answer"}],
            True,
        ),
        ("validation_error", [{"msg": "Input should be a valid string"}], False),
        ("invalid_idempotency_key", "an Idempotency-Key is …", False),
        ("provider_unknown_model", "the vendor does not know it", True),
        ("upstream_unreachable", "no connection", False),
        ("internal_error", "a defect", False),
    ],
)
def test_only_a_refusal_that_no_shape_announces_is_dropped(
    code: str, detail: object, dropped: bool
) -> None:
    assert beyond_shape(json.dumps({"code": code, "detail": detail}).encode()) is dropped
