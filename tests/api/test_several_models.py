"""One question, several models: each answer has a log of its own, and none minds the others.

question ─▶ slot 0 deepseek │ slot 1 second │ slot 2 third          (three stand-ins on three ports)
"""

from __future__ import annotations

from typing import Any

from lite_llm_chat.drain import Drain
from standins.behaviours import Answer, Stall, Status
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Frame, Product, Stream, question

from .follow import at_end, events, hold, messages, spoken, text_of
from .others import LaunchAll, launch_all, second, third

__all__ = ["launch_all", "second", "third"]

ALL = ["deepseek/deepseek-chat", "second/deepseek-flash", "third/deepseek-flash"]
NOBODY: list[str] = []  # to fall back on


def put(**fields: object) -> dict[str, object]:
    """The body of a question to all three, unless it says otherwise."""
    return question("Hi", **{"models": ALL, "fallback_models": NOBODY, **fields})


def of_slot(frames: list[Frame], slot: int) -> list[Frame]:
    return [frame for frame in frames if frame.data.get("slot") == slot]


def ids_of(stream: Stream) -> list[str]:
    return stream.headers["X-Generation-Id"].split(", ")


def say(vendors: tuple[DeepSeekStandIn, ...], *texts: str) -> None:
    for vendor, text in zip(vendors, texts, strict=True):
        vendor.play(Answer(text=text))


async def test_three_models_answer_one_question_in_one_stream(
    launch_all: LaunchAll,
    upstream: DeepSeekStandIn,
    second: DeepSeekStandIn,
    third: DeepSeekStandIn,
) -> None:
    product = await launch_all()
    say((upstream, second, third), "One", "Two and two", "Three")
    stream = await product.stream("/chat", put())
    frames = await stream.rest()
    assert frames[-1].data == {"done": True}
    assert all("slot" in frame.data for frame in frames[:-1])
    for slot, (text, who) in enumerate(zip(("One", "Two and two", "Three"), ALL, strict=True)):
        provider, model = who.split("/")
        first, *said, last = of_slot(frames, slot)
        assert first.data == {
            "slot": slot,
            "session_id": 1,
            "generation_id": ids_of(stream)[slot],
            "message_id": 2 + slot,
            "provider": provider,
            "model": model,
            "warnings": [],
        }
        assert text_of(said) == text
        assert last.data["ended"]["status"] == "completed"
    expected = [("user", "Hi"), ("assistant", "One")]
    assert await spoken(product) == expected
    assert [one["siblings"] for one in await messages(product)] == [None, [2, 3, 4]]


async def test_a_question_for_one_model_is_streamed_as_ever(product: Product) -> None:
    stream = await product.ask("say: hello")
    raw = [frame.raw for frame in await stream.rest()]
    generation_id = stream.headers["X-Generation-Id"]
    head = f'{{"session_id": 1, "generation_id": "{generation_id}", "message_id": 2}}'
    assert raw == [f"data: {head}", 'data: {"content": "hello"}', 'data: {"done": true}']


async def test_one_that_fails_does_not_end_the_others(
    launch_all: LaunchAll, upstream: DeepSeekStandIn, second: DeepSeekStandIn
) -> None:
    product = await launch_all()
    upstream.always(Status(400))
    second.play(Answer(text="Two"))
    frames = await (await product.stream("/chat", put())).rest()
    failed = of_slot(frames, 0)[-1].data["ended"]
    assert (failed["status"], failed["error"]["code"]) == ("failed", "provider_bad_request")
    assert text_of(of_slot(frames, 1)) == "Two"
    assert of_slot(frames, 2)[-1].data["ended"]["status"] == "completed"
    assert frames[-1].data == {"done": True}


async def test_each_has_a_fallback_of_its_own(
    launch_all: LaunchAll, upstream: DeepSeekStandIn, third: DeepSeekStandIn
) -> None:
    product = await launch_all()
    upstream.always(Status(401))
    body = question("say: hello", models=ALL[:2], fallback_models=ALL[2:], stream=False)
    status, reply = await product.call("POST", "/chat", body)
    assert status == 200
    made = [(one["message"]["provider"], one["message"]["content"]) for one in reply["answers"]]
    assert made == [("third", "hello"), ("second", "hello")]
    assert len(third.chats) == 1


