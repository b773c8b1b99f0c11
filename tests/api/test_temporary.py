"""Temporary chats: answered with everything, found by their ids, bounded, gone; never written."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from lite_llm_chat.domain import FIRST_TEMPORARY, LAST_TEMPORARY
from standins.behaviours import Answer, Stall
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product, question

from .asked import usage
from .conftest import Launch
from .follow import at_end, begin, events, hold, messages, order_of, script, spoken, text_of


async def ask(product: Product, text: str = "say: Hello", **fields: object) -> Any:
    status, answer = await product.call(
        "POST", "/chat", question(text, stream=False, temporary=True, **fields)
    )
    assert status == 200, answer
    return answer


async def test_a_temporary_chat_goes_on_over_several_turns(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    first = await ask(product, "say: One")
    session_id = first["session_id"]
    assert FIRST_TEMPORARY <= session_id <= LAST_TEMPORARY
    assert FIRST_TEMPORARY <= first["message"]["id"] <= LAST_TEMPORARY
    assert first["generation_id"].startswith("t")
    second = question("say: Two", session_id=session_id, stream=False)
    assert (await product.call("POST", "/chat", second))[0] == 200
    said = [("user", "say: One"), ("assistant", "One"), ("user", "say: Two"), ("assistant", "Two")]
    assert await spoken(product, session_id) == said
    assert [turn["content"] for turn in order_of(upstream)["messages"]] == [
        "say: One",
        "One",
        "say: Two",
    ]
    _, session = await product.call("GET", f"/sessions/{session_id}")
    assert session["temporary"] is True


async def test_it_is_streamed_followed_left_and_stopped(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    [gate] = script(upstream, "one two three four", 2)
    stream = await product.ask("Hello", temporary=True)
    generation_id = await begin(product, stream)
    stream.leave()
    session_id = (await product.call("GET", f"/generations/{generation_id}"))[1]["session_id"]
    live = await product.stream(f"/sessions/{session_id}/events")
    assert (await live.next()).event == "started"  # type: ignore[union-attr]
    gate.open()
    assert text_of(await live.rest()) == "one two three four"
    frames = await events(product, generation_id)
    assert [frame.event for frame in frames][0::3][0] == "started"
    assert frames[-1].data["status"] == "completed"
    later = await events(product, generation_id, 2)
    assert [one.raw for one in later if one.id] == [one.raw for one in frames if one.id][2:]

    upstream.play(Answer(text="one two three four"), Stall(after_tokens=2))
    stream = await product.ask("Hello", session_id=session_id)
    stopped = await begin(product, stream)
    status, generation = await product.call("POST", f"/generations/{stopped}/cancel")
    assert (status, generation["status"]) == (200, "cancelled")
    [*_, cut] = await messages(product, session_id)
    assert cut["status"] == "cancelled"
    path = f"/messages/{cut['id']}/continue"
    assert (await product.call("POST", path, {"stream": False}))[0] == 200
    path = f"/messages/{cut['id']}/regenerate"
    assert (await product.call("POST", path, {"stream": False}))[0] == 200


async def test_it_waits_in_the_background_and_counts_once_by_its_key(product: Product) -> None:
    body, key = question("say: Once", temporary=True, background=True), {"Idempotency-Key": "k"}
    status, ticket = await product.call("POST", "/chat", body, key)
    assert status == 202
    assert (await at_end(product, ticket["generation_id"]))["status"] == "completed"
    again = await product.call("POST", "/chat", body, key)
    assert again[1]["generation_id"] == ticket["generation_id"]


async def test_no_list_knows_of_it_and_its_answers_are_paid_for(product: Product) -> None:
    kept = await product.call("POST", "/chat", question("say: Kept", stream=False))
    temporary = await ask(product, "say: A few more words than that")
    assert [one["id"] for one in (await product.call("GET", "/sessions"))[1]] == [1]
    report = await usage(product, "group_by=session")
    took = temporary["message"]["usage"]
    await product.stop()  # what is counted is on disk at the latest when the server ends
    await product.start()
    report = await usage(product, "group_by=session")
    none, one = report["rows"]
    assert (none["key"], none["requests"]) == ("0", 0)
    assert none["overhead"]["requests"] == 1
    assert none["overhead"]["output_tokens"] == took["output_tokens"]
    assert none["overhead"]["cost_microusd"] > 0
    assert (one["key"], one["overhead"]["requests"]) == ("1", 0)
    assert kept[0] == 200


async def test_it_is_gone_when_it_is_deleted(product: Product, upstream: DeepSeekStandIn) -> None:
    answer = await ask(product)
    session_id = answer["session_id"]
    gate = hold(upstream, "one two three", 1)
    stream = await product.ask("Hello", session_id=session_id)
    await begin(product, stream)
    assert (await product.call("DELETE", f"/sessions/{session_id}"))[0] == 204
    gate.open()
    for path, code in (
        (f"/sessions/{session_id}", "session_not_found"),
        (f"/sessions/{session_id}/events", "session_not_found"),
        (f"/generations/{answer['generation_id']}", "generation_not_found"),
    ):
        status, error = await product.call("GET", path)
        assert (status, error["code"]) == (404, code)
    heart = await product.parts.temporary.heart()
    left = await heart.database.read(
        lambda conn: conn.exec_driver_sql("SELECT count(*) FROM chat_messages").scalar()
    )
    assert left == 0


async def test_nothing_of_it_is_noted_for_a_search(product: Product) -> None:
    await ask(product, "say: a rose")
    heart = await product.parts.temporary.heart()
    noted = await heart.database.read(
        lambda conn: conn.exec_driver_sql("SELECT count(*) FROM search_waiting").scalar()
    )
    assert noted == 0


async def test_it_is_gone_after_its_time_unless_it_is_being_answered(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    unused = (await ask(product))["session_id"]
    gate = hold(upstream, "one two three", 1)
    stream = await product.ask("Hello", temporary=True)
    generation_id = await begin(product, stream)
    temporary, now = product.parts.temporary, product.parts.now()
    assert await temporary.forget_unused(now + timedelta(minutes=59)) == 0
    assert await temporary.forget_unused(now + timedelta(minutes=61)) == 1
    assert (await product.call("GET", f"/sessions/{unused}"))[0] == 404
    gate.open()
    await stream.rest()
    used = (await at_end(product, generation_id))["session_id"]
    assert await temporary.forget_unused(product.parts.now() + timedelta(minutes=61)) == 1
    assert (await product.call("GET", f"/sessions/{used}"))[0] == 404


async def test_it_is_forgotten_by_itself(launch: Launch) -> None:
    product = await launch(temporary_minutes=0.0005)
    session_id = (await ask(product))["session_id"]
    async with asyncio.timeout(10):
        while (await product.call("GET", f"/sessions/{session_id}"))[0] != 404:
            pass


async def test_it_is_gone_with_the_server_and_its_id_is_nobody_elses(product: Product) -> None:
    session_id = (await ask(product))["session_id"]
    await product.restart()
    assert (await ask(product))["session_id"] != session_id
    body = question("Hello", session_id=session_id)
    status, error = await product.call("POST", "/chat", body)
    assert (status, error["code"]) == (404, "session_not_found")


async def test_there_are_so_many_and_no_more(launch: Launch) -> None:
    product = await launch(max_temporary_chats=2)
    first = (await ask(product))["session_id"]
    await ask(product)
    status, error = await product.call("POST", "/chat", question("Hello", temporary=True))
    assert (status, error["code"]) == (503, "temporary_full")
    body = question("say: Still here", session_id=first, stream=False)
    assert (await product.call("POST", "/chat", body))[0] == 200
    await product.call("DELETE", f"/sessions/{first}")
    await ask(product)


async def test_together_they_take_so_many_bytes_and_deleting_gives_them_back(
    launch: Launch,
) -> None:
    product = await launch(max_temporary_bytes=1_572_864)
    first = (await ask(product, "say: Hi"))["session_id"]
    long = [{"role": "user", "content": "x" * 800_000}, {"role": "user", "content": "say: Ok"}]
    body = question("", session_id=first, stream=False) | {"messages": long}
    assert (await product.call("POST", "/chat", body))[0] == 200
    status, error = await product.call("POST", "/chat", body)
    assert (status, error["code"]) == (503, "temporary_full")
    assert len(await messages(product, first)) == 5
    await product.call("DELETE", f"/sessions/{first}")
    second = (await ask(product, "say: Hi"))["session_id"]
    body["session_id"] = second
    assert (await product.call("POST", "/chat", body))[0] == 200


@pytest.mark.parametrize("file", ["0" * 64, "data:image/png;base64,iVBORw0KGgo="])
async def test_a_file_would_be_written_and_is_refused(product: Product, file: str) -> None:
    where = "images" if file.startswith("data:") else "files"
    said = [{"role": "user", "content": "What is this?", where: [file]}]
    body = question("", temporary=True) | {"messages": said}
    status, error = await product.call("POST", "/chat", body)
    assert (status, error["code"]) == (422, "temporary_files_not_kept")
    assert await product.call("GET", "/files") == (200, [])


async def test_a_kept_session_does_not_become_temporary(product: Product) -> None:
    await product.call("POST", "/chat", question("say: Kept", stream=False))
    body = question("Hello", session_id=1, temporary=True)
    status, error = await product.call("POST", "/chat", body)
    assert (status, error["code"]) == (422, "validation_error")
    first = await ask(product)
    assert (await ask(product, session_id=first["session_id"]))["session_id"] == first["session_id"]


async def test_it_begins_with_a_preset_and_takes_a_manner(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    preset = {"name": "Poet", "model": "deepseek-chat", "system_prompt": "You rhyme."}
    await product.call("POST", "/presets", preset)
    session_id = (await ask(product, preset=1))["session_id"]
    assert order_of(upstream)["messages"][0]["content"] == "You rhyme."
    path = f"/sessions/{session_id}"
    status, session = await product.call("PATCH", path, {"system_prompt": None, "title": "Secret"})
    assert status == 200
    assert (session["title"], session["system_prompt"]) == ("Secret", None)
    await ask(product, session_id=session_id)
    assert order_of(upstream)["messages"][0]["role"] == "user"
    _, moved = await product.call("PATCH", path, {"preset": 1})
    assert moved["system_prompt"] == "You rhyme."


async def test_nothing_is_opened_before_it_is_needed(product: Product) -> None:
    await product.call("POST", "/chat", question("say: Kept", stream=False))
    await product.call("GET", "/sessions/1")
    assert product.parts.temporary.running() == []
    await ask(product)
    assert len(product.parts.temporary.running()) == 1


def test_ids_are_exact_in_javascript() -> None:
    assert json.loads(json.dumps(float(LAST_TEMPORARY))) == LAST_TEMPORARY == 2**53 - 1


async def test_no_link_is_made_to_what_is_kept_nowhere(product: Product) -> None:
    session_id = (await ask(product))["session_id"]
    status, problem = await product.call("POST", f"/sessions/{session_id}/shares", {})
    assert (status, problem["code"]) == (422, "temporary_not_shared")
    status, whole = await product.call("GET", f"/sessions/{session_id}/export?format=json")
    assert (status, len(whole["messages"])) == (200, 2)
