"""From figures to a table: printed, and kept in docs/benchmarks.md.

A Row says what was measured, the ratio first, then ours and what it was compared with. A figure
that cannot be trusted is not shown: its row says why.
"""

from __future__ import annotations

import math
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

HEADINGS = ("what", "goal", "ratio", "the product", "compared with")
REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; cells are finished text."""

    what: str
    ratio: str
    ours: str
    theirs: str
    goal: str = "–"

    def cells(self) -> tuple[str, ...]:
        """In the order of the headings."""
        return self.what, self.goal, self.ratio, self.ours, self.theirs


def goal(wanted: str, *met: bool) -> str:
    """A goal, and whether all that it asks for is met."""
    return f"{wanted}: {'met' if all(met) else 'MISSED'}"


def quantiles(values: Sequence[float]) -> tuple[float, float]:
    """p50 and p99."""
    return percentile(values, 50), percentile(values, 99)


def median_quantiles(rounds: Iterable[Sequence[float]]) -> tuple[float, float]:
    """The medians over the rounds of each round's p50 and p99."""
    p50s, p99s = zip(*map(quantiles, rounds), strict=True)
    return statistics.median(p50s), statistics.median(p99s)


def percentile(values: Iterable[float], percent: float) -> float:
    """The nearest-rank percentile of at least one value."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def median_ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """The median of the ratios of two rows of rounds."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table whose columns line up."""
    lines = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    ruled = [tuple("-" * width for width in widths)]
    return "\n".join(
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in [lines[0], *ruled, *lines[1:]]
    )


READING = """\
## How to read it

Ratios travel, digits do not: whatever is compared ran in turn, round by round, in the same
minutes on the same machine, and a ratio is the median of the rounds' ratios.

* **Goal**: what this project wants of itself, and whether the figure beside it reaches it.
  A line without a goal is there to be compared.
* **CPU for a streamed token**: CPU time of the server's processes while all streams run, divided by
  the tokens relayed meanwhile. nginx with `proxy_buffering off` relays the same upstream and keeps
  nothing; the product parses every token and has it on disk before it is shown. Above 1.00 the
  product is the cheaper one. *With its share of the question and of the end*: CPU time from the
  first question to the last end, divided by all tokens.
* **Woken**: how often a thread of the server had slept and was woken, for a token. In the rows
  that say it each stream of the upstream speaks at moments of its own, as vendors do, and the
  client reads what comes as it comes: whoever relays token by token pays for a wake, a read and a
  send each time. In the others, and in the row *on one beat*, all streams speak on the beat of a
  millisecond, so whoever relays is woken once for all that come then.
* **CPU for a streamed token of a dialect**: of the same text, while all streams run; each dialect
  as its vendor speaks it. They are compared with chunks of OpenAI's dialect that say the usage so
  far, because in the others something differs in each event too: blanks, counts, a time, a number.
  Chunks that are *alike* but for their text are read all at once, so they are cheaper.
* **Age of a token**: from the moment the upstream sent it to the moment the client had it; each
  token carries its time of sending. The product commits all running answers together every
  `FLUSH_MS` (50) milliseconds, so a token waits 25 ms on average for its commit, by design; where
  200 are relayed, each is drawn every 62 ms.
  *Once all run*: without the first two seconds of each stream.
* **Bytes on the wire**: all bytes that the client's sockets received, the HTTP heads and the
  lengths of the chunks included, divided by the bytes of the text in them. A token of 21
  characters is the bench's own, with its number and time; one of 4 is about what a model says on
  average. The vendor wraps every token in its own chunk and nginx forwards that; the product
  makes one frame of the tokens of a tick. Frame and chunk are 28 bytes around their text, so twice
  the text is reached from 28 characters on: 140 ms of such short tokens, at 50 a second. Nobody
  should wait that long for a word.
* **A crowd that arrives**: a thousand streams, each on a connection that it opens at its own
  moment of the half second; the clock of a stream runs from opening its connection to its first
  token, the durable accept of its question included. Tokens of those that are already there flow
  meanwhile. Each round has a fresh product and a fresh nginx, both warmed with 50 chats. Here the
  load's core is judged for the half second alone too, and the figure of nginx is refused if
  that was too busy.
* **Share of one core once all run**: CPU time of the server from a second after the last stream has
  begun until the first one ends, divided by that time.
* **Memory for a held stream**: resident memory a second after the last stream of the crowd has
  begun, less that of the same server when the 50 chats of the warm-up had ended, divided by the
  streams. It holds both connections, the reader and the running log. Each answer then has some 30
  tokens, less than 1 kB of text, so that it is the stream that is measured.
* **First token**: one stream at a time; the same question directly to the upstream, then through
  the product, and the difference of each pair. The durable accept of the question is part of it.
  A request passes from thread to thread, and on a virtual machine it can take a tenth of a
  millisecond to wake a core that sleeps. So it is measured twice: with something on each core
  that gives way to everything (`SCHED_IDLE`) and so keeps it awake, as a server that others use
  too is; and as the machine does it by itself. *The least durable relay* (`bench/least.py`) makes
  three commits in one thread and nothing else: what the same promise costs at the least here.
* **Accepting**: a session is created and committed (`synchronous=FULL`) before the answer. It is
  compared with `fdatasync` of 4 KiB in the same folder, the least that a durable commit costs.
* **As fast as it can**: the upstream does not pace itself; every token still goes through the log.
* **A page of 20 messages**: `GET /api/v1/sessions/{id}`, one after the other on one connection, of
  random sessions of a file with 50,000 sessions of 20 messages of 200 characters, every second
  one an answer with its generation. Beside it the same file by an application of FastAPI,
  SQLAlchemy's asynchronous ORM and Pydantic (`bench/orm.py`), run by the same uvicorn; both say
  the same JSON, which is compared first. CPU time of the server's process for a page.
* **Search**: `GET /api/v1/search`, one query after the other on one connection, of 15 kinds (rare
  and common words, phrases, Chinese, Japanese and Korean, words while they are typed, filters) in
  a file of made-up text of three scripts in which words are as common as in a language. Half of
  the messages have 24 words or fewer. The size of the index is compared with the UTF-8 bytes of
  the messages. The commit (`synchronous=FULL`) is that of one message, without its words, which are
  learned later, and with them, in turn, on that file.
* **Start and memory**: compared with a FastAPI application that has one route and nothing else.

Server and load run on different cores where there are two. Every byte of every stream is checked.
A figure is refused when a stream was not whole, or when the load client was busy for more than
85 % of its core: then it would have measured itself. At 100 tokens a second, where no times are
read off, it may be busy for 97 %.
"""


@dataclass(frozen=True, slots=True)
class Setting:
    """Under which circumstances the figures were taken; `others` is the load average before."""

    machine: str
    pinned: bool
    others: float
    took_s: float


def document(rows: Sequence[Row], setting: Setting) -> str:
    """The text of docs/benchmarks.md."""
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    cores = "server and load on different cores" if setting.pinned else "not pinned to cores"
    return (
        "# Benchmarks\n\n"
        f"Written by `make bench` on {when} in {setting.took_s:.0f} s: {setting.machine}; {cores}; "
        f"load average before the start {setting.others:.1f}; "
        f"Python {platform.python_version()}, Linux {platform.release().split('-')[0]}.\n\n"
        f"{table(rows)}\n\n{READING}"
    )
