"""Who answers if the asked one cannot: disclosed, before the first piece only.

deepseek fails ─▶ second ─▶ third            (three stand-ins on three ports)
"""

from __future__ import annotations

import json

import pytest

from lite_llm_chat.app import create_app
from lite_llm_chat.config import Settings
from lite_llm_chat.domain import Model
from lite_llm_chat.errors import StartupError
from standins.behaviours import Answer, Cut, ErrorEvent, Gate, Pause, Played, Stall, Status
from standins.deepseek import DeepSeekStandIn

from .follow import at_end, begin, events, hold, messages, order_of
from .others import LaunchAll, launch_all, second, third, whole

__all__ = ["launch_all", "second", "third"]

BUSY = Status(503)


async def test_the_next_one_answers_once_the_asked_one_has_failed_for_good(
    launch_all: LaunchAll, upstream: DeepSeekStandIn, second: DeepSeekStandIn
) -> None:
    product = await launch_all()
    upstream.always(BUSY)
    second.play(Answer(text="Hello there"))
    status, body = await whole(product, "Hi")
    assert status == 200
    message = body["message"]
    assert (message["content"], message["status"]) == ("Hello there", "completed")
    assert (message["provider"], message["model"]) == ("second", "deepseek-flash")
    assert (len(upstream.chats), len(second.chats)) == (3, 1)
    (warning,) = body["warnings"]
    assert warning.startswith("deepseek-flash of second answers instead: deepseek is overloaded")
    generation = await at_end(product, body["generation_id"])
    assert (generation["provider"], generation["model"]) == ("second", "deepseek-flash")
    assert generation["warnings"] == [warning]
    assert generation["usage"] == message["usage"]
    assert (await messages(product))[1] == message


async def test_both_streams_say_who_answers_before_anything_that_it_says(
    launch_all: LaunchAll, upstream: DeepSeekStandIn, second: DeepSeekStandIn
) -> None:
    product = await launch_all()
    upstream.always(BUSY)
    second.play(Answer(text="Hello there", reasoning=""))
    stream = await product.ask("Hi")
    plain = await stream.rest()
    said = plain[1].data["rerouted"]
    assert (said["provider"], said["model"]) == ("second", "deepseek-flash")
    assert "overloaded" in said["reason"]
    assert [next(iter(frame.data)) for frame in plain[2:]] == ["content", "done"]
    numbered = await events(product, stream.headers["X-Generation-Id"])
    assert [frame.event for frame in numbered] == [
        "started",
        "rerouted",
        "text",
        "caught_up",
        "ended",
    ]
    assert numbered[0].data["provider"] == "deepseek"
    assert numbered[1].data == said


@pytest.mark.parametrize(
    "failure",
    [
        Status(401),
        Status(402),
        Status(403),
        Status(404),
        Status(400, json.dumps({"error": {"message": "supported API model names are x"}}).encode()),
        Status(429, headers=(("retry-after", "15"),)),
    ],
    ids=["key", "money", "region", "address", "retired model", "a long wait"],
)
async def test_what_a_retry_would_not_mend_is_asked_of_the_next_one_at_once(
    launch_all: LaunchAll, upstream: DeepSeekStandIn, second: DeepSeekStandIn, failure: Status
) -> None:
    product = await launch_all()
    upstream.always(failure)
    status, body = await whole(product, "say: hi")
    assert (status, body["message"]["provider"]) == (200, "second")
    assert (len(upstream.chats), len(second.chats)) == (1, 1)


@pytest.mark.parametrize(
    "failure",
    [Status(408), Status(429), Status(500), Status(529), ErrorEvent(after_tokens=0), Cut(0)],
    ids=["408", "429", "500", "529", "error event", "cut"],
)
async def test_what_a_retry_might_mend_is_tried_first(
    launch_all: LaunchAll, upstream: DeepSeekStandIn, failure: Played
) -> None:
    product = await launch_all(upstream_retries=1)
    upstream.always(failure)
    status, body = await whole(product, "say: hi")
    assert (status, body["message"]["provider"]) == (200, "second")
    assert len(upstream.chats) == 2


