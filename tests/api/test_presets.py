"""Presets: a named model, system prompt and options, in versions; what sessions copy of them."""

from __future__ import annotations

from typing import Any

import pytest

from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product

from .follow import order_of

POET = {
    "name": "Poet",
    "model": "deepseek-chat",
    "system_prompt": "You rhyme.",
    "options": {"temperature": 1.5},
}


async def new_preset(product: Product, **fields: object) -> Any:
    status, preset = await product.call("POST", "/presets", {**POET, **fields})
    assert status == 201, preset
    return preset


async def ask(product: Product, **fields: object) -> Any:
    body = {"messages": [{"role": "user", "content": "Hello"}], "stream": False, **fields}
    status, answer = await product.call("POST", "/chat", body)
    assert status == 200, answer
    return answer


async def test_a_preset_is_made_found_listed_and_deleted(product: Product) -> None:
    poet = await new_preset(product)
    expected = {**POET, "id": 1, "version": 1, "provider": "deepseek"}
    assert {name: poet[name] for name in expected} == expected
    bare = await new_preset(
        product, name="Bare", provider=None, model=None, system_prompt=None, options=None
    )
    assert (bare["provider"], bare["model"], bare["options"]) == (None, None, {})
    assert await product.call("GET", "/presets/1") == (200, poet)
    assert await product.call("GET", "/presets") == (200, [poet, bare])
    assert await product.call("GET", "/presets?limit=1&after=1") == (200, [bare])
    assert (await product.call("DELETE", "/presets/1"))[0] == 204
    assert await product.call("GET", "/presets") == (200, [bare])
    for method, path, body in (
        ("GET", "/presets/1", None),
        ("GET", "/presets/1/versions", None),
        ("PATCH", "/presets/1", {"name": "x"}),
        ("DELETE", "/presets/1", None),
    ):
        status, error = await product.call(method, path, body)
        assert (status, error["code"]) == (404, "preset_not_found")


async def test_a_change_makes_a_version_and_a_rename_does_not(product: Product) -> None:
    first = await new_preset(product)
    _, renamed = await product.call("PATCH", "/presets/1", {"name": "Bard"})
    assert (renamed["name"], renamed["version"]) == ("Bard", 1)
    assert renamed["updated_at"] > first["updated_at"]
    same = {"system_prompt": "You rhyme.", "options": {"temperature": 1.5}}
    assert await product.call("PATCH", "/presets/1", same) == (200, renamed)
    _, second = await product.call("PATCH", "/presets/1", {"system_prompt": "You sing."})
    assert (second["version"], second["system_prompt"]) == (2, "You sing.")
    assert second["options"] == POET["options"]
    _, third = await product.call("PATCH", "/presets/1", {"options": None, "model": None})
    assert (third["version"], third["options"]) == (3, {})
    status, versions = await product.call("GET", "/presets/1/versions")
    assert status == 200
    assert [one["version"] for one in versions] == [3, 2, 1]
    assert [one["system_prompt"] for one in versions] == ["You sing.", "You sing.", "You rhyme."]
    _, page = await product.call("GET", "/presets/1/versions?before=3&limit=1")
    assert [one["version"] for one in page] == [2]


async def test_a_name_is_one_presets(product: Product) -> None:
    await new_preset(product)
    await new_preset(product, name="Other")
    for method, path in (("POST", "/presets"), ("PATCH", "/presets/2")):
        status, error = await product.call(method, path, {"name": "Poet"})
        assert (status, error["code"], error["preset_id"]) == (409, "preset_exists", 1)
    assert (await product.call("PATCH", "/presets/2", {"name": "Other"}))[0] == 200


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"provider": "nobody"}, "unknown_provider"),
        ({"provider": "local", "model": "nothing"}, "unknown_model"),
        ({"options": {"tools": []}}, "validation_error"),
        ({"name": " "}, "validation_error"),
    ],
)
async def test_what_no_session_could_use_is_refused(
    product: Product, fields: dict[str, object], code: str
) -> None:
    status, error = await product.call("POST", "/presets", {**POET, **fields})
    assert (status, error["code"]) == (422, code)
    assert await product.call("GET", "/presets") == (200, [])


