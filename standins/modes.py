"""Every behaviour that has a name: one line each, so that a test can go through them all.

header  x-stand-in: stall, crlf     ┐
message line  play: stall           ├─▶ the same names
POST /_control {"play": "stall"}    ┘
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from standins.behaviours import (
    FOREVER,
    Answer,
    BadUtf8,
    Body,
    Bom,
    Bytes,
    CallsAs,
    CloseIdle,
    Concurrency,
    ContentAs,
    Cut,
    Delay,
    DoneAs,
    Dress,
    Dribble,
    Drip,
    ErrorEvent,
    FailThen,
    FinishAs,
    FirstChunk,
    Flood,
    FramedBy,
    Gzip,
    Insert,
    Interim,
    LineEnds,
    NoFinalBlank,
    OkError,
    OnlyKey,
    Played,
    ReasoningAs,
    SlowRead,
    SplitEvents,
    Stall,
    Status,
    Together,
    Twist,
    UsageAs,
)
from standins.behaviours.calls import CallStyle
from standins.behaviours.deltas import UsageKind
from standins.behaviours.events import ErrorForm
from standins.behaviours.timing import CutHow
from standins.reply import DONE, Headers, event

HTML = b"<html><head><title>502 Bad Gateway</title></head><body>openresty</body></html>"
EXOTIC = "a\u2028b\u2029c\u0085d, naïve 河 🙂 👩‍🔬 end"


@dataclass(frozen=True, slots=True)
class Mode:
    """A name, what a client will see, and the behaviours that make it so. `endless` answers go
    on until the client leaves."""

    name: str
    description: str
    played: tuple[Played, ...]
    endless: bool = False


def mode(name: str, description: str, *played: Played, endless: bool = False) -> Mode:
    """One line of the table."""
    return Mode(name, description, played, endless)


TIMING = (
    mode("slow-headers", "3 s pass before the head", Delay(before_headers_s=3)),
    mode("slow-body", "3 s pass between the head and the body", Delay(before_body_s=3)),
    mode(
        "slow-first-token",
        "comments (or blank lines) every 0.5 s for 3 s before the first token",
        Delay(before_first_token_s=3, comments_every_s=0.5),
    ),
    mode("no-answer", "the request is read, and nothing comes", Delay(FOREVER), endless=True),
    mode("no-body", "the head comes, and nothing else", Delay(0, FOREVER), endless=True),
    mode("stall", "silence after 3 tokens, the socket open", Stall(), endless=True),
    mode("stall-5s", "5 s of silence after 3 tokens, then the rest", Stall(seconds=5)),
    mode(
        "stall-with-comments",
        "after 3 tokens only comments, one each second",
        Stall(comments_every_s=1),
        endless=True,
    ),
    mode("drip", "one token each second, without an end", Drip(), endless=True),
    mode("slow-read", "the body of the request is not read for 1 s", SlowRead(1)),
)

HOW: Mapping[CutHow, str] = {
    "clean": "the body ends cleanly after 3 tokens, without finish_reason and [DONE]",
    "eof": "the connection closes after 3 tokens without the closing chunk",
    "rst": "the connection is reset after 3 tokens",
    "mid_json": "closed in the middle of the 4th token's JSON",
    "mid_crlf": "closed between CR and LF after the 4th token's chunk",
    "mid_size": "closed inside the size line of the 4th token's chunk",
    "no_final_chunk": "everything is said, but the closing chunk is missing",
    "no_done": "everything is said, but [DONE] is missing",
    "no_finish": "after 3 tokens [DONE], but no finish_reason",
}
CUTS = tuple(
    mode(f"cut-{how.replace('_', '-')}", description, Cut(how=how))
    for how, description in HOW.items()
)

WRITES = (
    mode("dribble", "one byte per write, each its own HTTP chunk", Dribble()),
    mode("dribble-raw", "one byte per write, chunk heads too", Dribble(own_chunks=False)),
    mode("one-write", "the whole body in one write", Together()),
    mode("five-per-write", "five events per write", Together(5)),
    mode("split-events", "the n-th event is cut after its n-th byte", SplitEvents()),
    mode(
        "split-utf8",
        "every character above ASCII is cut in two",
        Answer(text=EXOTIC),
        SplitEvents("utf8"),
    ),
    mode("gzip", "a gzip body, flushed after every event", Gzip()),
    mode("gzip-unflushed", "a gzip body that comes at its end", Gzip(flush=False)),
    mode("content-length", "a content-length instead of chunks", FramedBy("length")),
    mode("http-1.0", "the body ends with the connection", FramedBy("close")),
    mode("close-at-once", "the connection closes after the answer", CloseIdle("at_once")),
    mode("stale", "the connection dies when it is used again", CloseIdle()),
    mode("interim", "100, 102 and 103 come before 200", Interim((100, 102, 103))),
)

EVENTS = (
    mode("exotic-text", "U+2028, U+2029, U+0085, emoji, raw in the JSON", Answer(text=EXOTIC)),
    mode("bad-utf8", "two bytes of the third token are no UTF-8", BadUtf8()),
    mode("bom", "a byte order mark first", Bom()),
    mode("lone-surrogate", "half a surrogate pair as an escape", Answer(text="a \ud83d b")),
    mode(
        "split-surrogates", "an emoji in two escapes in two tokens", Answer(text="a \ud83d\ude42")
    ),
    mode("crlf", "lines end in CRLF", LineEnds("crlf")),
    mode("cr", "lines end in CR", LineEnds("cr")),
    mode("mixed-lines", "lines end now in LF, now in CRLF, now in CR", LineEnds("mixed")),
    mode("no-space", "`data:` without its space", Dress("no_space")),
    mode("multi-line-data", "the JSON over three data lines", Dress("multi_line")),
    mode("event-fields", "event:, id: and retry: lines", Dress("fields")),
    mode("comments-inside", "comments between the lines of an event", Dress("comments_inside")),
    mode("no-final-blank", "the last event has no blank line after it", NoFinalBlank()),
    mode("after-done", "bytes after [DONE]", DoneAs(DONE + event({"choices": []}) + b"rest")),
    mode("done-with-spaces", "`[DONE]` between spaces", DoneAs(b"data:  [DONE]  \n\n")),
    mode("broken-json", "one event is no JSON, good ones follow", Insert(b"data: {oops\n\n")),
    mode("json-array", "one event is an array", Insert(b"data: [1,2]\n\n")),
    mode("json-scalar", "one event is a number", Insert(b"data: 42\n\n")),
    mode("empty-data", "one event has no data", Insert(b"data:\n\n")),
    mode("one-megabyte", "one event of 1 MB", Flood(1, width=1_000_000)),
    mode("twenty-megabytes", "one event of 20 MB", Flood(1, width=20_000_000)),
    mode("many-events", "200,000 tiny events", Flood(200_000)),
    mode("same-chunk", "150 equal chunks in a row", Flood(150, "again ")),
)

KINDS: Mapping[str, str] = {
    "none": "no usage anywhere",
    "trailing": "usage in a last chunk without choices",
    "both": "usage on the finish chunk and in a last one",
    "every_chunk": "usage on every chunk",
    "x_groq": "usage inside x_groq",
    "negative": "a negative count of tokens",
    "inconsistent": "counts that do not add up",
    "as_strings": "counts as strings",
}

DELTAS = (
    mode("first-role-only", "the first delta is the role alone", FirstChunk("role_only")),
    mode("first-null-content", "the first content is null", FirstChunk("null_content")),
    mode("first-empty-choices", "first a chunk without choices", FirstChunk("empty_choices")),
    mode("first-missing", "no chunk with the role", FirstChunk("missing")),
    mode("reasoning-renamed", "thoughts in `reasoning`", ReasoningAs("reasoning")),
    mode("reasoning-both", "thoughts under both names", ReasoningAs("both")),
    mode("reasoning-details", "thoughts in reasoning_details", ReasoningAs("details")),
    mode("reasoning-parts", "thoughts as parts of the content", ReasoningAs("parts")),
    mode("think-tags", "thoughts between <think> tags that are split", ReasoningAs("think_tags")),
    mode("reasoning-only", "thoughts, and no content", ContentAs("none")),
    mode("null-between", "null content before every chunk", ContentAs("null_between")),
    mode("empty-tool-calls", "tool_calls: [] in every delta", ContentAs("empty_tool_calls")),
    mode("role-everywhere", "the role in every chunk", ContentAs("role_everywhere")),
    mode("no-delta", "chunks whose delta is null or missing", ContentAs("no_delta")),
    mode("finish-absent", "no finish_reason, but [DONE]", FinishAs(None)),
    mode("finish-empty", "finish_reason is an empty string", FinishAs("")),
    mode("finish-with-text", "text in the finish chunk", FinishAs(text=" tail")),
    mode("text-after-finish", "text after the finish chunk", FinishAs(text_after=" late")),
    mode("changing-identity", "another id, model and time in every chunk", Twist("identity")),
    mode("unknown-fields", "fields nobody knows", Twist("unknown_fields")),
    mode("numbers-as-strings", "index and created as strings", Twist("numbers_as_strings")),
    mode("second-choice", "a second choice beside the first", Twist("second_choice")),
    mode("no-content", "an empty answer", Answer(text="")),
    mode("chinese-and-emoji", "an answer in two scripts", Answer(language="mixed")),
    mode("call-a-tool", "a call of the request's first tool", Answer(calls=1)),
    *(mode(f"usage-{k.replace('_', '-')}", KINDS[k], UsageAs(k)) for k in get_args(UsageKind)),
    *(
        mode(f"finish-{reason.replace('_', '-')}", f"finish_reason {reason}", FinishAs(reason))
        for reason in (
            "length",
            "content_filter",
            "tool_calls",
            "insufficient_system_resource",
            "aborted",
            "error",
            "end_of_the_world",
        )
    ),
    *(
        mode(f"calls-{style.replace('_', '-')}", f"two tool calls, {style}", CallsAs(style))
        for style in get_args(CallStyle)
    ),
)

ERRORS = (
    *(
        mode(
            f"error-{form.replace('_', '-')}",
            f"an error event after 2 tokens, {form}",
            ErrorEvent(form),
        )
        for form in get_args(ErrorForm)
    ),
    mode("error-first", "the first event is an error", ErrorEvent(after_tokens=0)),
    mode("error-last", "an error after the finish chunk", ErrorEvent(after_tokens=None)),
    mode("error-goes-on", "an error, and then the rest", ErrorEvent(goes_on=True)),
    mode(
        "error-in-call",
        "an error inside a tool call",
        Answer(reasoning=""),  # thoughts count as tokens too
        CallsAs("parallel"),
        ErrorEvent(after_tokens=3),
    ),
)


def status(name: str, code: int, headers: Headers = ()) -> Mode:
    """A status with the vendor's own words."""
    return mode(name, f"{code} before the first byte", Status(code, headers=headers))


