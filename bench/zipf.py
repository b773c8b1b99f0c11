"""Made-up text in three scripts, its words as common as words are: the n-th has a share of 1 / n.

    Zipf(seed).message() ─▶ "heto asi, rune …", and the words that a search index takes from it

Half of the messages are Latin, a quarter Cyrillic, a quarter Chinese, Japanese or Korean, where
every character or syllable is a word. Words are folded from the start: small, without accents.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

LATIN = "etaoinshrdlcumwfgypbvk"
CYRILLIC = "оеаинтсрвлкмдпуяыьгзбч"
KINDS = ("latin", "cyrillic", "chinese", "japanese", "korean")
SHARES = (0.5, 0.25, 0.1, 0.075, 0.075)
SPACED = 2  # of the kinds, from the first on
VOCABULARY = 60_000
SPOKEN = 400_000  # words of each kind, said once; a message is a piece of that
MEDIAN_WORDS = 24
SPREAD = 0.85  # of the lengths, which are log-normal: a few are very long


class Message(NamedTuple):
    """A text and its words."""

    text: str
    words: Sequence[str]


class Zipf:
    """The same messages for the same seed."""

    def __init__(self, seed: int, vocabulary: int = VOCABULARY, spoken: int = SPOKEN) -> None:
        self.dice = random.Random(seed)
        kana = [chr(code) for code in range(0x3042, 0x3090)]
        han = [chr(code) for code in self.dice.sample(range(0x4E00, 0x6500), 3000)]
        korean = [chr(code) for code in self.dice.sample(range(0xAC00, 0xD700), 1500)]
        self.vocabularies = (
            self._spelled(LATIN, vocabulary),
            self._spelled(CYRILLIC, vocabulary),
            han,
            kana + han[:1500],
            korean,
        )
        self._spoken = [self._said(words, spoken) for words in self.vocabularies]

    def message(self) -> Message:
        """The next one."""
        kind = self.dice.choices(range(len(KINDS)), SHARES)[0]
        count = max(3, round(self.dice.lognormvariate(math.log(MEDIAN_WORDS), SPREAD)))
        if kind >= SPACED:
            count *= 3  # characters
        said = self._spoken[kind]
        start = self.dice.randrange(max(1, len(said) - count))
        words = said[start : start + count]
        if kind < SPACED:
            return Message(" ".join(words), words)
        parts = ("".join(words[at : at + 12]) for at in range(0, len(words), 12))
        return Message("，".join(parts), words)

    def _said(self, words: Sequence[str], count: int) -> list[str]:
        shares = list(accumulate(1 / (rank + 2.7) for rank in range(len(words))))
        return self.dice.choices(words, cum_weights=shares, k=count)

    def _spelled(self, letters: str, count: int) -> list[str]:
        """Different words, the common ones short."""
        words: dict[str, None] = {}
        while len(words) < count:
            length = round(self.dice.gauss(2 + 1.4 * math.log10(len(words) + 1), 1.5))
            words["".join(self.dice.choices(letters, k=max(1, length)))] = None
        return list(words)