async def test_the_answers_are_one_reply_when_nothing_is_streamed(
    launch_all: LaunchAll, second: DeepSeekStandIn
) -> None:
    product = await launch_all()
    second.always(Status(400))
    status, reply = await product.call("POST", "/chat", put(stream=False))
    assert (status, reply["session_id"]) == (200, 1)
    assert [one["message"]["id"] for one in reply["answers"]] == [2, 3, 4]
    states = [one["message"]["status"] for one in reply["answers"]]
    assert states == ["completed", "failed", "completed"]
    assert reply["answers"][1]["message"]["error"]["code"] == "provider_bad_request"
    assert reply["answers"][0]["message"]["siblings"] == [2, 3, 4]


async def test_each_is_followed_and_stopped_apart(
    launch_all: LaunchAll,
    upstream: DeepSeekStandIn,
    second: DeepSeekStandIn,
    third: DeepSeekStandIn,
) -> None:
    product = await launch_all()
    gates = [hold(one, "Hello there") for one in (upstream, second, third)]
    status, reply = await product.call("POST", "/chat", put(background=True))
    assert (status, reply["session_id"]) == (202, 1)
    tickets = reply["answers"]
    assert [one["message_id"] for one in tickets] == [2, 3, 4]
    first, middle, last = (one["generation_id"] for one in tickets)
    live = await product.stream(f"/generations/{middle}/events")
    await live.until("reasoning")
    status, generation = await product.call("POST", f"/generations/{middle}/cancel")
    assert (status, generation["status"], generation["slot"]) == (200, "cancelled", 1)
    await second.wait_for_disconnect()
    for gate in gates:
        gate.open()
    assert (await at_end(product, first))["status"] == "completed"
    assert (await at_end(product, last))["status"] == "completed"
    assert text_of(await events(product, last)) == "Hello there"


async def test_a_session_is_answered_until_the_last_of_them_has_ended(
    launch_all: LaunchAll, upstream: DeepSeekStandIn, second: DeepSeekStandIn
) -> None:
    product = await launch_all()
    gate = hold(second, "Hello there")
    stream = await product.stream("/chat", put(models=ALL[:2]))
    first, other = ids_of(stream)
    await at_end(product, first)
    for method, path, body in (
        ("POST", "/chat", question("Hi", session_id=1)),
        ("PUT", "/sessions/1/leaf", {"message_id": 1}),
        ("POST", "/messages/1/edit", {"content": "x"}),
        ("POST", "/messages/2/regenerate", {}),
    ):
        status, problem = await product.call(method, path, body)
        assert (status, problem["code"]) == (409, "generation_active"), path
        assert problem["generation_id"] == other
    gate.open()
    assert (await stream.rest())[-1].data == {"done": True}
    status, session = await product.call("PUT", "/sessions/1/leaf", {"message_id": 3})
    assert (status, session["leaf_id"]) == (200, 3)


async def test_the_sessions_stream_follows_the_first_that_is_live(
    launch_all: LaunchAll, upstream: DeepSeekStandIn, second: DeepSeekStandIn
) -> None:
    product = await launch_all()
    gates = [hold(one, "Hello there") for one in (upstream, second)]
    stream = await product.stream("/chat", put(models=ALL[:2]))
    first, other = ids_of(stream)
    followed = await product.stream("/sessions/1/events")
    gates[0].open()
    assert (await followed.rest())[-1].id == f"{first}:{(await at_end(product, first))['last_seq']}"
    followed = await product.stream("/sessions/1/events")
    gates[1].open()
    assert all(frame.id.startswith(other) for frame in await followed.rest() if frame.id)
    await stream.rest()