GOVERNOR = Status(401, b"Authentication Fails (governor)", (), "text/plain")
SHORTER = Status(500, b'{"error":{"mess', declared_bytes=999)
OCTETS = Status(503, content_type="application/octet-stream")
STATUSES = (
    *(
        status(f"status-{code}", code)
        for code in (400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 503, 504, 529)
    ),
    status("retry-after", 429, (("retry-after", "2"),)),
    status("retry-after-date", 429, (("retry-after", "Fri, 31 Dec 2049 23:59:59 GMT"),)),
    status("retry-after-huge", 429, (("retry-after", "86400000"),)),
    status("retry-after-ms", 429, (("retry-after-ms", "250"),)),
    mode(
        "plain-401",
        "401 in plain text",
        GOVERNOR,
    ),
    mode("html-502", "502 as a page", Status(502, HTML, (), "text/html")),
    mode("html-524", "524 as a page", Status(524, HTML, (), "text/html")),
    mode("empty-500", "500 without a body", Status(500, b"")),
    mode(
        "truncated-500",
        "500 whose body ends early",
        SHORTER,
    ),
    mode("huge-500", "500 with 5 MB", Status(500, b"x" * 5_000_000, (), "text/plain")),
    mode(
        "wrong-type-503",
        "503 JSON that calls itself bytes",
        OCTETS,
    ),
    mode("ok-error", "200, but the JSON is an error", OkError()),
    mode("ok-error-in-choice", "200, the error in choices[0]", OkError(in_choice=True)),
    mode("garbage", "bytes that are no HTTP", Bytes((b"\x00\x01 not http\r\n\r\n",))),
    mode("closed-at-once", "the connection closes without a byte", Bytes(())),
    mode("empty-stream", "200 and an empty body", Body(())),
    mode("fails-twice", "503 twice, then an answer", FailThen(2, Status(503))),
    mode("only-sk-good", "429 for every key but sk-good", OnlyKey("sk-good")),
    mode("one-at-a-time", "429 while another chat is answered", Concurrency(1)),
)

MODES: Mapping[str, Mode] = {
    one.name: one for one in (*TIMING, *CUTS, *WRITES, *EVENTS, *DELTAS, *ERRORS, *STATUSES)
}
