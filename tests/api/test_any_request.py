"""Whatever the description allows is answered as described, whatever it forbids is refused.

    schemathesis ──thousands of requests──▶ a real server ──▶ DeepSeek stand-in, short answers
         │ reads /openapi.json                   │
         └─ every response is checked            └─ its rows are checked in the end

Three phases: the edges of every schema, random requests, and chains of requests that use what
earlier ones returned. They come in rounds, each from a seed of its own and on what those before it
left, until the wanted number of cases was made. The edges are the same every time, so they belong
to the first round only. A finding ends the rounds and is printed with the curl line that shows it.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from dataclasses import dataclass
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
EDGES, RANDOM = "coverage,", "fuzzing,stateful"  # phases
# For each operation of a round. Many operations have few different requests, so they take fewer. A
# large number makes each request slower.
EXAMPLES = scaled(40, 600)
ROUNDS = scaled(2, 9)  # at the most; 1 and 6 are enough
NO_LIMIT = Traits(concurrency=1_000)
LONGEST_LINE = 64 * 1024 * 1024  # bytes: a curl line holds the whole of a body
SESSIONS = 40  # asked before, so that ids name something
CONFIG = """
hooks = "{hooks}"
request-timeout = 20
continue-on-failure = true

[output.sanitization]
enabled = false

[generation]
database = "none"

# A list that is too long may be refused for the bytes of the body before anybody counts its items.
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429, "5xx"]

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


@dataclass
class Fuzzed:
    """What the rounds came to; `seed`, `code` and `said` are the last one's."""

    cases: int
    rounds: int
    seed: int
    code: int
    said: str


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


async def fuzz(server: Server, folder: Path, fuzz_seed: int, phases: str) -> tuple[int, str]:
    """The exit code of the fuzzer and all that it said; its lines are printed as they come."""
    config = folder / "schemathesis.toml"
    hooks = Path(__file__).with_name("schema_hooks.py")
    config.write_text(CONFIG.format(hooks=hooks, **await fill(server)), "utf-8")
    start = "from schemathesis.cli import schemathesis; schemathesis()"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", start, "--config-file", str(config)),
        *("run", f"{server.url}/openapi.json", "--no-color", "--phases", phases),
        *("--seed", str(fuzz_seed), "--max-examples", str(EXAMPLES)),
        cwd=folder,
        limit=LONGEST_LINE,
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


async def fuzz_enough(server: Server, folder: Path, first_seed: int) -> Fuzzed:
    """Rounds from first_seed, first_seed + 1, … until CASES were made, something was found, or
    ROUNDS are over."""
    done = Fuzzed(0, 0, first_seed, 0, "")
    while done.cases < CASES and done.code == 0 and done.rounds < ROUNDS:
        done.seed = first_seed + done.rounds
        phases = RANDOM if done.rounds else EDGES + RANDOM
        with replayable(ME, done.seed):
            done.code, done.said = await fuzz(server, folder, done.seed, phases)
        made = re.search(r"(\d+) generated", done.said)
        done.cases += int(made[1]) if made else 0
        done.rounds += 1
        print(f"G4 … {done.cases} of {CASES} cases in {done.rounds} rounds", flush=True)
    return done


async def heartbeat(upstream: DeepSeekStandIn) -> None:
    """A line every so often."""
    while True:
        await asyncio.sleep(20)
        print(f"G4 … {len(upstream.requests)} questions have reached the vendor", flush=True)


@pytest.mark.timeout(scaled(170, 3_600))
async def test_every_request_is_answered_as_it_is_described(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        async with (
            DeepSeekStandIn(KEY, answer=Answer(text="Yes."), traits=NO_LIMIT) as upstream,
            Server("main", tmp_path, upstream.url, log_level="warning", drain_seconds=0) as server,
        ):
            beating = asyncio.create_task(heartbeat(upstream))
            done = await fuzz_enough(server, tmp_path, seed())
            beating.cancel()
        met = done.code == 0 and done.cases >= CASES
        wanted = f"{CASES} cases without a finding"
        result = f"{done.cases} in {done.rounds} rounds, last seed {done.seed}, exit {done.code}"
        record("G4", "requests made from the description", wanted, result, met)
        with replayable(ME, done.seed):
            assert done.code == 0, done.said[-20_000:]
            assert done.cases >= CASES
            assert "Traceback" not in server.output
            assert oracle.findings(server.database, at_rest=False) == []


@pytest.mark.parametrize(
    ("ends", "rounds", "cases"),
    [
        ([(0, CASES // 2 + 1), (0, CASES // 2 + 1)], 2, CASES // 2 * 2 + 2),
        ([(0, CASES)], 1, CASES),
        ([(1, 9)], 1, 9),
        ([(0, 0)] * ROUNDS, ROUNDS, 0),
    ],
    ids=["short of it", "enough", "a finding", "never enough"],
)
async def test_rounds_go_on_until_there_were_enough_cases_or_a_finding(
    ends: list[tuple[int, int]], rounds: int, cases: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, seeds, edges = list(ends), [], []

    async def one_round(_server: Server, _: Path, chosen: int, phases: str) -> tuple[int, str]:
        seeds.append(chosen)
        edges.append("coverage" in phases)
        code, made = left.pop(0)
        return code, f"  {made} generated, {made} passed" if made else "No test cases"

    monkeypatch.setattr(f"{__name__}.fuzz", one_round)
    done = await fuzz_enough(Server("main", Path()), Path(), 70)
    assert (done.rounds, done.cases, done.code) == (rounds, cases, ends[-1][0])
    assert seeds == list(range(70, 70 + rounds))
    assert done.seed == seeds[-1]
    assert edges == [True] + [False] * (rounds - 1)


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
        ("body_too_large", "send less at once", True),
        ("upstream_unreachable", "no connection", False),
        ("internal_error", "a defect", False),
    ],
)
def test_only_a_refusal_that_no_shape_announces_is_dropped(
    code: str, detail: object, dropped: bool
) -> None:
    assert beyond_shape(json.dumps({"code": code, "detail": detail}).encode()) is dropped