@pytest.mark.parametrize("code", [400, 413, 422])
async def test_a_question_that_is_refused_for_itself_is_asked_of_nobody_else(
    launch_all: LaunchAll, upstream: DeepSeekStandIn, second: DeepSeekStandIn, code: int
) -> None:
    product = await launch_all()
    upstream.always(Status(code))
    status, body = await whole(product, "say: hi")
    assert (status, body["code"]) == (502, "provider_bad_request")
    assert (len(upstream.chats), len(second.chats)) == (1, 0)


async def test_nobody_takes_over_after_the_first_piece(
    launch_all: LaunchAll, upstream: DeepSeekStandIn, second: DeepSeekStandIn
) -> None:
    product = await launch_all()
    upstream.play(Answer(text="One two three four"), Cut(after_tokens=2))
    status, body = await whole(product, "Hi")
    assert (status, body["code"]) == (502, "upstream_truncated")
    answer = (await messages(product))[1]
    assert (answer["content"], answer["provider"]) == ("One two", "deepseek")
    assert (len(upstream.chats), len(second.chats)) == (1, 0)


async def test_the_one_that_took_over_is_asked_no_more_after_its_first_piece_either(
    launch_all: LaunchAll,
    upstream: DeepSeekStandIn,
    second: DeepSeekStandIn,
    third: DeepSeekStandIn,
) -> None:
    product = await launch_all(upstream_retries=0)
    upstream.always(BUSY)
    second.always(Answer(text="One two three four", reasoning=""), Cut(after_tokens=2))
    status, body = await whole(product, "Hi")
    assert (status, body["code"]) == (502, "upstream_truncated")
    answer = (await messages(product))[1]
    assert (answer["content"], answer["provider"]) == ("One two", "second")
    assert (len(second.chats), len(third.chats)) == (1, 0)


async def test_silence_of_all_ends_in_time_with_the_first_ones_code(
    launch_all: LaunchAll,
    upstream: DeepSeekStandIn,
    second: DeepSeekStandIn,
    third: DeepSeekStandIn,
) -> None:
    product = await launch_all(first_piece_timeout_seconds=0.5, upstream_retries=0)
    for one in (upstream, second, third):
        one.always(Stall(after_tokens=0))
    status, body = await whole(product, "say: hi")
    assert (status, body["code"]) == (504, "upstream_timeout")
    assert [len(one.chats) for one in (upstream, second, third)] == [1, 1, 1]


async def test_if_all_fail_the_first_failure_stands_and_what_the_others_said(
    launch_all: LaunchAll,
    upstream: DeepSeekStandIn,
    second: DeepSeekStandIn,
    third: DeepSeekStandIn,
) -> None:
    product = await launch_all(upstream_retries=0)
    upstream.always(Status(402))
    second.always(BUSY)
    third.always(Status(400))
    status, body = await whole(product, "say: hi")
    assert (status, body["code"]) == (502, "provider_balance")
    assert body["detail"].startswith("the DeepSeek balance is used up")
    assert "deepseek-flash of second did not answer either: second is overloaded" in body["detail"]
    assert "deepseek-flash of third did not answer either: third did not" in body["detail"]
    generation = await at_end(product, body["generation_id"])
    assert (generation["provider"], generation["model"]) == ("deepseek", "deepseek-chat")
    assert generation["warnings"] == []


async def test_a_vendor_without_a_key_is_passed_over_if_another_can_answer(
    launch_all: LaunchAll, second: DeepSeekStandIn
) -> None:
    product = await launch_all(deepseek_api_key=None)
    status, body = await whole(product, "say: hi")
    assert (status, body["message"]["provider"]) == (200, "second")
    assert "deepseek cannot answer: set DEEPSEEK_API_KEY" in body["warnings"][0]
    status, body = await whole(product, "say: hi", fallback_models=["local/smollm2-135m-instruct"])
    assert (status, body["code"]) == (503, "provider_not_configured")
    assert body["detail"].startswith("deepseek cannot answer")


