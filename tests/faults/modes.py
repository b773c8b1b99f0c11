"""The 34 ways in which a vendor fails, as scripts, and what must come of each.

Mode ── Speech(seed, mode, call) ──▶ steps for the raw upstream
  └ codes, calls, text, seconds: what the product has to make of it
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from time import time
from typing import Any, Literal

from .raw_upstream import End, Pause, Repeat, Send, Step
from .speech import DONE, Speech, delta, refusal

CONNECT_S, HEADERS_S, FIRST_S, IDLE_S, TOTAL_S = 0.6, 0.8, 1.6, 0.8, 8.0
RETRIES = 2
PAUSES_S = 1.5  # both pauses before a retry, at their longest
MAX_ANSWER_BYTES = 1024 * 1024
SETTINGS = {
    "connect_timeout_seconds": CONNECT_S,
    "headers_timeout_seconds": HEADERS_S,
    "first_piece_timeout_seconds": FIRST_S,
    "idle_timeout_seconds": IDLE_S,
    "total_timeout_seconds": TOTAL_S,
    "upstream_retries": RETRIES,
    "max_answer_bytes": MAX_ANSWER_BYTES,
}
EACH = RETRIES + 1
FOREVER = Pause(3600)
COMMENT = b": keep-alive\n\n"
HTML = b"<html><body><h1>500 Internal Server Error</h1></body></html>"
ERROR = b'{"error":{"message":"something broke","type":"server_error"}}'
FLOOD_TOKEN, FLOOD_COUNT = " and", 60_000

Place = Literal["raw", "heavy", "refused", "lost", "hole", "tls"]
Build = Callable[[Speech], Sequence[Step]]


@dataclass(frozen=True)
class Mode:
    """One way to fail. `codes`: what it may be called (None: completed). `calls`: how often the
    vendor may see it, at least and at most. It ends within `timeout_s`, not before `least_s`, and
    says `text` of the last call, if `exact` all of it."""

    name: str
    build: Build
    codes: tuple[str | None, ...]
    calls: tuple[int, int] = (1, 1)
    timeout_s: float = 0.0
    least_s: float = 0.0
    text: Callable[[Speech], str] = lambda _: ""
    exact: bool = True
    place: Place = "raw"


def fails(name: str, build: Build, code: str, **more: Any) -> Mode:
    """One that ends as failed."""
    return Mode(name, build, (code,), **more)


def before(speech: Speech) -> str:
    return speech.before


def whole(speech: Speech) -> str:
    return speech.text


def flooded(speech: Speech) -> str:
    return speech.text + FLOOD_TOKEN * FLOOD_COUNT


def unending(speech: Speech) -> str:
    """As much of it as a limit lets through, and more."""
    return speech.text + FLOOD_TOKEN * MAX_ANSWER_BYTES


# ── scripts ───────────────────────────────────────────────────────────────────────────────────


def always(*steps: Step) -> Build:
    """The same for every call."""
    return lambda _: steps


def refuses(status: int, body: bytes = ERROR, kind: str = "application/json") -> Build:
    """A status instead of a stream."""
    return always(*refusal(status, body, f"content-type: {kind}"))


def limited(times: int, wish: Callable[[], str]) -> Build:
    """429 for some calls, then an answer."""

    def build(speech: Speech) -> Sequence[Step]:
        if speech.call > times:
            return speech.reply(speech.whole())
        return refusal(429, ERROR, wish())

    return build


def cut_by(*steps: Step) -> Build:
    """Some of the answer, then these steps and nothing more."""
    return lambda speech: speech.reply(speech.events(speech.parts[: speech.cut]), *steps)


def interrupted_by(event: bytes) -> Build:
    """Some of the answer, this event, and then the rest as if nothing had been."""

    def build(speech: Speech) -> Sequence[Step]:
        events = speech.whole()
        return speech.reply([*events[: speech.cut], event, *events[speech.cut :]])

    return build


def splits(speech: Speech) -> Sequence[Step]:
    """Any end of lines, a byte order mark or none, and single bytes."""
    end = speech.rng.choice((b"\n", b"\r\n", b"\r"))
    mark = speech.rng.choice((b"", b"\xef\xbb\xbf"))
    body = mark + b"".join(speech.whole()).replace(b"\n", end)
    single = tuple(speech.framed(body[n : n + 1]) for n in range(len(body)))
    return speech.reply([], Send(single), *speech.end())


def more_than_the_end(speech: Speech) -> Sequence[Step]:
    """A second finish, or everything again behind the end mark."""
    twice = [*speech.events(), speech.finish(), speech.finish(), DONE]
    late = [*speech.whole(), *speech.events(), speech.finish(), DONE]
    return speech.reply(speech.rng.choice((twice, late)))


def says_nothing(speech: Speech) -> Sequence[Step]:
    """Thoughts and no answer, or not even thoughts."""
    thoughts = [speech.event({"reasoning_content": part}) for part in speech.parts]
    silent = speech.run_rng.random() < 0.5
    return speech.reply([*([] if silent else thoughts), speech.finish(), DONE])


def flood(speech: Speech) -> Sequence[Step]:
    """As many tokens as the line takes."""
    many = Repeat(speech.framed(delta(FLOOD_TOKEN) * 1000), times=FLOOD_COUNT // 1000)
    last = Send((speech.framed(speech.finish() + DONE),))
    return speech.reply(speech.events(), many, last, *speech.end())


def endless(speech: Speech) -> Sequence[Step]:
    """Fast or slow, and never an end."""
    if speech.run_rng.random() < 0.5:
        return speech.reply(speech.events(), Repeat(speech.framed(delta(FLOOD_TOKEN) * 100)))
    return speech.reply(speech.events(), Repeat(speech.framed(delta(FLOOD_TOKEN)), every_s=0.05))


def long_line(speech: Speech) -> Sequence[Step]:
    """50 MB without the end of a line."""
    line = Repeat(speech.framed(b"x" * 2**16), times=50 * 16)
    start = speech.events(speech.parts[: speech.cut])
    return speech.reply([*start, b"data: "], line, *speech.end())


def bomb() -> bytes:
    """A few hundred kilobytes that become 200 MB: one packed mebibyte, again and again."""
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    start = packer.compress(b"data: ") + packer.flush(zlib.Z_FULL_FLUSH)
    return start + 200 * (packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH))


def explodes(speech: Speech) -> Sequence[Step]:
    """A compressed answer that grows without bound."""
    head = "content-encoding: gzip\r\n"
    return speech.reply([], Send((speech.framed(bomb()),)), *speech.end(), head=head)


def waits(speech: Speech) -> Sequence[Step]:
    """Comments for a while, then the answer."""
    rest = Send((speech.framed(b"".join(speech.whole())),))
    comments = Repeat(speech.framed(COMMENT), every_s=0.1, times=10)
    return speech.reply([], comments, rest, *speech.end())


def comments(speech: Speech) -> Sequence[Step]:
    """Comments, and nothing else ever."""
    return speech.reply([], Repeat(speech.framed(COMMENT), every_s=0.1))


def reset(speech: Speech) -> Sequence[Step]:
    """Some of the answer and a reset, which may overtake it."""
    pause = Pause(speech.rng.choice((0.0, 0.3)))
    return speech.reply(speech.events(speech.parts[: speech.cut]), pause, End("rst"))


def drop_by_drop(speech: Speech) -> Sequence[Step]:
    """One byte a second, on a clock that is 25 times faster."""
    body = b"".join(speech.whole())
    single = tuple(speech.framed(body[n : n + 1]) for n in range(len(body)))
    return speech.reply([], Send(single, every_s=0.04))


def elsewhere(speech: Speech) -> Sequence[Step]:
    """Another place to ask."""
    status = speech.run_rng.choice((301, 302, 307, 308))
    return refusal(status, b"", f"location: http://localhost:{speech.port}/elsewhere")


def no_handshake(speech: Speech) -> Sequence[Step]:
    """Another protocol, an alert, a reset, or the end, where TLS was expected."""
    said: tuple[Step, ...] = (
        Send((speech.run_rng.randbytes(300),)),
        Send((b"HTTP/1.1 400 Bad Request\r\n\r\n",)),
        Send((b"\x15\x03\x03\x00\x02\x02\x28",)),
        End("rst"),
        End("eof"),
    )
    return [speech.run_rng.choice(said), End("eof")]


def in_two_seconds() -> str:
    """A wish as a date."""
    return f"retry-after: {formatdate(time() + 2, usegmt=True)}"


# ── the table ─────────────────────────────────────────────────────────────────────────────────

GONE = "upstream_unreachable"
LATE = "upstream_timeout"
TORN = "upstream_truncated"
BAD = "upstream_garbage"
OVERLOADED = b'data: {"error":{"message":"no room","type":"overloaded_error"}}\n\n'
TRIES = {"calls": (EACH, EACH), "timeout_s": PAUSES_S}


def late_each(timer_s: float) -> dict[str, Any]:
    """Every try runs into this timer."""
    return {"calls": (EACH, EACH), "timeout_s": EACH * timer_s + PAUSES_S}


def unseen(place: Place, timer_s: float = 0.0) -> dict[str, Any]:
    """No try reaches the vendor."""
    return {"place": place, "calls": (0, 0), "timeout_s": EACH * timer_s + PAUSES_S}


TABLE = (
    fails("refused", always(), GONE, **unseen("refused")),
    fails("dns-fail", always(), GONE, **unseen("lost")),
    fails("black-hole", always(), GONE, **unseen("hole", CONNECT_S)),
    fails("tls-failure", no_handshake, GONE, **{**unseen("tls", CONNECT_S), "calls": (1, EACH)}),
    fails("silence", always(FOREVER), LATE, **late_each(HEADERS_S)),
    fails("headers-then-silence", lambda s: s.reply([], FOREVER), LATE, **late_each(FIRST_S)),
    fails("400", refuses(400), "provider_bad_request"),
    fails("401", refuses(401), "provider_auth"),
    fails("402", refuses(402), "provider_balance"),
    fails("422", refuses(422), "provider_bad_request"),
    Mode("429-seconds", limited(2, lambda: "retry-after: 1"), (None,), (3, 3), 2, 2, whole),
    Mode("429-date", limited(1, in_two_seconds), (None,), (2, 2), 2, 0.9, whole),
    fails("429", limited(EACH, lambda: "x-nothing: 1"), "provider_rate_limited", **TRIES),
    fails("500-html", refuses(500, HTML, "text/html"), "provider_error", **TRIES),
    fails("503-json", refuses(503), "provider_overloaded", **TRIES),
    fails("200-json-error", refuses(200), "provider_error", **TRIES),
    Mode("comments-then-tokens", waits, (None,), timeout_s=FIRST_S, least_s=1, text=whole),
    fails("comments-for-ever", comments, LATE, **late_each(FIRST_S)),
    fails("stall", cut_by(FOREVER), LATE, timeout_s=IDLE_S, text=before),
    Mode("rst", reset, (TORN, GONE), (1, EACH), PAUSES_S, text=before, exact=False),
    fails("eof", cut_by(End("eof")), TORN, text=before),
    Mode("no-done", lambda s: s.reply([*s.events(), s.finish()]), (None,), text=whole),
    fails("no-finish", lambda s: s.reply([*s.events(), DONE]), TORN, text=whole),
    fails("broken-json", interrupted_by(b"data: {oops\n\n"), BAD, text=before),
    Mode("splits", splits, (None,), text=whole),
    fails("error-event", interrupted_by(OVERLOADED), "provider_overloaded", text=before),
    fails("50-mb-line", long_line, BAD, text=before, place="heavy"),
    Mode("token-flood", flood, (None,), text=flooded, place="heavy"),
    Mode(
        "endless",
        endless,
        ("answer_too_long", LATE),
        timeout_s=TOTAL_S,
        text=unending,
        exact=False,
        place="heavy",
    ),
    Mode("more-than-the-end", more_than_the_end, (None,), text=whole),
    fails("says-nothing", says_nothing, "empty_answer", calls=(1, EACH), timeout_s=PAUSES_S),
    fails("redirect", elsewhere, "provider_not_found"),
    fails("gzip-bomb", explodes, BAD, place="heavy"),
    fails("drop-by-drop", drop_by_drop, LATE, **late_each(FIRST_S)),
)
MODES = {mode.name: mode for mode in TABLE}
