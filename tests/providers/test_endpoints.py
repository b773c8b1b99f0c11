"""Endpoints of one's own: read from a file, or refused with the file, the endpoint and the mend."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lite_llm_chat.errors import StartupError
from lite_llm_chat.providers.endpoints import Own, read
from lite_llm_chat.providers.habits import FORMATS, OPTIONS, Habits
from lite_llm_chat.providers.pool import Pool
from lite_llm_chat.providers.registry import build

from .conftest import Vendor, failing, prompt
from .test_registry import parts

KEY = "canary-key-0f1e2d3c4b5a69788796a5b4"
BOX = '[[endpoint]]\nid = "box"\nbase_url = "http://10.0.0.5:8000/v1"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "endpoints.toml"


def refused(file: Path, text: str | bytes, taken: frozenset[str] = frozenset()) -> str:
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(StartupError) as caught:
        read(file, taken, required=False)
    assert str(file.parent) not in caught.value.detail
    assert KEY not in caught.value.detail
    return caught.value.detail


def test_a_short_entry_is_an_endpoint_that_takes_every_option(file: Path) -> None:
    file.write_text(BOX)
    own = read(file, frozenset(), required=True)
    (row,) = own.rows
    assert (row.id, row.name, row.base_url) == ("box", "box", "http://10.0.0.5:8000/v1")
    assert (row.habits, row.models, row.needs_key) == (
        Habits(takes=OPTIONS, formats=FORMATS),
        (),
        False,
    )
    assert (own.keys, row.url_variable) == ({}, "")


ALL = """
description = "The one in the cellar"
headers = {x-team = "blue"}
models = ["small", {id = "big", name = "Big", context_length = 9, vision = true, tools = false}]
first_piece_timeout_s = 300
takes = ["temperature", "max_tokens"]
names = {max_tokens = "max_completion_tokens"}
thinking = "chat_template_kwargs"
thinking_on = "high"
efforts = {none = "none", high = "high"}
going_on = "continue_final_message"
going_on_thinks = false
stream_options = false
think_tags = "open"
tools_think = false
forced = ["required"]
strict = false
call_ids = "nine"
seals = "extra_content"
formats = ["json_schema"]
extra = {cache_prompt = true}

