"""A power cut at any moment loses nothing that was accepted or shown, and damages nothing.

A server runs on a disk that keeps a journal of every write and every sync. Afterwards the folder
is made as a cut at a random moment could have left it, opened by the product, and compared with
what clients had been sent before that moment.
"""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from lite_llm_chat.config import Settings
from standins.answers import Answer
from standins.behaviours import Flood
from standins.deepseek import DeepSeekStandIn, Traits
from standins.words import tokens
from tests.conftest import KEY, Product
from tests.durability import oracle
from tests.durability.processes import Server
from tests.torture import record, replayable, scaled, seed

from .power import Luck, image
from .receipts import Receipt, lost_by
from .shim import Operation, Shim

RUNS = scaled(2, 40)
CUTS = scaled(20, 50)  # of each run
STREAMS = 12
TOKENS = 250
TOKENS_PER_S = 120.0
NODE = "tests/faults/test_power_cut.py"


@dataclass(frozen=True)
class Recording:
    """A run: what was on the disk before, what was done to it, and who was told what."""

    folder: Path
    base: dict[str, bytes]
    operations: Sequence[Operation]
    receipts: Sequence[Receipt]


async def recorded(folder: Path, number: int, **settings: object) -> Recording:
    """Let clients talk to a server, then kill it. Every other run begins on a file that is
    there."""
    rng = random.Random(number)
    disk, aside = folder / "disk", folder / "aside"
    disk.mkdir(parents=True)
    aside.mkdir()
    settings = {"database_url": f"sqlite:///{disk}/chat.db", "flush_ms": 20, **settings}
    receipts = [Receipt(_something(rng)) for _ in range(STREAMS)]
    traits = Traits(concurrency=1000)
    async with DeepSeekStandIn(KEY, answer=Answer(tokens_per_s=TOKENS_PER_S), traits=traits) as up:
        if number % 2:
            async with Server("main", aside, up.url, **settings) as server:
                await _talk(server, [Receipt("hello")], rng)
        base = {one.name: one.read_bytes() for one in disk.iterdir()}
        shim = Shim(disk, aside, journal=True)
        async with Server("main", aside, up.url, **settings, **shim.environment()) as server:
            up.play(Flood(count=350, width=4096))
            await _talk(server, [Receipt("fill the write-ahead log, checkpoint it")], rng)
            await _talk(server, receipts, rng)
            await server.kill()
    return Recording(disk, base, shim.operations(), receipts)


def _something(rng: random.Random) -> str:
    said = "".join(tokens(rng.randrange(2**32), TOKENS, "mixed"))
    return said.replace("\n", "\u2028").strip()


async def _talk(server: Server, receipts: Sequence[Receipt], rng: random.Random) -> None:
    async with aiohttp.ClientSession(server.url) as client:
        pauses = [rng.uniform(0, 1) for _ in receipts]
        await asyncio.gather(*map(Receipt.take, receipts, [client] * len(receipts), pauses))


# ── one cut ───────────────────────────────────────────────────────────────────────────────────


@dataclass
class Lost:
    """What all cuts together did."""

    cuts: int = 0
    checkpoints: int = 0
    accepted: int = 0
    seen_bytes: int = 0
    findings: list[str] = field(default_factory=list)


async def cut(recording: Recording, folder: Path, rng: random.Random, lost: Lost) -> None:
    """Cut the power once, start again on what is left, and compare."""
    number = rng.randrange(len(recording.operations) - 1)
    done, moment = recording.operations[: number + 1], recording.operations[number + 1].at_s
    left = image(recording.folder, recording.base, done, Luck.of(rng))
    write_out(folder, left)
    product = await Product(_settings(folder)).start()
    await product.stop()
    lost.cuts += 1
    file = folder / "chat.db"
    lost.findings += oracle.findings(file)
    stored, asked = oracle.logs(file), oracle.questions(file)
    for receipt in recording.receipts:
        if receipt.accepted_at < moment:
            lost.accepted += 1
            lost.seen_bytes += len(receipt.before(moment))
            log = stored.get(receipt.generation_id)
            lost.findings += lost_by(receipt, moment, log, f"say: {receipt.text}" in asked)


def write_out(folder: Path, files: Mapping[str, bytes]) -> None:
    """A folder with these files."""
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)


def _settings(folder: Path) -> Settings:
    return Settings(
        _env_file=None,
        database_url=f"sqlite:///{folder}/chat.db",
        upload_dir=f"{folder}/uploads",
        local_model="off",
        titles="off",
        log_level="error",
    )


# ── tests ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.timeout(60 + 60 * RUNS)
async def test_a_power_cut_loses_nothing_that_was_accepted_or_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost, first = Lost(), seed()
    for run in range(RUNS):
        await _cut_a_run(tmp_path / f"run-{run}", first + run, lost)
        with capsys.disabled():
            print(f"\npower cuts {lost.cuts}, run {run + 1} of {RUNS}", end="", flush=True)
        if lost.findings:
            break
    with capsys.disabled():
        result = (
            f"{lost.cuts} cuts of {run + 1} runs with {lost.checkpoints} writes of checkpoints,"
            f" {lost.accepted} accepted questions and {lost.seen_bytes:,} shown bytes looked for,"
            f" findings {len(lost.findings)}"
        )
        record("G13", "power cut", "accepted or seen lost 0", result, met=not lost.findings)
    with replayable(NODE, first + run):
        assert lost.findings == []
    assert lost.seen_bytes > 0


async def _cut_a_run(folder: Path, number: int, lost: Lost) -> None:
    recording, rng = await recorded(folder, number), random.Random(number)
    assert all(one.accepted_at < float("inf") for one in recording.receipts)
    lost.checkpoints += sum(
        one.name == "write" and one.path.endswith(".db") for one in recording.operations
    )
    for each in range(CUTS):
        await cut(recording, folder / f"cut-{each}", rng, lost)
        if lost.findings:
            break
    shutil.rmtree(folder)


async def test_the_same_cuts_find_what_relaxed_durability_loses(tmp_path: Path) -> None:
    lost, rng = Lost(), random.Random(7)
    recording = await recorded(tmp_path / "run", 6, durability="relaxed")
    for number in range(100):  # a cut soon after a checkpoint may lose nothing
        await cut(recording, tmp_path / f"cut-{number}", rng, lost)
        if any(finding.startswith("I1: ") for finding in lost.findings):
            break
    else:
        pytest.fail("a hundred cuts of a run that syncs seldom lost nothing")
    assert not any(finding.startswith("integrity") for finding in lost.findings)
