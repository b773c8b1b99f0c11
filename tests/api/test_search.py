"""Search: what is found, how it is shown, what is left out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import insert

from lite_llm_chat.store.places import folders, session_tags
from standins.behaviours import Answer
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product, question

from .attach import ask_about, kept
from .follow import hold
from .seeds import Seed, found, page, plant, results, user
from .truth import send

LONG = "word " * 100


# ── what is found ─────────────────────────────────────────────────────────────────────────────


async def test_a_question_and_its_answer_are_found_as_soon_as_they_are_there(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    gate = hold(upstream, "a purple elephant")
    stream = await product.ask("say: a purple elephant", title="Zoo")
    await stream.until("generation_id")
    assert [one["role"] for one in await results(product, "elephant")] == ["user"]
    gate.open()
    await stream.rest()
    (one,) = await results(product, '"a purple elephant"')
    assert (one["session"]["title"], one["more_in_session"]) == ("Zoo", 1)


async def test_reasoning_is_not_searched(product: Product, upstream: DeepSeekStandIn) -> None:
    upstream.play(Answer(text="Paris", reasoning_tokens=5))
    await (await product.ask("say: Paris", model="deepseek-reasoner")).rest()
    _, session = await product.call("GET", "/sessions/1")
    thought = session["messages"][1]["thought_process"].split()[0]
    assert await found(product, thought, role="assistant") == []
    assert len(await found(product, "paris", role="assistant")) == 1


async def test_every_word_has_to_be_there(product: Product) -> None:
    await plant(
        product,
        Seed("both", user("a red rose in the garden")),
        Seed("one", user("a red car")),
        Seed("two messages", user("red", "rose")),
    )
    assert await found(product, "garden red ") == ["both"]
    assert sorted(await found(product, "RED ")) == ["both", "one", "two messages"]


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ('"red rose"', ["side by side"]),
        ('"rose red"', []),
        ("“red rose”", ["side by side"]),
        ("rose -apart", ["side by side"]),
        ('rose -"red rose"', ["apart"]),
        ("side-by-side", ["side by side"]),
        ('"red ros', ["side by side"]),  # its end is still being typed
        ("ros", ["apart", "side by side"]),
        ("ros ", []),
        ('"ros"', []),
        ("ro", []),
        ("-apart rose", ["side by side"]),
    ],
)
async def test_quotes_minus_and_a_begun_word(product: Product, q: str, expected: list[str]) -> None:
    await plant(
        product,
        Seed("side by side", user("red rose, side by side")),
        Seed("apart", user("red, then a rose apart")),
    )
    assert sorted(await found(product, q, **{"in": "messages"})) == expected


@pytest.mark.parametrize(
    ("said", "q", "marked"),
    [
        ("Un ÉTÉ à Tōkyō", "ete", ["ÉTÉ"]),
        ("un ete", "Été ", ["ete"]),
        ("cafe\u0301 noir", "café", ["cafe\u0301"]),
        ("die große Straße", "STRASSE", ["Straße"]),
        ("Łódź", "lodz", ["Łódź"]),
        ("ＡＢＣ　１２３", "abc 123", ["ＡＢＣ", "１２３"]),
        ("我去東京，明天", "東京", ["東京"]),
        ("我去東京，明天", "京", ["京"]),
        ("我去東京，明天", "去京", []),
        ("数据库死锁了", "死锁", ["死锁"]),
        ("학교에서 만나요", "학교", ["학교"]),
        ("학교에서 만나요", "\u1112\u1161\u11a8\u1100\u116d", ["학교"]),
        ("\u1112\u1161\u11a8\u1100\u116d", "학교", ["\u1112\u1161\u11a8\u1100\u116d"]),
        ("ｶﾞｲﾄﾞブック", "ガイド", ["ｶﾞｲﾄﾞ"]),
        ("はは", "ばば", []),
        ("ภาษาไทยง่าย", "ไทย", ["ไทย"]),
        ("हिन्दी में लिखो", "हिन्दी", ["हिन्दी"]),
        ("Ёлка зелёная", "елка зеленая", ["Ёлка", "зелёная"]),
        ("iPhone手机壳", "iphone手机", ["iPhone手机"]),
        ("see foo_bar.py", "foo_bar.py", ["foo_bar.py"]),
        ("👍🏽 well done 👩‍🚀!", "done", ["done"]),
        ("in\u00advisible hy\u200bphen", "invisible hyphen", ["in\u00advisible", "hy\u200bphen"]),
    ],
)
async def test_accents_case_width_and_scripts_without_blanks(
    product: Product, said: str, q: str, marked: list[str]
) -> None:
    await plant(product, Seed("-", user(said)))
    shown = [
        [one["text"][start:end] for start, end in one["ranges"]]
        for one in await results(product, q)
    ]
    assert shown == ([marked] if marked else [])


async def test_the_name_of_an_attached_file_is_found(product: Product) -> None:
    file_id = await kept(product, b"Milk, eggs", "shopping-list.txt")
    await ask_about(product, [file_id], "say: ok")
    (one,) = await results(product, '"shopping list"')
    assert one["text"] == "say: ok shopping-list.txt"
    assert one["message_id"] == 1


# ── how it is shown ───────────────────────────────────────────────────────────────────────────


async def test_a_session_is_shown_once_with_its_best_hit(product: Product) -> None:
    await plant(product, Seed("x", (("user", f"rose {LONG}"), ("assistant", "rose"), *user("a"))))
    reply = await page(product, "rose")
    (one,) = reply["results"]
    assert list(reply) == ["results", "next_cursor", "indexed"]
    assert (reply["next_cursor"], reply["indexed"]) == (None, 1.0)
    assert one["session"]["id"] == 1
    assert (one["message_id"], one["role"], one["more_in_session"]) == (2, "assistant", 1)
    assert one["created_at"].endswith("Z")
    assert one["on_branch"]
    assert one["score"] > 0


async def test_the_snippet_is_the_text_around_the_words_escaped_and_marked(
    product: Product,
) -> None:
    said = f"{LONG}<b>Fish & Chips</b>\n'tonight' {LONG}"
    await plant(product, Seed("x", user(said)))
    (one,) = await results(product, "chips tonight")
    html = one["snippet"]
    assert (
        "&lt;b&gt;Fish &amp; <mark>Chips</mark>&lt;/b&gt; &#x27;<mark>tonight</mark>&#x27;" in html
    )
    assert html.startswith("…word word ")
    assert html.endswith("…")
    assert one["text"] in said.replace("\n", " ")
    assert [one["text"][start:end] for start, end in one["ranges"]] == ["Chips", "tonight"]
    assert len(one["text"]) <= 240


async def test_the_snippet_is_where_most_of_the_words_are_near_each_other(
    product: Product,
) -> None:
    await plant(product, Seed("x", user(f"red {LONG} rose {LONG} red rose {LONG} rose")))
    (one,) = await results(product, "red rose")
    assert "<mark>red</mark> <mark>rose</mark>" in one["snippet"]


async def test_a_title_is_found_too_and_shown_as_such(product: Product) -> None:
    await plant(product, Seed("Roses & thorns", user("nothing")), Seed("other", user("a rose")))
    first, second = await results(product, "rose")
    assert (first["message_id"], first["role"], first["on_branch"]) == (None, None, True)
    assert first["snippet"] == "<mark>Roses</mark> &amp; thorns"
    assert second["message_id"] == 2
    assert await found(product, "rose", **{"in": "titles"}) == ["Roses & thorns"]
    assert await found(product, "rose", **{"in": "messages"}) == ["other"]


async def test_a_changed_title_is_found_by_its_new_words_only(product: Product) -> None:
    await plant(product, Seed("Roses"))
    await product.call("PATCH", "/sessions/1", {"title": "Tulips"})
    assert await found(product, "roses") == []
    assert await found(product, "tulips") == ["Tulips"]
    await product.call("PATCH", "/sessions/1", {"model": "deepseek-reasoner"})
    assert await found(product, "tulips") == ["Tulips"]


async def test_what_was_cut_off_the_branch_is_found_and_marked_so(product: Product) -> None:
    await plant(product, Seed("x", user("one", "a rose", "tulip")))
    await product.call("DELETE", "/sessions/1/truncate/2")
    (one,) = await results(product, "rose")
    assert (one["message_id"], one["on_branch"]) == (2, False)
    assert [one["on_branch"] for one in await results(product, "one")] == [True]


# ── what is left out ──────────────────────────────────────────────────────────────────────────


async def test_a_deleted_session_is_out_of_the_index(product: Product) -> None:
    await plant(product, Seed("Rose", user("a rose")), Seed("other", user("a rose")))
    await product.call("DELETE", "/sessions/1")
    assert await found(product, "rose") == ["other"]
    await product.call("DELETE", "/sessions")
    assert await found(product, "rose") == []
    await plant(product, Seed("again", user("a rose")))
    assert await found(product, "rose") == ["again"]


async def test_trashed_sessions_are_never_found_archived_ones_if_asked_for(
    product: Product,
) -> None:
    now = datetime.now(UTC)
    await plant(
        product,
        Seed("trashed rose", user("rose"), columns={"deleted_at": now}),
        Seed("archived rose", user("rose"), columns={"archived_at": now}),
        Seed("rose", user("rose")),
    )
    assert await found(product, "rose") == ["rose"]
    assert await found(product, "rose", archived="true") == ["archived rose"]
    assert sorted(await found(product, "rose", archived="any")) == ["archived rose", "rose"]


async def test_a_folder_means_what_is_in_it_and_in_its_folders(product: Product) -> None:
    def work(conn: object) -> None:
        at = datetime.now(UTC)
        rows = [(1, None), (2, 1), (3, None)]
        values = [
            {"id": id_, "name": "f", "parent_id": parent, "created_at": at} for id_, parent in rows
        ]
        conn.execute(insert(folders), values)  # type: ignore[attr-defined]

    await product.parts.database.write(work)
    await plant(
        product,
        Seed("inner", user("rose"), columns={"folder_id": 2}),
        Seed("outer", user("rose"), columns={"folder_id": 1}),
        Seed("elsewhere", user("rose"), columns={"folder_id": 3}),
        Seed("nowhere", user("rose")),
    )
    assert sorted(await found(product, "rose", folder_id=1)) == ["inner", "outer"]
    assert await found(product, "rose", folder_id=2) == ["inner"]
    assert await found(product, "rose", folder_id=77) == []


async def test_every_tag_that_is_named_is_needed(product: Product) -> None:
    await plant(product, *(Seed(name, user("rose")) for name in ("ab", "a", "none")))
    rows = [(1, "a"), (1, "b"), (2, "a")]
    values = [{"session_id": session, "tag": tag} for session, tag in rows]
    await product.parts.database.write(lambda conn: conn.execute(insert(session_tags), values))
    assert sorted(await found(product, "rose", tag=["a"])) == ["a", "ab"]
    assert await found(product, "rose", tag=["a", "b"]) == ["ab"]
    assert await found(product, "rose", tag=["c"]) == []


async def test_more_sessions_than_the_index_is_told_are_looked_at_one_by_one(
    product: Product,
) -> None:
    await plant(product, *(Seed(f"t{n}", user("rose")) for n in range(150)))
    values = [{"session_id": n + 1, "tag": "many"} for n in range(140)]
    await product.parts.database.write(lambda conn: conn.execute(insert(session_tags), values))
    names = await found(product, "rose", tag=["many"], limit=100)
    assert len(names) == 100
    assert not set(names) & {f"t{n}" for n in range(140, 150)}


async def test_one_session_one_role_one_model(product: Product) -> None:
    await plant(
        product,
        Seed("flash", (("user", "rose"), ("assistant", "rose rose"))),
        Seed("luna", user("rose"), home=("openai", "gpt-6-luna")),
    )
    by_another = {"message_provider": "deepseek", "message_model": "deepseek-reasoner"}
    asked = {"session_id": 2, "messages": [{"role": "user", "content": "say: rose"}], **by_another}
    await (await product.stream("/chat", asked)).rest()
    assert await found(product, "rose", session_id=1) == ["flash"]
    for role, message in (("user", 1), ("assistant", 2)):
        (one,) = await results(product, "rose", session_id=1, role=role)
        assert (one["message_id"], one["role"]) == (message, role)
    assert await found(product, "rose", provider="openai") == ["luna"]
    assert await found(product, "rose", model="gpt-6-luna") == ["luna"]
    (one,) = await results(product, "rose", model="deepseek-reasoner")
    assert (one["session"]["title"], one["role"]) == ("luna", "assistant")
    assert await found(product, "flash", role="user") == []  # a title has no role


async def test_from_a_day_on_and_before_a_day(product: Product) -> None:
    await plant(product, *(Seed(f"{n} days", user("rose"), days_ago=n) for n in (1, 10, 100)))
    today = datetime.now(UTC)
    a_week = datetime.fromtimestamp(today.timestamp() - 7 * 86_400, UTC).isoformat()
    assert await found(product, "rose", after=a_week) == ["1 days"]
    assert await found(product, "rose", before=a_week) == ["10 days", "100 days"]
    assert await found(product, "days", before=a_week) == ["10 days", "100 days"]
    assert await found(product, "rose", before="2020-01-01") == []
    assert len(await found(product, "rose", after="2020-01-01")) == 3


# ── what is refused ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("q=", "empty_query"),
        ("q=%F0%9F%99%82+%21", "empty_query"),
        ("q=-rose", "empty_query"),
        ("q=%22%22", "empty_query"),
        ("", "validation_error"),
        (f"q={'x' * 1001}", "validation_error"),
        ("q=a%00b", "validation_error"),
        ("q=rose&limit=0", "validation_error"),
        ("q=rose&in=files", "validation_error"),
        ("q=rose&role=robot", "validation_error"),
        ("q=rose&after=yesterday", "invalid_period"),
        ("q=rose&before=2026-02-30", "invalid_period"),
        ("q=rose&cursor=abc", "invalid_cursor"),
        ("q=rose&cursor=%C3%A9", "invalid_cursor"),
    ],
)
async def test_what_is_refused(product: Product, query: str, code: str) -> None:
    assert (await send(product, "GET", f"/api/v1/search?{query}")).verdict == (422, code)


async def test_a_question_of_the_past_is_found_by_the_words_of_its_title(product: Product) -> None:
    status, _ = await product.call("POST", "/chat", question("say: a lighthouse", stream=False))
    assert status == 200
    (one,) = await results(product, "lighthouse")
    assert one["more_in_session"] == 2
