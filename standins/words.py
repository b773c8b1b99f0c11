"""Something to say: the same prompt gets the same words, another prompt gets others.

    seed ─▶ sentences ─▶ tokens          "".join(tokens) is the text

A token here is a short piece of text, as a model's is; usage counts these pieces.
"""

from __future__ import annotations

import hashlib
import random
import re
from typing import Literal

Language = Literal["en", "mixed"]

ENGLISH = """
the a this that every some one another small large quiet bright early late simple careful
river garden window letter answer question market lantern harbour bridge kitchen morning
evening winter summer number story reason pattern signal engine mirror pocket village
teacher sailor painter doctor neighbour friend child stranger moves waits keeps finds
opens closes carries follows remembers explains measures builds turns becomes returns and
but because while until before after with without under over between beyond near slowly
often again perhaps together almost always never there here then now light water stone
paper glass silver copper honey salt bread music rain cloud shadow corner distance
""".split()  # noqa: SIM905 - a list of a hundred strings is no easier to read
CHINESE = ("我们", "今天", "看到", "一座", "桥", "和", "河", "可以", "慢慢", "回答", "问题", "，")
EMOJI = ("🙂", "🌊", "🚀", "👩‍🔬")
PIECES = re.compile(r"\s?[^\W_]{1,9}|\s?[^\s]|\s", re.DOTALL)


def seed_of(*parts: str) -> int:
    """A number that depends on every character of the parts."""
    return int.from_bytes(hashlib.blake2b("\x00".join(parts).encode("utf-8", "replace")).digest())


def pieces(text: str) -> list[str]:
    """A given text as tokens; joined they are the text again."""
    return PIECES.findall(text)


def tokens(seed: int, count: int, language: Language = "en") -> list[str]:
    """Exactly `count` tokens of sentences in paragraphs."""
    rng = random.Random(seed)
    out: list[str] = []
    sentences = 0
    while len(out) < count:
        if out:
            out.append("\n\n" if sentences % 4 == 0 else " ")
        out += _sentence(rng, language)
        sentences += 1
    out = out[:count]
    if out:
        ended = len(out) > 1 and out[-2][-1] in ".,?!。"
        out[-1] = " indeed" if ended else "."
    return out


def _sentence(rng: random.Random, language: Language) -> list[str]:
    if language == "mixed" and rng.random() < 0.5:
        return [*rng.choices(CHINESE, k=rng.randint(4, 9)), "。", rng.choice(EMOJI)]
    words = rng.choices(ENGLISH, k=rng.randint(5, 12))
    out = [words[0].capitalize(), *(f" {word}" for word in words[1:])]
    if len(words) > 8:
        out.insert(len(words) // 2, ",")
    out.append(rng.choice((".", ".", ".", "?", "!")))
    return out
