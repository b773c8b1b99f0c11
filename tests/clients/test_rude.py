"""Clients that leave in the middle, come back all the time, or ask for what there is not."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter

import pytest

from standins.behaviours import Answer, Pause
from standins.deepseek import DeepSeekStandIn
from standins.reply import Gate
from tests.api.follow import begin, hold, spoken
from tests.conftest import Product
from tests.durability.test_nothing_left import idle
from tests.torture import record, scaled

from .raw import ask, body_of, dial, frames_of, get, say
from .readers import Lead, Ticket, ask_behind, others_are_served, prose
from .trial import Trial

RESETS = scaled(100, 2_000)
SOME = 20  # at the same time
TABS = 20
GLANCES = 10  # between two answers of somebody else
RECONNECT_TOKENS = scaled(400, 3_000)  # of an answer of a hundred tokens a second


async def stored(product: Product) -> dict[str, str]:
    """Every question and its answer; each session has one of each."""
    _, sessions = await product.call("GET", "/sessions?limit=1000")
    found = {}
    for session in sessions:
        (_, question), (_, answer) = await spoken(product, session["id"])
        found[question] = answer
    return found


# ── RST at any byte ───────────────────────────────────────────────────────────────────────────


async def reset_somewhere(product: Product, text: str, rng: random.Random) -> str:
    """Ask and leave with an RST at some byte; how far it came: `cut` in the request, `sent`
    after it, `heard` in the middle of the response."""
    line, request = await dial(product), ask(text)
    sent = rng.choice((len(request), rng.randrange(len(request))))
    line.send(request[:sent])
    wanted = rng.choice((0, rng.randrange(2_000))) if sent == len(request) else 0
    raw = await line.read(wanted)
    line.reset()
    if sent < len(request):
        return "cut"
    return "heard" if raw else "sent"


async def test_an_rst_at_any_byte_leaves_a_whole_question_and_its_whole_answer_or_neither(
    product: Product, upstream: DeepSeekStandIn, trial: Trial
) -> None:
    upstream.always(Answer(tokens_per_s=500))
    kinds: Counter[str] = Counter()
    for number in range(RESETS // SOME):
        with trial.round(number) as rng:
            texts = [f"say: {n} {prose(rng, 60)}" for n in range(SOME)]
            ways = await asyncio.gather(*(reset_somewhere(product, t, rng) for t in texts))
            await others_are_served(product)
            await idle(product)
            kept = await stored(product)
            for text, way in zip(texts, ways, strict=True):
                assert way != "cut" or text not in kept
                assert way != "heard" or text in kept
                assert kept.get(text, text[5:]) == text[5:]
        assert (await product.call("DELETE", "/sessions"))[0] == 204
        kinds.update(ways)
    with trial.told():
        result = f"{dict(kinds)} (seed {trial.first})"
        what, wanted = "RST at a random byte", "a whole question with its whole answer, or neither"
        record("clients", what, wanted, result, met=True)


# ── coming back all the time ──────────────────────────────────────────────────────────────────


@pytest.mark.timeout(120 + RECONNECT_TOKENS // 10)
async def test_a_reader_that_reconnects_a_hundred_times_a_second_disturbs_nobody(
    product: Product, upstream: DeepSeekStandIn, trial: Trial
) -> None:
    upstream.play(Answer(tokens_per_s=100))
    lead, times = Lead(), 0
    with trial.round() as rng:
        text = prose(rng, RECONNECT_TOKENS)
        ticket = await ask_behind(product, f"say: {text}")
        reading = asyncio.create_task(lead.follow(product, ticket))
        began = time.monotonic()
        while not reading.done():
            await asyncio.gather(*(glance(product, ticket, lead, rng) for _ in range(GLANCES)))
            await others_are_served(product)
            times += GLANCES
        seconds = time.monotonic() - began
        await reading
        assert (await spoken(product, ticket.session_id))[1] == ("assistant", text)
    with trial.told():
        result = f"{times} in {seconds:.1f} s, answer whole, others served (seed {trial.first})"
        what, wanted = "reconnecting to a running log", "100 a second, nobody disturbed"
        record("clients", what, wanted, result, times >= 100 * seconds)


async def glance(product: Product, ticket: Ticket, lead: Lead, rng: random.Random) -> None:
    """Connect with some number, see that what comes follows it, leave."""
    after = rng.randrange(len(lead.log) + 1)
    line = await dial(product)
    line.send(get(f"{ticket.events}?after={after}"))
    raw = await line.read(rng.randrange(600))
    rng.choice((line.leave, line.reset))()
    assert [seq for seq, _ in frames_of(body_of(raw))][:1] in ([], [after + 1])


# ── cursors that make no sense ────────────────────────────────────────────────────────────────

LENGTH = 3  # started, text, ended
HUGE = 10**30


@pytest.mark.parametrize(
    ("query", "header", "outcome"),
    [
        ("?after=-1", None, 422),
        (f"?after={HUGE}", None, 422),
        ("?after=9223372036854775807", None, 409),
        (f"?after={LENGTH + 1}", None, 409),
        ("?after=abc", None, 422),
        ("?after=1.5", None, 422),
        ("?after=1e3", None, 422),
        ("?after=", None, 422),
        ("?after=%00", None, 422),
        ("?after=%D9%A3", None, 422),  # a digit, but not one of ours
        ("", "-1", 422),
        ("", str(HUGE), 409),
        ("", "abc", 422),
        ("", "1.5", 422),
        ("", ":", 422),
        ("", "GENERATION:", 422),
        ("", "\u0663", 422),
        ("?after=1", "", 2),
        ("?after=2", "1", 2),
        ("?after=0", "2", 3),
        ("?after=1", str(LENGTH), None),
        ("?after=1&after=2", None, 3),
        (f"?after={LENGTH}", None, None),
        ("?after=2", "another:2", 1),
        ("?after=-1", "2", 422),
    ],
)
async def test_a_cursor_that_makes_no_sense_is_refused_and_of_two_the_header_wins(
    product: Product, query: str, header: str | None, outcome: int | None
) -> None:
    stream = await product.ask("say: hello")
    await stream.rest()
    path = f"/generations/{stream.headers['X-Generation-Id']}/events{query}"
    said = await say(product, get(path, *([] if header is None else [f"last-event-id: {header}"])))
    if outcome is not None and outcome > LENGTH:
        assert said.status == outcome
        assert b'"code":' in said.body
        return
    assert said.status == 200
    numbers = [seq for seq, _ in frames_of(said.body)]
    assert numbers == ([] if outcome is None else list(range(outcome, LENGTH + 1)))


# ── tabs ──────────────────────────────────────────────────────────────────────────────────────


async def test_of_twenty_tabs_that_ask_at_once_one_is_answered_and_all_can_follow(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    _, session = await product.call("POST", "/sessions", {"provider": "deepseek"})
    gate = hold(upstream, "Hello to all of you")
    asked = [product.ask(f"tab {n}", session_id=session["id"]) for n in range(TABS)]
    tabs = await asyncio.gather(*asked)
    assert Counter(tab.status for tab in tabs) == {200: 1, 409: TABS - 1}
    (answered,) = (tab for tab in tabs if tab.status == 200)
    generation_id = await begin(product, answered)
    path = f"/sessions/{session['id']}/events"
    followers = [await product.stream(path) for _ in range(TABS)]
    for follower in followers[::2]:
        follower.leave()
    gate.open()
    seen = [[frame.raw for frame in await follower.rest()] for follower in followers[1::2]]
    assert all(one == seen[0] for one in seen)
    assert seen[0][0].startswith(f"id: {generation_id}:1\n")
    assert (await answered.rest())[-1].data == {"done": True}
    assert (await spoken(product, session["id"]))[1] == ("assistant", "Hello to all of you")


async def test_a_client_that_closes_its_half_has_left_and_the_answer_goes_on(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    gate = Gate()
    upstream.play(Answer(text="Hello there"), Pause(gate, 1))
    line = await dial(product)
    line.send(ask("Hi", title="half"))
    await gate.reached()
    line.half_close()
    await line.hear()
    await others_are_served(product)
    gate.open()
    await idle(product)
    assert (await stored(product))["Hi"] == "Hello there"