@pytest.mark.parametrize("ref", [1, {"id": 1}, {"id": 1, "version": 1}])
async def test_a_conversation_keeps_what_its_preset_said_when_it_began(
    product: Product, upstream: DeepSeekStandIn, ref: object
) -> None:
    await new_preset(product)
    session_id = (await ask(product, preset=ref))["session_id"]
    await product.call("PATCH", "/presets/1", {"system_prompt": "You sing."})
    await ask(product, session_id=session_id)
    for number in (0, 1):
        order = order_of(upstream, number)
        assert order["messages"][0] == {"role": "system", "content": "You rhyme."}
        assert order["temperature"] == 1.5
    _, session = await product.call("GET", f"/sessions/{session_id}")
    assert session["preset"] == {"id": 1, "version": 1}
    assert (session["provider"], session["model"]) == ("deepseek", "deepseek-chat")
    await product.call("DELETE", "/presets/1")
    _, session = await product.call("GET", f"/sessions/{session_id}")
    assert (session["preset"], session["system_prompt"]) == (None, "You rhyme.")
    assert session["options"] == {"temperature": 1.5}


async def test_a_session_begins_with_a_preset_and_moves_to_another(product: Product) -> None:
    await new_preset(product)
    await product.call("PATCH", "/presets/1", {"system_prompt": "You sing."})
    await new_preset(product, name="Reasoner", model="deepseek-reasoner", system_prompt=None)
    body = {"preset": {"id": 1, "version": 1}, "options": {"seed": 4}}
    status, session = await product.call("POST", "/sessions", body)
    assert status == 201
    assert (session["system_prompt"], session["options"]) == ("You rhyme.", {"seed": 4})
    path = f"/sessions/{session['id']}"
    _, moved = await product.call("PATCH", path, {"preset": 1})
    assert (moved["system_prompt"], moved["preset"]) == ("You sing.", {"id": 1, "version": 2})
    assert moved["options"] == POET["options"]
    _, other = await product.call("PATCH", path, {"preset": 2})
    assert (other["model"], other["system_prompt"]) == ("deepseek-reasoner", None)
    _, named = await product.call("PATCH", path, {"preset": 1, "model": "deepseek-flash"})
    assert (named["model"], named["system_prompt"]) == ("deepseek-flash", "You sing.")
    _, free = await product.call("PATCH", path, {"preset": None})
    assert (free["preset"], free["system_prompt"]) == (None, "You sing.")


async def test_who_is_named_in_the_question_goes_before_the_preset(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    await new_preset(product)
    answer = await ask(product, preset=1, model="deepseek-reasoner", system_prompt="Be brief.")
    assert answer["message"]["model"] == "deepseek-reasoner"
    assert order_of(upstream)["messages"][0]["content"] == "Be brief."
    _, session = await product.call("GET", f"/sessions/{answer['session_id']}")
    assert (session["model"], session["system_prompt"]) == ("deepseek-reasoner", "You rhyme.")


async def test_a_preset_that_is_not_there_makes_nothing(product: Product) -> None:
    await new_preset(product)
    said = [{"role": "user", "content": "Hello"}]
    for body in ({"preset": 9}, {"preset": {"id": 1, "version": 2}}):
        for path in ("/chat", "/sessions"):
            status, error = await product.call("POST", path, {"messages": said, **body})
            assert (status, error["code"]) == (404, "preset_not_found")
    assert await product.call("GET", "/sessions") == (200, [])


async def test_a_question_in_a_session_names_no_preset(product: Product) -> None:
    await new_preset(product)
    session_id = (await ask(product))["session_id"]
    body = {"messages": [{"role": "user", "content": "Hi"}], "preset": 1, "session_id": session_id}
    status, error = await product.call("POST", "/chat", body)
    assert (status, error["code"]) == (422, "validation_error")
    assert "PATCH /sessions/{id}" in error["detail"][0]["msg"]
