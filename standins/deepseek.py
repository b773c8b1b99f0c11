"""DeepSeek on a port of this machine: the real thing's bytes, rules and moods, without a key.

POST /chat/completions ─▶ key? ─▶ money? ─▶ order? ─▶ speech ─▶ reply ─▶ behaviours ─▶ player
     /v1/… /beta/…                                                          ▲
GET  /models /user/balance          play(…) once · always(…) · header x-stand-in

async with DeepSeekStandIn(key="sk-test") as upstream:
    upstream.play(Stall(after_tokens=3))
    … upstream.url …
    await upstream.wait_for_disconnect()
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from standins.accounting import PrefixCache, estimate
from standins.answers import Answer, Bill, speech, streamed, whole
from standins.behaviours.base import Played, answer_of
from standins.behaviours.status import refusal, too_many
from standins.deepseek_order import read_order
from standins.deepseek_rules import (
    SERVED,
    Order,
    RefusedError,
    authenticate,
    balance,
    models,
)
from standins.reply import JSON_HEADERS, Envelope, Frame, Reply
from standins.server import Request
from standins.standin import StandIn, document

FINGERPRINT = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
CHAT_PATHS = ("/chat/completions", "/v1/chat/completions", "/beta/chat/completions")


def fresh_id() -> str:
    """A bare UUID, as DeepSeek's ids are."""
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Traits:
    """The account and the clock behind a stand-in. `concurrency` None is the model's own limit;
    `wait_scale` multiplies every wait of a behaviour."""

    balance: str = "110.00"
    concurrency: int | None = None
    request_ids: bool = False
    clock: Callable[[], float] = time.time
    new_id: Callable[[], str] = fresh_id
    wait_scale: float = 1.0


class DeepSeekStandIn(StandIn):
    """One DeepSeek. `key` None accepts any key; `answer` is what it says unless a behaviour says
    otherwise. Its `url` is for DEEPSEEK_BASE_URL."""

    def __init__(
        self,
        key: str | tuple[str, ...] | None = None,
        tokens_per_s: float | None = None,
        port: int = 0,
        answer: Answer | None = None,
        traits: Traits | None = None,
    ) -> None:
        self.traits = traits or Traits()
        super().__init__(port, self.traits.wait_scale)
        self.keys = (key,) if isinstance(key, str) else (key or ())
        self.answer = (answer or Answer()).over(Answer(tokens_per_s=tokens_per_s))
        self.cache = PrefixCache()

    def is_chat(self, request: Request) -> bool:
        """A POST of whatever base."""
        return request.path.partition("?")[0].endswith("/chat/completions")

    def key_of(self, headers: Mapping[str, str]) -> str:
        """A bearer's."""
        return headers.get("authorization", "").removeprefix("Bearer").strip()

    def forget(self) -> None:
        """What is cached."""
        self.cache.forget()

    def refused(self, error: RefusedError) -> Reply:
        """In DeepSeek's envelope."""
        return refusal(error, self.traits.new_id() if self.traits.request_ids else "")

    def answered(self, request: Request, played: tuple[Played, ...]) -> Reply:
        """By its path."""
        path = request.path.partition("?")[0]
        key = authenticate(request.headers, self.keys)
        match request.method, path.removeprefix("/v1"):
            case "GET", "/models":
                return document(models())
            case "GET", "/user/balance":
                return document(balance(self.traits.balance))
            case "POST", _ if path in CHAT_PATHS:
                return self._chat(request, key, played)
            case _:
                return Reply((Frame(b'{"error_msg":"Not Found"}'),), 404, JSON_HEADERS, "length")

    def _chat(self, request: Request, key: str, behaviours: tuple[Played, ...]) -> Reply:
        if float(self.traits.balance) <= 0:
            raise RefusedError("Insufficient Balance", 402, "unknown_error", "application/json")
        order = read_order(request.raw, request.path.startswith("/beta"))
        limit = self.traits.concurrency or SERVED[order.model]
        if self.in_flight > limit:
            raise too_many(self.in_flight, limit)
        answer = answer_of(self.answer, behaviours)
        spoken = speech(order, answer)
        bill = self._bill(key, order, spoken.said())
        traits = self.traits
        envelope = Envelope(
            traits.new_id(), int(traits.clock()), order.model, FINGERPRINT, order.thinking
        )
        return (streamed if order.stream else whole)(spoken, bill, envelope, answer)

    def _bill(self, key: str, order: Order, said: str) -> Bill:
        """Count the prompt, and remember it together with its answer."""
        prompt = order.prompt()
        user = f"{key}\x00{order.user}"
        hit = self.cache.hit(user, prompt)
        role = b"" if order.prefix else b"<|assistant|>"
        self.cache.keep(user, prompt + role + said.encode("utf-8", "replace"))
        return Bill(estimate(prompt), hit)


# ── the command ───────────────────────────────────────────────────────────────────────────────


def main() -> int:
    """`python -m standins.deepseek`: serve until interrupted; 1 when the port is taken."""
    parser = argparse.ArgumentParser(
        prog="python -m standins.deepseek", description="A DeepSeek on this machine, without a key."
    )
    parser.add_argument("--port", type=int, default=9100, help="0 takes any free one")
    parser.add_argument("--tokens-per-second", type=float, default=50, help="0: at full speed")
    parser.add_argument("--tokens", type=int, default=200, help="the length of an answer")
    parser.add_argument("--language", choices=("en", "mixed"), default="en")
    parser.add_argument("--key", default=None, help="the one key to accept; default: any")
    given = parser.parse_args()
    standin = DeepSeekStandIn(
        key=given.key,
        tokens_per_s=given.tokens_per_second or None,
        port=given.port,
        answer=Answer(tokens=given.tokens, language=given.language),
    )
    try:
        return asyncio.run(serve(standin, given.key or "sk-stand-in"))
    except KeyboardInterrupt:
        return 0


async def serve(standin: DeepSeekStandIn, key: str) -> int:
    """Serve until SIGINT or SIGTERM; says where, and what to put into .env."""
    try:
        await standin.start()
    except OSError:
        print("This port is taken: choose another with --port, or 0 for any.", file=sys.stderr)
        return 1
    print(f"DeepSeek stand-in at {standin.url}  (Ctrl-C ends it). In .env:")
    print(f"DEEPSEEK_BASE_URL={standin.url}")
    print(f"DEEPSEEK_API_KEY={key}", flush=True)
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    await over.wait()
    await standin.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