async def test_a_request_says_itself_who_else_may_answer(
    launch_all: LaunchAll,
    upstream: DeepSeekStandIn,
    second: DeepSeekStandIn,
    third: DeepSeekStandIn,
) -> None:
    product = await launch_all(upstream_retries=0)
    upstream.always(Status(402))
    status, body = await whole(product, "say: hi", fallback_models=["third/deepseek-flash"])
    assert (status, body["message"]["provider"]) == (200, "third")
    status, body = await whole(product, "say: hi", fallback_models=[])
    assert (status, body["code"]) == (502, "provider_balance")
    assert (len(second.chats), len(third.chats)) == (0, 1)


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["nobody/x"], "unknown_provider"),
        (["local/x"], "unknown_model"),
        (["flash"], "validation_error"),
        (["second/"], "validation_error"),
        (["a/b"] * 6, "validation_error"),
    ],
)
async def test_a_wrong_list_is_refused_before_anything_is_stored(
    launch_all: LaunchAll, names: list[str], code: str
) -> None:
    product = await launch_all()
    status, body = await whole(product, "Hi", fallback_models=names)
    assert (status, body["code"]) == (422, code)
    assert await product.call("GET", "/sessions") == (200, [])


async def test_a_model_may_have_a_list_of_its_own(
    launch_all: LaunchAll, upstream: DeepSeekStandIn
) -> None:
    line = "deepseek/deepseek-v4-pro -> third/deepseek-v4-pro; second/deepseek-flash"
    product = await launch_all(fallback_models=line)
    upstream.always(Status(402))
    answers = [
        (await whole(product, "say: hi", model=model))[1]["message"]
        for model in ("deepseek-v4-pro", "deepseek-flash")
    ]
    named = [(one["provider"], one["model"]) for one in answers]
    assert named == [("third", "deepseek-v4-pro"), ("second", "deepseek-flash")]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("deepseek-flash", "'deepseek-flash' is not a model"),
        ("nobody/x", "there is no provider 'nobody'"),
        ("local/nothing", "local has no model 'nothing'"),
    ],
)
async def test_a_wrong_setting_ends_the_start_with_its_sentence(
    settings: Settings, line: str, word: str
) -> None:
    changed = settings.model_copy(update={"fallback_models": line})
    framework = create_app(changed).framework
    with pytest.raises(StartupError) as caught:
        async with framework.router.lifespan_context(framework):
            pass
    assert caught.value.detail.startswith("FALLBACK_MODELS: ")
    assert word in caught.value.detail


async def test_what_is_asked_is_made_anew_for_the_other_one(
    launch_all: LaunchAll, upstream: DeepSeekStandIn, second: DeepSeekStandIn
) -> None:
    product = await launch_all(fallback_models=None)
    short = Model("short", "Short", "second", 0, 0, "", max_prompt_tokens=60)
    product.parts.chat._catalog.learn("second", [short])
    _, body = await whole(product, "say: " + "a long first answer " * 9)
    asked = {"session_id": body["session_id"], "model": "deepseek-chat", "top_k": 7}
    upstream.always(Status(402))
    second.always(Status(401))
    names = ["second/short", "deepseek/deepseek-v4-pro"]
    await whole(product, "say: again", fallback_models=names, **asked)
    assert order_of(upstream, 1)["thinking"] == {"type": "disabled"}  # deepseek-chat means that
    assert (order_of(upstream, 2)["model"], "thinking" in order_of(upstream, 2)) == (
        "deepseek-v4-pro",
        False,
    )
    assert [len(order_of(one)["messages"]) for one in (upstream, second)] == [3, 1]


