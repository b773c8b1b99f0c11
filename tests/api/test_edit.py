"""A question is edited: another one beside it is asked, and nothing that was said is lost."""

from __future__ import annotations

import json
from typing import Any

from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product

from .attach import ask_about, data_url, kept, png
from .conftest import Launch
from .follow import hold, messages, order_of, spoken
from .test_branches import talk
from .test_leaf import move
from .truth import post_bytes

USER, ASSISTANT = "user", "assistant"


async def edit(
    product: Product, message_id: int, content: object, **fields: object
) -> tuple[int, Any]:
    body = {"content": content, "stream": False, **fields}
    return await product.call("POST", f"/messages/{message_id}/edit", body)


async def test_an_edited_question_is_asked_beside_the_old_one(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await talk(product, "one", "two", "three")  # 1 … 6
    status, reply = await edit(product, 3, "say: deux")
    assert (status, reply["message"]["content"]) == (200, "deux")
    assert [(one["id"], one["parent_id"]) for one in await messages(product)] == [
        *((1, None), (2, 1), (7, 2), (8, 7)),
    ]
    assert [one["siblings"] for one in await messages(product)] == [None, None, [3, 7], None]
    assert order_of(upstream)["messages"] == [
        {"role": USER, "content": "say: one"},
        {"role": ASSISTANT, "content": "one"},
        {"role": USER, "content": "say: deux"},
    ]
    await move(product, 3)
    assert [one["id"] for one in await messages(product)] == [1, 2, 3, 4, 5, 6]


async def test_the_first_question_is_edited_too(product: Product) -> None:
    await talk(product, "one")
    await edit(product, 1, "say: eins")
    assert await spoken(product) == [(USER, "say: eins"), (ASSISTANT, "eins")]
    first, _ = await messages(product)
    assert (first["parent_id"], first["siblings"]) == (None, [1, 3])


async def test_an_edit_is_streamed_as_any_question(product: Product) -> None:
    await talk(product, "one")
    stream = await product.stream("/messages/1/edit", {"content": "say: two"})
    frames = [frame.data for frame in await stream.rest()]
    assert frames[0]["message_id"] == 4
    assert frames[-1] == {"done": True}
    body = {"content": [{"type": "text", "text": "say: three"}], "background": True}
    status, ticket = await product.call("POST", "/messages/1/edit", body)
    assert (status, ticket["message_id"]) == (202, 6)


async def test_the_model_that_is_named_answers_from_now_on(product: Product) -> None:
    await talk(product, "one")
    await edit(product, 1, "say: two", model="deepseek-reasoner")
    _, session = await product.call("GET", "/sessions/1")
    assert session["model"] == "deepseek-reasoner"


async def test_only_a_question_is_edited(product: Product) -> None:
    await talk(product, "one")
    for message_id, content, refused in (
        (2, "x", (422, "not_a_question")),
        (99, "x", (404, "message_not_found")),
        (1, " \n", (422, "no_question")),
        (1, 7, (422, "validation_error")),
    ):
        status, problem = await edit(product, message_id, content)
        assert (status, problem["code"]) == refused
    assert len(await messages(product)) == 2


async def test_the_files_of_the_old_question_stay_unless_others_are_named(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    notes = await kept(product, b"milk", "notes.txt")
    other = await kept(product, b"eggs", "other.txt")
    await ask_about(product, [notes], "say: one")  # 1 2
    for fields, names in (
        ({}, ["notes.txt"]),
        ({"files": [other]}, ["other.txt"]),
        ({"files": []}, None),
        ({"content": [{"type": "file", "file": {"file_id": other}}]}, ["other.txt"]),
    ):
        status, _ = await edit(product, 1, **{"content": "say: two", **fields})
        assert status == 200
        question = (await messages(product))[0]
        found = question["attachments"] and [one["name"] for one in question["attachments"]]
        assert found == names, fields
    assert "milk" not in order_of(upstream)["messages"][0]["content"]


async def test_a_question_that_keeps_its_file_may_have_no_words(product: Product) -> None:
    notes = await kept(product, b"milk", "notes.txt")
    await ask_about(product, [notes], "say: one")
    assert (await edit(product, 1, ""))[0] == 200
    status, problem = await edit(product, 1, "", files=[])
    assert (status, problem["code"]) == (422, "no_question")


async def test_an_edit_may_be_larger_by_its_images_only(launch: Launch) -> None:
    product = await launch(max_body_bytes=2000, max_chat_bytes=20_000)
    await talk(product, "one")
    image = data_url(png(8, 8) + b"\0" * 4000)
    body = {"content": "say: two", "images": [image], "stream": False}
    reply = await post_bytes(product, "/api/v1/messages/1/edit", json.dumps(body).encode())
    assert reply.status == 200
    assert len((await messages(product))[0]["images"]) == 1
    body = {"content": "x" * 3000}
    reply = await post_bytes(product, "/api/v1/messages/1/edit", json.dumps(body).encode())
    assert reply.verdict == (413, "body_too_large")


async def test_the_same_edit_with_a_key_counts_once(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await talk(product, "one")
    replies = []
    for _ in range(2):
        async with product.request(
            *("POST", "/messages/1/edit", {"content": "say: two"}), {"Idempotency-Key": "k"}
        ) as response:
            replies.append((response.headers.get("Idempotency-Replayed"), await response.read()))
    (_, first), (replayed, second) = replies
    assert (replayed, second) == ("true", first)
    assert len(upstream.chats) == 2


async def test_an_edit_while_the_old_question_is_answered(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    hold(upstream, "Hello there")
    stream = await product.ask("Hi")
    await stream.until("content")
    status, problem = await edit(product, 1, "say: two")
    assert (status, problem["code"]) == (409, "generation_active")
    status, _ = await edit(product, 1, "say: two", on_active="interrupt")
    assert status == 200
    assert (await stream.rest())[-1].data["code"] == "cancelled"
    assert await spoken(product) == [(USER, "say: two"), (ASSISTANT, "two")]