async def test_interrupting_stops_them_all(
    launch_all: LaunchAll,
    upstream: DeepSeekStandIn,
    second: DeepSeekStandIn,
    third: DeepSeekStandIn,
) -> None:
    product = await launch_all()
    for vendor in (upstream, second, third):
        vendor.play(Stall(after_tokens=1))
    stream = await product.stream("/chat", put())
    await stream.until("content")
    status, _ = await product.call(
        "POST",
        "/chat",
        question("say: bye", session_id=1, stream=False, on_active="interrupt"),
    )
    assert status == 200
    frames = await stream.rest()
    ends = [frame.data["ended"]["status"] for frame in frames if "ended" in frame.data]
    assert ends == ["cancelled"] * 3
    assert frames[-1].data == {"done": True}


async def test_while_one_of_them_is_followed_none_is_stopped(
    launch_all: LaunchAll, upstream: DeepSeekStandIn, second: DeepSeekStandIn
) -> None:
    product = await launch_all()
    gates = [hold(one, "Hello there") for one in (upstream, second)]
    _, reply = await product.call("POST", "/chat", put(models=ALL[:2], background=True))
    first, other = (one["generation_id"] for one in reply["answers"])
    live = await product.stream(f"/generations/{other}/events")
    await live.until("reasoning")
    status, problem = await product.call("POST", "/chat", question("x", session_id=1))
    assert (status, problem["code"]) == (409, "generation_active")
    for gate in gates:
        gate.open()
    assert (await at_end(product, first))["status"] == "completed"
    assert (await at_end(product, other))["status"] == "completed"


async def test_who_leaves_and_means_stop_stops_them_all(
    launch_all: LaunchAll,
    upstream: DeepSeekStandIn,
    second: DeepSeekStandIn,
    third: DeepSeekStandIn,
) -> None:
    product = await launch_all()
    for vendor in (upstream, second, third):
        vendor.play(Stall(after_tokens=1))
    stream = await product.stream("/chat", put(on_disconnect="cancel"))
    await stream.until("content")
    ids = ids_of(stream)
    stream.leave()
    for vendor, generation_id in zip((upstream, second, third), ids, strict=True):
        await vendor.wait_for_disconnect()
        assert (await at_end(product, generation_id))["status"] == "cancelled"


async def test_truncating_and_deleting_stop_them_all(
    launch_all: LaunchAll,
    upstream: DeepSeekStandIn,
    second: DeepSeekStandIn,
    third: DeepSeekStandIn,
) -> None:
    product = await launch_all()
    for path in ("/sessions/1/truncate/1", "/sessions/2"):
        for vendor in (upstream, second, third):
            vendor.play(Stall(after_tokens=1))
        stream = await product.stream("/chat", put())
        await stream.until("content")
        status, _ = await product.call("DELETE", path)
        assert status == 204
        frames = await stream.rest()
        ends = [frame.data["ended"]["status"] for frame in frames if "ended" in frame.data]
        assert ends == ["cancelled"] * 3


async def test_a_key_attaches_to_all_of_them(
    launch_all: LaunchAll, upstream: DeepSeekStandIn, second: DeepSeekStandIn
) -> None:
    product = await launch_all()
    key = {"Idempotency-Key": "k"}
    body = put(models=ALL[:2])
    first = await product.stream("/chat", body, key)
    told = {frame.raw for frame in await first.rest()}
    await (await product.ask("say: later", session_id=1)).rest()
    second_time = await product.stream("/chat", body, key)
    assert second_time.headers["Idempotency-Replayed"] == "true"
    assert ids_of(second_time) == ids_of(first)
    assert {frame.raw for frame in await second_time.rest()} == told
    assert (len(upstream.chats), len(second.chats)) == (2, 1)