async def test_warnings_are_about_what_the_other_one_was_asked(
    launch_all: LaunchAll, upstream: DeepSeekStandIn, second: DeepSeekStandIn
) -> None:
    product = await launch_all(fallback_models=None)
    short = Model("deepseek-flash", "Short", "second", 0, 0, "", max_prompt_tokens=60)
    product.parts.chat._catalog.learn("second", [short])
    _, body = await whole(product, "say: " + "a long first answer " * 9)
    upstream.always(Status(402))
    fields = {"session_id": body["session_id"], "fallback_models": ["second/deepseek-flash"]}
    _, body = await whole(product, "say: again", **fields, top_k=7)
    own, rerouted, *others = body["warnings"]
    assert own == "top_k: deepseek-chat has no use for it, so it was ignored"
    assert rerouted.startswith("deepseek-flash of second answers instead")
    assert others[-1].startswith("the oldest 2 messages were left out")
    frames = await events(product, body["generation_id"])
    assert frames[1].data["warnings"] == others


async def test_a_cut_answer_is_gone_on_from_by_the_next_one(
    launch_all: LaunchAll, upstream: DeepSeekStandIn, second: DeepSeekStandIn
) -> None:
    product = await launch_all()
    gate = hold(upstream, "Hello there")
    stream = await product.ask("Hi")
    generation_id = await begin(product, stream)
    await product.call("POST", f"/generations/{generation_id}/cancel")
    gate.open()
    upstream.always(Status(402))
    second.always(Answer(text="Hello there"))
    stream = await product.stream("/messages/2/continue", {})
    frames = await stream.rest()
    assert [next(iter(frame.data)) for frame in frames[1:3]] == ["content", "rerouted"]
    assert frames[1].data == {"content": "Hello"}
    answer = (await messages(product))[1]
    assert answer["content"].startswith("Hello")
    assert (answer["provider"], answer["status"]) == ("second", "completed")
    assert "Hello" in json.dumps(order_of(second)["messages"][1:])


async def test_an_answer_is_stopped_while_the_next_one_is_asked(
    launch_all: LaunchAll, upstream: DeepSeekStandIn, second: DeepSeekStandIn
) -> None:
    product = await launch_all()
    upstream.always(Status(402))
    gate = Gate()
    second.play(Pause(gate, None))
    stream = await product.ask("say: hi")
    await second.wait_for_request()
    generation_id = stream.headers["X-Generation-Id"]
    _, generation = await product.call("POST", f"/generations/{generation_id}/cancel")
    assert (generation["status"], generation["provider"]) == ("cancelled", "deepseek")
    await second.wait_for_disconnect()
    gate.open()


async def test_the_line_of_the_log_names_who_answered(
    launch_all: LaunchAll, upstream: DeepSeekStandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    product = await launch_all(log_level="info", log_format="json", upstream_retries=0)
    upstream.always(BUSY)
    await whole(product, "say: hi")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (line,) = [one for one in lines if one["message"] == "generation ended"]
    told = [line[name] for name in ("provider", "model", "attempts", "status")]
    assert told == ["second", "deepseek-flash", 2, "completed"]


async def test_a_vendor_that_is_not_reached_is_replaced_too(
    launch_all: LaunchAll, upstream: DeepSeekStandIn
) -> None:
    product = await launch_all()
    upstream.refuse_connections()
    status, body = await whole(product, "say: hi")
    assert (status, body["message"]["provider"]) == (200, "second")
    assert "deepseek" in body["warnings"][0]


async def test_one_whose_window_is_too_small_is_passed_over(
    launch_all: LaunchAll, upstream: DeepSeekStandIn, second: DeepSeekStandIn
) -> None:
    product = await launch_all(fallback_models="second/tiny, third/deepseek-flash")
    product.parts.chat._catalog.learn("second", [Model("tiny", "Tiny", "second", 40, 20, "")])
    upstream.always(Status(402))
    status, body = await whole(product, "say: " + "a long question " * 40)
    assert (status, body["message"]["provider"]) == (200, "third")
    assert "the question alone is longer than the window of tiny" in body["warnings"][0]
    assert second.chats == []
