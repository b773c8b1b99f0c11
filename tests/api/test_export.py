"""One session as a file: a text, a page, or JSON."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from lite_llm_chat.exporters.markdown import fenced, kept_apart, plain, quoted
from lite_llm_chat.exporters.names import LONGEST, LONGEST_BYTES, disposition, safe_name
from standins.behaviours import Answer
from standins.deepseek import DeepSeekStandIn
from tests.conftest import Product

from .attach import kept, png
from .follow import begin, hold
from .marked import Page, dangers
from .truth import Reply, send
from .whole import Said, Whole, answer, attached, keep, parts, run

TALK = Whole(
    "Of talks",
    (
        Said("user", "First question"),
        answer("First answer", 0),
        answer("Second answer", 0, reasoning="Hm, *again*."),
        Said("user", "And then?", 2),
        answer("The end", 3, origin={"status": "cancelled"}),
        Said("user", "Elsewhere", 1),
    ),
    leaf=4,
)


async def export(product: Product, session_id: int, query: str = "") -> Reply:
    return await send(product, "GET", f"/api/v1/sessions/{session_id}/export?{query}")


async def text_of(product: Product, session_id: int, query: str = "") -> str:
    reply = await export(product, session_id, query)
    assert reply.status == 200, reply.body
    return reply.body.decode()


# ── Markdown ──────────────────────────────────────────────────────────────────────────────────


async def test_a_text_has_the_title_the_day_and_who_said_what(product: Product) -> None:
    session_id = await keep(product, TALK)
    reply = await export(product, session_id)
    assert reply.headers["content-type"] == "text/markdown; charset=utf-8"
    assert reply.headers["content-disposition"] == 'attachment; filename="Of talks.md"'
    text = reply.body.decode()
    assert text.startswith("# Of talks\n\n2026-03-01 09:30 UTC · deepseek/deepseek-chat\n")
    assert re.findall(r"^## (.*?) · 2026-03-01 09:30 UTC$", text, re.MULTILINE) == [
        *("User", "Assistant (deepseek-chat)"),
        *("User", "Assistant (deepseek-chat)"),
    ]
    assert "> **Reasoning**\n>\n> Hm, *again*.\n\nSecond answer\n" in text
    assert "The end\n\n*This answer was stopped before its end.*\n" in text
    assert "First answer" not in text


async def test_without_reasoning_nothing_of_it_is_there(product: Product) -> None:
    said = parts(
        ("reasoning", "secret thought"),
        ("tool_call", {"id": "c", "name": "look", "arguments": '{"secret": 1}'}),
        ("tool_result", {"call_id": "c", "content": "secret result"}),
        ("seal", {"maker": "anthropic", "data": "secret seal"}),
        ("text", "The answer"),
    )
    spoken = answer("The answer", 0, parts=said, reasoning="secret thought")
    session_id = await keep(product, Whole("T", (Said("user", "Q"), spoken)))
    for form in ("markdown", "html"):
        with_it = await text_of(product, session_id, f"format={form}")
        assert "secret thought" in with_it
        assert "secret result" in with_it
        assert "secret seal" not in with_it
        without = await text_of(product, session_id, f"format={form}&reasoning=false")
        assert "secret" not in without
        assert "The answer" in without
    found = json.loads(await text_of(product, session_id, "format=json&reasoning=false"))
    assert "secret thought" not in json.dumps(found)
    assert found["messages"][1]["reasoning"] is None


async def test_every_branch_is_there_if_all_are_asked_for(product: Product) -> None:
    session_id = await keep(product, TALK)
    text = await text_of(product, session_id, "branch=all")
    order = ["First question", "First answer", "Elsewhere", "Second answer", "And then?", "The end"]
    assert [text.index(word) for word in order] == sorted(text.index(word) for word in order)
    assert "*Version 1 of 2 at this place.*\n\nFirst answer" in text
    assert "*Version 2 of 2 at this place.*\n\n> **Reasoning**" in text
    page = Page(await text_of(product, session_id, "format=html&branch=all"))
    assert len(page.all("article")) == 6
    assert [one["class"] for one in page.all("article")].count("assistant back") == 1


async def test_what_a_message_leaves_open_does_not_swallow_the_next(product: Product) -> None:
    for text in (
        "```python\nx = 1",
        "~~~~\n~~~\nstill code",
        "- a list\n  ```py\n  cut in the middle",
        "1. a\n\n   ````\n   b",
        "<!-- a comment",
        "<script>\nalert(1)",
        "   <details>\n\nopen",
        "> quoted\n> ```\n> code",
        "```\na\n```\n\n````\nb",
        "<div>\n```",
        "a\r```\rb",
    ):
        said = (Said("user", "Q"), answer(text, 0), Said("user", "The next question", 1))
        session_id = await keep(product, Whole("T", said))
        document = await text_of(product, session_id)
        assert headings(document)[-1] == "User · 2026-03-01 09:30 UTC", text
        assert MarkdownIt("commonmark").parse(document)[-2].content == "The next question", text


def headings(document: str) -> list[str]:
    tokens = MarkdownIt("commonmark").parse(document)
    return [
        tokens[at + 1].content
        for at, token in enumerate(tokens)
        if token.type == "heading_open" and token.level == 0 and token.tag == "h2"
    ]


lines = st.lists(
    st.one_of(
        st.sampled_from(["```", "~~~", "````py", "  ```", "- ```", "1. ~~~", "> ```", "    ```"]),
        st.sampled_from(["<!--", "<pre>", "<div>", "</div>", "- a", "", "  b", "\t```", "***"]),
        st.text(max_size=8),
    ),
    max_size=8,
).map("\n".join)


@given(lines)
def test_no_text_reaches_beyond_its_place(text: str) -> None:
    for part in (kept_apart(text), quoted(text), fenced(text)):
        tokens = MarkdownIt("commonmark").parse(f"{part}\n\n## The next one\n\nwords")
        assert [token.content for token in tokens[-6:] if token.type == "inline"] == [
            *("The next one", "words")
        ]
        assert tokens[-6].level == 0


@given(st.text(max_size=40))
def test_a_title_is_one_line_without_meaning(title: str) -> None:
    tokens = MarkdownIt("commonmark").parse(f"# x{plain(title)}x")
    assert [token.type for token in tokens] == ["heading_open", "inline", "heading_close"]
    assert {child.type for child in tokens[1].children or ()} <= {"text", "text_special"}


async def test_an_intact_text_is_not_touched(product: Product) -> None:
    code = "```html\n<script>\n```\n\n- b\n  <br>\n\n    <code>\n"
    text = f"# A\n\n{code}\n<https://e.example> a < b <i>c</i>"
    said = (Said("user", text), answer(text, 0))
    document = await text_of(product, await keep(product, Whole("T", said)))
    assert document.count(text.replace("  <br>", "  \\<br>")) == 2


async def test_files_and_calls_are_named(product: Product) -> None:
    picture = await kept(product, png(3, 2), "black [1].png")
    said = parts(
        ("tool_call", {"id": "c", "name": "look_up", "arguments": '{"a": "```"}'}),
        ("tool_result", {"call_id": "c", "content": "no ````", "failed": True}),
        ("text", "So"),
    )
    file = attached((picture, "black [1].png", "image/png", 1234))
    whole = Whole("T", (Said("user", "Q", None, file, (picture,)), answer("So", 0, parts=said)))
    session_id = await keep(product, whole)
    text = await text_of(product, session_id)
    assert "- Attached: black \\[1\\].png (image/png, 1 kB)\n" in text
    assert 'Called **look\\_up**:\n\n````json\n{"a": "```"}\n````\n' in text
    assert "Failed:\n\n`````\nno ````\n`````\n" in text


# ── HTML ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_page_stands_alone(product: Product) -> None:
    black = png(3, 2)
    picture = await kept(product, black, "black.png")
    await run(product, "UPDATE files SET size_bytes = 10 WHERE id = :id", id=picture)
    gone, note = "f" * 64, await kept(product, b"a note", "note.txt")
    files = attached(
        (picture, "black.png", "image/png", len(black)),
        (note, "note.txt", "text/plain", 6),
        (gone, "gone.png", "image/png", 6),
        (note, "huge.png", "image/png", 9_000_000),
    )
    said = (
        Said("user", "**Look** <b>", None, files, (picture, note)),
        answer("**Fine** [a](http://e.example) ![b](http://e.example/b.png)", 0, reasoning="<hm>"),
    )
    session_id = await keep(product, Whole("A <page>", said))
    reply = await export(product, session_id, "format=html")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["content-disposition"] == 'attachment; filename="A page.html"'
    assert reply.headers["content-security-policy"] == "sandbox; default-src 'none'"
    html = reply.body.decode()
    assert dangers(html, styles=1) == []
    page = Page(html)
    (image,) = page.all("img")
    assert image["src"].startswith("data:image/png;base64,iVBOR")
    assert {url for url in page.urls if not url.startswith("data:")} == {
        *("http://e.example", "http://e.example/b.png")
    }
    for shown in ("A <page>", "**Look** <b>", "Fine", "<hm>", "note.txt", "gone.png", "huge.png"):
        assert shown in page.text, shown
    assert "@media print" in html
    assert "prefers-color-scheme:dark" in html


# ── JSON ──────────────────────────────────────────────────────────────────────────────────────


async def test_json_is_the_form_that_can_be_imported(
    product: Product, upstream: DeepSeekStandIn
) -> None:
    upstream.play(Answer(text="Hello there", reasoning_tokens=2))
    await (await product.ask("say: hi", model="deepseek-reasoner")).rest()
    session_id = (await product.call("GET", "/sessions"))[1][0]["id"]
    reply = await export(product, session_id, "format=json")
    assert reply.headers["content-type"] == "application/json"
    found = reply.json
    shown = (await product.call("GET", f"/sessions/{session_id}"))[1]
    same = ("title", "provider", "model", "created_at", "updated_at")
    assert {name: found[name] for name in same} == {name: shown[name] for name in same}
    assert list(found)[:3] == ["uid", "title", "title_by"]
    assert (found["active"], found["folder"], found["tags"]) == (2, None, [])
    question, said = found["messages"]
    assert question == {
        "n": 1,
        "parent": None,
        "role": "user",
        "content": "say: hi",
        "created_at": shown["messages"][0]["created_at"],
        "reasoning": None,
        "parts": None,
        "call_id": None,
        "origin": None,
        "source_id": None,
    }
    assert (said["n"], said["parent"], said["content"]) == (2, 1, "Hello there")
    assert said["reasoning"]
    origin = said["origin"]
    assert (origin["provider"], origin["model"]) == ("deepseek", shown["messages"][1]["model"])
    assert (origin["status"], origin["finish_reason"], origin["fault"]) == (
        "completed",
        "stop",
        None,
    )
    assert origin["usage"]["output"] == shown["messages"][1]["usage"]["output_tokens"]


async def test_json_of_one_branch_counts_its_own_messages(product: Product) -> None:
    session_id = await keep(product, TALK)
    whole = json.loads(await text_of(product, session_id, "format=json"))
    assert [one["parent"] for one in whole["messages"]] == [None, 1, 1, 3, 4, 2]
    assert whole["active"] == 5
    branch = json.loads(await text_of(product, session_id, "format=json&branch=active"))
    assert [(one["n"], one["parent"]) for one in branch["messages"]] == [
        *((1, None), (2, 1), (3, 2), (4, 3)),
    ]
    assert branch["active"] == 4
    assert [one["content"] for one in branch["messages"]][1] == "Second answer"


# ── whatever the form ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("form", ["markdown", "html", "json"])
async def test_an_answer_in_the_making_is_there_with_what_it_says_so_far(
    product: Product, upstream: DeepSeekStandIn, form: str
) -> None:
    gate = hold(upstream, "Hello there, friend", 1)
    stream = await product.ask("Greet me")
    await begin(product, stream)
    text = await text_of(product, 1, f"format={form}")
    gate.open()
    assert "Hello" in text
    assert "friend" not in text
    assert "interrupted" in text
    await stream.rest()
    assert "interrupted" not in await text_of(product, 1, f"format={form}")


@pytest.mark.parametrize("form", ["markdown", "html", "json"])
async def test_a_long_session_is_whole(product: Product, form: str) -> None:
    said = (answer(f"word {at} " + "y" * 50_000, at - 1) for at in range(1, 30))
    whole = Whole("Long", (Said("user", "word 0 " + "x" * 200_000), *said))
    session_id = await keep(product, whole)
    text = await text_of(product, session_id, f"format={form}")
    assert re.findall(r"word (\d+) ", text) == [str(at) for at in range(30)]


@pytest.mark.parametrize("form", ["markdown", "html", "json"])
async def test_an_empty_session_is_an_empty_document(product: Product, form: str) -> None:
    _, session = await product.call("POST", "/sessions", {"title": "Nothing yet"})
    text = await text_of(product, session["id"], f"format={form}")
    assert "Nothing yet" in text


async def test_what_cannot_be_exported_is_said(product: Product) -> None:
    assert (await export(product, 9)).verdict == (404, "session_not_found")
    assert (await export(product, 9, "format=pdf")).verdict == (422, "validation_error")
    assert (await export(product, 9, "branch=none")).verdict == (422, "validation_error")


# ── names ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Plain title", "Plain title"),
        ("../../etc/passwd", "etc passwd"),
        ("C:\\Windows\\x", "C Windows x"),
        ("a\r\nSet-Cookie: b=c", "a Set-Cookie b=c"),
        ("evil\u202egpj.exe", "evil gpj.exe"),
        ('say "hi"', "say hi"),
        ("...", "conversation"),
        ("", "conversation"),
        ("CON", "conversation CON"),
        ("nul.txt", "conversation nul.txt"),
        ("e\u0301te\u0301", "été"),
        ("河" * 100, "河" * 60),
        ("a" * 200, "a" * 80),
    ],
)
def test_a_title_becomes_a_name_that_any_system_takes(title: str, name: str) -> None:
    assert safe_name(title) == name


@given(st.text(max_size=300))
def test_no_title_becomes_a_path_or_a_header(title: str) -> None:
    name = safe_name(title)
    assert name
    assert len(name) <= LONGEST + len("conversation ")
    assert len(name.encode()) <= LONGEST_BYTES + len("conversation ")
    assert not set(name) & set('/\\:*?"<>|')
    assert not name.startswith((".", " "))
    assert not name.endswith((".", " "))
    assert all(unicodedata.category(char)[0] != "C" for char in name)
    header = disposition(f"{name}.md")
    assert header.isascii()
    assert header.isprintable()
    found = re.fullmatch(r"attachment; filename=\"([^\"]+)\"(; filename\*=UTF-8''(\S+))?", header)
    assert found is not None
    assert not found[1].startswith(".")


async def test_a_name_beyond_ascii_is_said_in_both_ways(product: Product) -> None:
    session_id = await keep(product, Whole("Grüße, 河 50%", (Said("user", "Q"),)))
    header = (await export(product, session_id, "format=html")).headers["content-disposition"]
    encoded = "Gr%C3%BC%C3%9Fe%2C%20%E6%B2%B3%2050%25.html"
    assert header == f"attachment; filename=\"Grue,  50_.html\"; filename*=UTF-8''{encoded}"