[[endpoint]]
id = "other"
base_url = "https://example.net/v1"
key_variable = "OTHER_KEY"
"""


def test_an_entry_may_say_all_that_a_row_says(file: Path) -> None:
    file.write_text(BOX.replace("[[endpoint]]", f'[[endpoint]]\nname = "Box"\nkey = "{KEY}"') + ALL)
    own = read(file, frozenset({"openai"}), required=False)
    box, other = own.rows
    assert (box.name, box.description, box.first_piece_timeout_s) == (
        "Box",
        "The one in the cellar",
        300,
    )
    assert (box.headers, own.keys) == ({"x-team": "blue"}, {"box": KEY})
    assert KEY not in repr(own)
    assert [(model.id, model.name, model.context_length) for model in box.models] == [
        ("small", "small", 0),
        ("big", "Big", 9),
    ]
    assert {model.provider for model in box.models} == {"box"}
    assert [(one.vision, one.tools, one.reasoning) for one in box.models] == [
        (None, None, None),
        (True, False, None),
    ]
    assert box.habits == Habits(
        takes=frozenset({"temperature", "max_tokens"}),
        names={"max_tokens": "max_completion_tokens"},
        thinking="chat_template_kwargs",
        thinking_on="high",
        efforts={"none": "none", "high": "high"},
        going_on="continue_final_message",
        going_on_thinks=False,
        stream_options=False,
        think_tags="open",
        tools_think=False,
        forced=frozenset({"required"}),
        strict=False,
        call_ids="nine",
        seals="extra_content",
        formats=frozenset({"json_schema"}),
        extra={"cache_prompt": True},
    )
    assert (other.key_variable, other.needs_key) == ("OTHER_KEY", True)


def test_a_file_may_begin_with_the_mark_of_some_editors(file: Path) -> None:
    file.write_text(BOX, "utf-8-sig")
    assert [row.id for row in read(file, frozenset(), required=True).rows] == ["box"]


@pytest.fixture
def own(file: Path, vendor: Vendor) -> Own:
    """An endpoint with a key, and a header that says something else."""
    said = f'key = "{KEY}"\nheaders = {{Authorization = "Basic abc", X-Team = "blue"}}\n'
    file.write_text(BOX.replace("http://10.0.0.5:8000", vendor.url) + said)
    return read(file, frozenset(), required=True)


async def test_a_header_of_ones_own_takes_the_place_of_ours(
    own: Own, pool: Pool, vendor: Vendor
) -> None:
    box = build(replace(parts(pool), own=own), (), {})["box"]
    await failing(box.stream(prompt()))
    head = vendor.requests[0].lower()
    assert b"\r\nauthorization: basic abc\r\n" in head
    assert b"\r\nx-team: blue\r\n" in head
    assert head.count(b"authorization:") == 1


def test_a_file_that_is_not_there_is_no_endpoints_unless_it_was_named(file: Path) -> None:
    assert read(file, frozenset(), required=False).rows == ()
    file.with_name("empty.toml").write_text("")
    assert read(file.with_name("empty.toml"), frozenset(), required=True).rows == ()
    with pytest.raises(StartupError) as caught:
        read(file, frozenset(), required=True)
    assert caught.value.detail == "endpoints.toml of ENDPOINTS_FILE is not there: check it"


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(StartupError) as caught:
        read(tmp_path, frozenset(), required=False)
    assert caught.value.detail.endswith(": it cannot be read: check its permissions")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f'{BOX}key = "{KEY}', "it is no TOML (at end of document): mend it there"),
        (f"{BOX}key = {KEY}", "it is no TOML (at line 4, column 7): mend it there"),
        (b"\xff\xfe", "it is no TOML: mend it there"),
        ("[box]\nid = 1", "box: it holds tables called [[endpoint]] and nothing else"),
        ("endpoint = 5", "endpoint: it holds tables called [[endpoint]] and nothing else"),
        ("[[endpoint]]\n", "1. endpoint: object missing required field `id`: mend it"),
        (
            '[[endpoint]]\nid = "box"',
            "endpoint box: object missing required field `base_url`: mend it",
        ),
        (BOX + "colour = 1", "endpoint box: there is no field colour: use id, base_url, name,"),
        (
            BOX + 'models = [{id = "a", size = 1}]',
            "endpoint box: models[0] has no field size: use id, name, context_length,",
        ),
        (
            BOX + f'key = ["{KEY}"]',
            "endpoint box: key: expected `str`, got `array`: mend it",
        ),
        (
            BOX + 'thinking = "on"',
            "endpoint box: thinking is none of these, choose one: none, reasoning_effort,",
        ),
        (BOX + 'going_on = "x"', "endpoint box: going_on is none of these, choose one: words,"),
        (
            BOX + 'think_tags = "x"',
            "endpoint box: think_tags is none of these, choose one: none, tagged, open",
        ),
        (BOX.replace("box", "Box!"), "an endpoint: its id is not fit for one: use a-z, 0-9 and -,"),
        (
            BOX.replace("http://", ""),
            "endpoint box: base_url is no address: it begins with http://",
        ),
        (
            BOX + f'key = "{KEY}"\nkey_variable = "A"',
            "endpoint box: key and key_variable: keep one of them",
        ),
        (BOX + 'key_variable = "a-b"', "endpoint box: key_variable is no name of a variable: use"),
        (BOX + 'headers = {"a b" = "c"}', "endpoint box: headers: a name holds a character that"),
        (
            BOX + f'key = "{KEY}\\n"',
            "endpoint box: key or headers: a value holds a character that no request can carry",
        ),
        (
            BOX + "first_piece_timeout_s = 0",
            "endpoint box: first_piece_timeout_s: expected `float` > 0.0: mend it",
        ),
        (
            BOX + 'models = [{id = "a", context_length = -1}]',
            "endpoint box: models[0].context_length: expected `int` >= 0: mend it",
        ),
        (
            BOX + 'takes = ["heat"]',
            "endpoint box: takes: choose from frequency_penalty, max_tokens,",
        ),
        (
            BOX + 'takes = []\nnames = {seed = "s"}',
            "endpoint box: names: an option that is not taken: add it to takes",
        ),
        (BOX + 'efforts = {much = "x"}', "endpoint box: efforts: choose from none, minimal, low,"),
        (BOX + BOX, "endpoint box: this id is taken: choose another"),
    ],
)
def test_what_is_wrong_is_said_with_the_file_the_endpoint_and_the_mend(
    file: Path, text: str | bytes, sentence: str
) -> None:
    assert refused(file, text).startswith(f"endpoints.toml: {sentence}")


def test_an_id_that_is_somebody_elses_is_refused(file: Path) -> None:
    said = refused(file, BOX, frozenset({"box", "openai"}))
    assert said == "endpoints.toml: endpoint box: this id is taken: choose another"
