"""Whatever a conversation says, its page runs nothing, loads nothing, and stays in its place."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lite_llm_chat.domain import Attachment
from lite_llm_chat.exporters import page
from lite_llm_chat.exporters.chosen import Step
from lite_llm_chat.exporters.safe_html import LONGEST, html_of
from lite_llm_chat.exporters.shown import Block, Called, Gave, Shown, Thought, Words

from .marked import Page, dangers

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe src=javascript:alert(1)></iframe>",
    "</style><script>alert(1)</script>",
    "</title></head><body onload=alert(1)>",
    "</div></article></main><h1>taken over</h1>",
    "</details></blockquote><form action=//evil.example><input name=a>",
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt:alert(1))",
    "[a](&#106;avascript:alert(1))",
    "[a](java\tscript:alert(1))",
    "[a](\x01javascript:alert(1))",
    "[a](javascript&colon;alert(1))",
    "[a](vbscript:msgbox(1))",
    "[a](data:text/html;base64,PHNjcmlwdD4=)",
    "[a](<javascript:alert(1)>)",
    "[a](//evil.example/x)",
    "[a](/api/v1/sessions)",
    "[a](file:///etc/passwd)",
    "[a]: javascript:alert(1)\n\n[a]",
    '[a](http://e.example/"onmouseover="alert(1))',
    "[a](http://e.example/'onmouseover='alert(1))",
    '[a](http://e.example "\\"onmouseover=\\"alert(1)")',
    "[a](http://e.example 'x\" onclick=\"alert(1)')",
    "<javascript:alert(1)>",
    '<http://e.example/"onclick="alert(1)>',
    "![a](http://e.example/pixel.png)",
    "![a](javascript:alert(1))",
    '![" onerror="alert(1)](http://e.example/x.png)',
    "[![a](http://e.example/x.png)](http://e.example)",
    "![![a](http://e.example/i.png)](http://e.example/x.png)",
    "![[a](http://e.example/i)](http://e.example/x.png)",
    "```<script>\nalert(1)\n```",
    '```" onclick="alert(1)\nx\n```',
    "`</code><script>alert(1)</script>`",
    "|a|\n|:-:|\n|<script>alert(1)</script>|",
    "<!-- --><script>alert(1)</script>",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<?php echo 1 ?>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "\0<script\0>alert(1)</script>",
    '<a href="javascript:alert(1)">x</a>',
    "<base href=//evil.example>",
    "<link rel=stylesheet href=//evil.example>",
    "<meta http-equiv=refresh content='0;url=//evil.example'>",
    "<style>*{background:url(//evil.example)}</style>",
    "<details open ontoggle=alert(1)>",
    "[a]() and ![b]()",
    "<math><mtext></mtext><script>alert(1)</script></math>",
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    "{{constructor.constructor('alert(1)')()}}",
    "${alert(1)}",
]
FRAGMENTS = [
    *("<", ">", '"', "'", "&", "`", "*", "_", "[", "]", "(", ")", "!", "\\", "\n", " ", "|", "-"),
    *("javascript:", "http://e.example", "mailto:a@b.example", "onerror=", "<script>", "</div>"),
    *("![", "](", "```", "~~", ">", "#", "&#x6a;", "\t", "\0", "\r", "1. ", "<!--", "style="),
]
texts = st.one_of(
    st.sampled_from(ATTACKS),
    st.text(max_size=60),
    st.lists(st.sampled_from([*FRAGMENTS, *ATTACKS]), max_size=25).map("".join),
)
roles = st.sampled_from(["user", "assistant", "system", "tool"])
blocks: st.SearchStrategy[Block] = st.one_of(
    st.builds(Words, texts),
    st.builds(Thought, texts),
    st.builds(Called, texts, texts),
    st.builds(Gave, texts, st.booleans()),
)
files = st.builds(
    Attachment,
    st.just("a" * 64),
    texts,
    st.one_of(st.sampled_from(["image/png", "image/svg+xml"]), texts),
    st.integers(0, 10**12),
)
messages = st.builds(
    Shown,
    roles,
    st.just(NOW),
    st.none() | texts,
    st.sampled_from(["completed", "failed", "cancelled", "interrupted"]),
    st.lists(blocks, max_size=4).map(tuple),
    st.lists(files, max_size=2).map(tuple),
)


@pytest.mark.parametrize("text", ATTACKS)
def test_no_known_attack_gets_through(text: str) -> None:
    assert dangers(html_of(text)) == []
    assert dangers(html_of(f"before\n\n{text}\n\nafter")) == []


@given(texts)
def test_no_text_becomes_anything_but_looks(text: str) -> None:
    assert dangers(html_of(text)) == []


@given(texts, st.lists(messages, max_size=3), texts)
def test_a_whole_page_is_one_page_whatever_is_in_it(
    title: str, said: list[Shown], small: str
) -> None:
    cover = page.Cover(title, NOW, (small,), small, page.FILE_POLICY)
    inside = [
        page.message(one, Step(0), lambda _: f"/s/{'t' * 32}/files/{'a' * 64}") for one in said
    ]
    html = "".join((page.start(cover), *inside, page.end(cover)))
    assert dangers(html, styles=1) == []
    seen = Page(html)
    assert len(seen.all("article")) == len(said)
    assert [tag for tag, _ in seen.tags].count("main") == 1
    (policy,) = (one for one in seen.all("meta") if "http-equiv" in one)
    assert policy["content"] == page.FILE_POLICY


@given(texts)
def test_what_a_person_typed_is_shown_letter_by_letter(text: str) -> None:
    said = Shown("user", NOW, None, "completed", (Words(text),))
    html = page.message(said, Step(0), lambda _: None)
    assert _lines(text) in _lines(Page(html).text)


def _lines(text: str) -> str:
    """As a browser takes it."""
    return re.sub("\r\n?", "\n", text).replace("\0", "")


def test_a_link_tells_the_other_side_nothing() -> None:
    for text in ("[a](https://e.example/x)", "<https://e.example/x>", "![a](https://e.example/x)"):
        (link,) = Page(html_of(text)).all("a")
        assert link == {"href": "https://e.example/x", "rel": "noopener noreferrer nofollow"}
    assert Page(html_of("![a](https://e.example/x)")).all("img") == []
    (link,) = Page(html_of("[![b](https://e.example/i)](mailto:a@e.example)")).all("a")
    assert link["href"] == "mailto:a@e.example"


def test_a_text_that_markdown_would_take_long_for_is_shown_as_it_is() -> None:
    assert Page(html_of("**a** " + "![" * (LONGEST // 2))).text.strip().startswith("**a** ![")
    assert "<strong>a</strong>" in html_of("**a** " + "b" * 1_000)


def test_the_usual_things_are_rendered() -> None:
    html = html_of("# T\n\n- a\n\n|x|y|\n|:-|-:|\n|1|2|\n\n```py\nx < 1\n```\n\n~~no~~ **yes** `c`")
    tags = [tag for tag, _ in Page(html).tags]
    for tag in ("h1", "ul", "li", "table", "th", "td", "pre", "code", "s", "strong"):
        assert tag in tags, tag
    assert [one.get("class") for one in Page(html).all("td")] == ["left", "right"]
    assert "x < 1" in Page(html).text


def test_the_checker_finds_what_it_is_for() -> None:
    for text in ATTACKS[:5]:
        assert dangers(text), text
    assert dangers('<a href="javascript:x">a</a>')
    assert dangers('<p style="color:red">a</p>')
    assert dangers("<div>")
    assert dangers("</div>")
    assert dangers("<style></style>", styles=1) == []


def test_only_the_pages_own_style_is_allowed_by_its_policy() -> None:
    for policy in (page.FILE_POLICY, page.LINK_POLICY):
        rules = dict(one.strip().split(" ", 1) for one in policy.split(";"))
        assert rules["default-src"] == "'none'"
        assert rules["style-src"].startswith("'sha256-")
        assert "unsafe" not in policy
        assert {"script-src", "connect-src", "frame-src"}.isdisjoint(rules)


def test_a_message_of_nothing_is_still_a_message() -> None:
    bare = Shown("assistant", NOW, None, "failed", ())
    assert "failed before its end" in Page(page.message(bare, Step(0), lambda _: None)).text