async def test_a_key_finds_answers_whose_events_were_dropped(
    launch_all: LaunchAll, upstream: DeepSeekStandIn, second: DeepSeekStandIn
) -> None:
    product = await launch_all()
    key, body = {"Idempotency-Key": "k"}, put(models=ALL[:2])
    say((upstream, second), "One", "Two")
    await (await product.stream("/chat", body, key)).rest()
    await product.parts.database.write(_drop_logs)
    frames = await (await product.stream("/chat", body, key)).rest()
    assert [text_of(of_slot(frames, slot)) for slot in (0, 1)] == ["One", "Two"]
    assert frames[-1].data == {"done": True}


def _drop_logs(conn: Any) -> None:
    conn.exec_driver_sql("DELETE FROM events")
    conn.exec_driver_sql("UPDATE generations SET logged = 0")


async def test_a_question_is_edited_and_an_answer_made_again_by_several(
    launch_all: LaunchAll, upstream: DeepSeekStandIn, second: DeepSeekStandIn
) -> None:
    product = await launch_all()
    await (await product.ask("say: one")).rest()
    body = {"models": ["deepseek-chat", "second/deepseek-flash"], "stream": False}
    _, reply = await product.call("POST", "/messages/2/regenerate", body)
    assert [one["message"]["provider"] for one in reply["answers"]] == ["deepseek", "second"]
    assert (await messages(product))[1]["siblings"] == [2, 3, 4]
    edited = {"content": "say: two", **body}
    _, reply = await product.call("POST", "/messages/1/edit", edited)
    assert [one["message"]["parent_id"] for one in reply["answers"]] == [5, 5]
    assert await spoken(product) == [("user", "say: two"), ("assistant", "two")]


async def test_what_cannot_be_asked_of_one_is_asked_of_nobody(
    launch_all: LaunchAll, upstream: DeepSeekStandIn
) -> None:
    product = await launch_all(max_live_answers=2)
    for fields, status, code in (
        ({"models": ALL[:1]}, 422, "validation_error"),
        ({"models": ALL * 3}, 422, "validation_error"),
        ({"models": ["/x", "y"]}, 422, "validation_error"),
        ({"models": ALL[:2], "message_model": "deepseek-chat"}, 422, "validation_error"),
        ({"models": [ALL[0], "nobody/x"]}, 422, "unknown_provider"),
        ({"models": [ALL[0], "openai/gpt-5.5"]}, 503, "provider_not_configured"),
        ({"models": ALL}, 503, "too_many_answers"),
    ):
        body = question("Hi", fallback_models=NOBODY, **fields)
        refused, problem = await product.call("POST", "/chat", body)
        assert (refused, problem["code"]) == (status, code), fields
    assert upstream.chats == []
    assert await product.call("GET", "/sessions") == (200, [])


async def test_a_restart_ends_all_that_was_left_running(
    launch_all: LaunchAll,
    upstream: DeepSeekStandIn,
    second: DeepSeekStandIn,
    third: DeepSeekStandIn,
) -> None:
    product = await launch_all()
    for vendor in (upstream, second, third):
        vendor.play(Stall(after_tokens=1))
    stream = await product.stream("/chat", put())
    await stream.until("content")
    ids = ids_of(stream)
    await product.restart()
    for slot, generation_id in enumerate(ids):
        _, generation = await product.call("GET", f"/generations/{generation_id}")
        assert (generation["status"], generation["slot"]) == ("interrupted", slot)
    body = {"stream": False, "model": "deepseek-chat", "provider": "deepseek"}
    status, _ = await product.call("POST", "/messages/3/continue", body)
    assert status == 200


async def test_a_server_that_stops_says_so_at_the_end_of_the_stream(
    launch_all: LaunchAll, upstream: DeepSeekStandIn, second: DeepSeekStandIn
) -> None:
    product = await launch_all()
    upstream.play(Stall(after_tokens=1))
    second.play(Answer(text="Two"))
    stream = await product.stream("/chat", put(models=ALL[:2]))
    await stream.until("ended")
    drain = Drain(product.parts.chat._engine, product.parts.chat._log, 0)
    drain.begin()
    frames = await stream.rest()
    await drain.finish()
    assert frames[-1].data["code"] == "server_stopping"
    assert "slot" not in frames[-1].data
