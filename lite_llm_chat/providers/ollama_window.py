"""How large a window Ollama is asked for.

    Prompt ─▶ needed_tokens ─▶ up to 4,096: none is asked for, the server's own does
                          └──▶ more: the next power of two ──▶ kept for five minutes

Left to itself Ollama gives a model 4,096 tokens on a machine with less than 24 GiB of video memory,
32,768 below 48 GiB, else 262,144 (docs.ollama.com, context length, October 2026). A request with
another `num_ctx` than the model was loaded with loads it anew (server/sched.go, 2026). So the
window is asked for only where it is needed, it grows by doubling, and while one conversation
needs a large one, all others with this model ask for the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import msgspec

from ..domain import Prompt, Turn
from .ollama_messages import offered

SMALLEST_TOKENS = 4_096  # the least that a server gives by itself
LARGEST_TOKENS = 262_144  # … and the most

_KEPT_S = 300.0  # as long as Ollama keeps an unused model loaded (docs/faq, October 2026)
_MOST_KEPT = 100  # models; more are no models, but names that somebody tries
_BYTES_PER_TOKEN = 3  # of UTF-8; on the high side of tokens: English has four, Chinese three
_TURN_TOKENS = 8  # role and separators
_PICTURE_TOKENS = 2_048  # of most models 256 to 1,500, by its size
_ANSWER_TOKENS = 2_048  # the room for an answer whose length nobody bounded
_MOST_ANSWER_TOKENS = 8_192  # … and for one that was, however high: a window takes memory


class Windows:
    """The windows of one server's models. `now_s` is a clock that never goes back."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._kept: dict[str, tuple[int, float]] = {}  # model: its window, and until when

    def ask_for(self, prompt: Prompt) -> int | None:
        """The window for this prompt in tokens; None leaves it to the server. Ollama itself lowers
        it to what the model was made for."""
        now_s = self._now_s()
        window, until_s = self._kept.get(prompt.model, (0, now_s))
        if now_s >= until_s:
            window = 0
        if (needed := needed_tokens(prompt)) > SMALLEST_TOKENS:
            own = min(1 << (needed - 1).bit_length(), LARGEST_TOKENS)
            if own >= window:
                window = own
                self._keep(prompt.model, own, now_s + _KEPT_S)
        return window or None

    def _keep(self, model: str, window: int, until_s: float) -> None:
        if len(self._kept) >= _MOST_KEPT and model not in self._kept:
            self._kept.clear()
        self._kept[model] = window, until_s


def needed_tokens(prompt: Prompt) -> int:
    """About how many tokens a prompt and its answer take, on the high side. What is estimated too
    low is refused, for the request forbids to cut it."""
    texts = [text for turn in prompt.turns for text in _texts(turn)]
    if prompt.prefix is not None:
        texts.append(prompt.prefix.text)
    texts += [f"{tool.name}{tool.description}" for tool in offered(prompt)]
    size_bytes = sum(len(text.encode("utf-8", "replace")) for text in texts)
    size_bytes += sum(len(msgspec.json.encode(tool.parameters)) for tool in offered(prompt))
    pictures = sum(len(turn.pictures) for turn in prompt.turns)
    answer = min(prompt.options.max_tokens or _ANSWER_TOKENS, _MOST_ANSWER_TOKENS)
    rest = len(texts) * _TURN_TOKENS + pictures * _PICTURE_TOKENS + answer
    return size_bytes // _BYTES_PER_TOKEN + rest


def _texts(turn: Turn) -> Iterator[str]:
    yield turn.content
    for call in turn.calls:
        yield f"{call.name}{call.arguments}"
    if turn.calls and turn.reasoning:
        yield turn.reasoning
