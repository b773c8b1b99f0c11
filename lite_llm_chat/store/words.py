"""From a text to the words that the index keeps, the same way for what is said and what is sought.

    "Ça, l’été 東京!"  ─▶ folded, a character at a time ─▶ words   ca  l  ete  東  京
                                                       └▶ spans   where each stands in the text

Folding drops case, accents and the width of a letter (é = E = e, Ａ = a, ㎏ = kg), and what is
invisible (a soft hyphen, a zero-width joiner). It looks at one character at a time, so that every
word knows its place in the text as it was written. A word is a run of letters, digits and vowel
signs. Scripts that are written without blanks (Chinese, Japanese, Korean, Thai, Lao, Khmer,
Burmese) give a word for each character or syllable: whoever looks for a part of such a run finds it
as a phrase.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

LONGEST_WORD = 64  # characters that count; the rest of a longer one is dropped
RULE = f"1 {unicodedata.unidata_version}"  # an index made by another rule is made anew

_KANA = "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\U0001b000-\U0001b16f"
_HAN = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_BOPOMOFO = "\u3105-\u312f\u31a0-\u31bf"
_SYLLABLES = "\uac00-\ud7a3"
_JAMO = "\u1100-\u11ff\ua960-\ua97c\ud7b0-\ud7fb"
_FINALS = "\u11a8-\u11ff\ud7cb-\ud7fb"
_THAI_TO_KHMER = "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ece\u1000-\u1049\u1050-\u109f\u1780-\u17d3"
_VOWEL_SIGNS = "\u0900-\u0963\u0966-\u096f\u0971-\u0df3\u3099\u309a"  # no letters to Python
_UNSPACED = _KANA + _HAN + _BOPOMOFO + _SYLLABLES + _JAMO + _THAI_TO_KHMER
_ASCII_WORD = re.compile("[a-z0-9]+")
_WORD = re.compile(
    rf"(?:[^\W_{_UNSPACED}]|[{_VOWEL_SIGNS}])+"
    f"|[{_HAN}{_BOPOMOFO}{_THAI_TO_KHMER}]"
    f"|[{_KANA}][\u3099\u309a]?"
    f"|[{_SYLLABLES}][{_FINALS}]*"
    f"|[\u1100-\u115f\ua960-\ua97c][\u1160-\u11a7\ud7b0-\ud7c6]*[{_FINALS}]*"
    f"|[{_JAMO}]"
)
_UNSPACED_WORD = re.compile(f"[{_UNSPACED}]")
_TO_COMPOSE = re.compile("[\u1100-\u11ff\ua960-\ua97c\ud7b0-\ud7fb\u3099\u309a]")
# Accents of Latin, Greek and Cyrillic; vowel points of Hebrew and Arabic; what is invisible.
_DROPPED = re.compile(
    "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670"
    "\u00ad\u034f\u200b-\u200d\u2060\ufe00-\ufe0f\ufeff]"
)
# Letters with a stroke, and two that are written as one: Unicode does not take them apart.
_APART = dict(zip("øłđħŧıæœ", ("o", "l", "d", "h", "t", "i", "ae", "oe"), strict=True))


class Span(NamedTuple):
    """A word, and where it stands in the text: from `start` up to `end`, in characters."""

    word: str
    start: int
    end: int


class _Folding(dict[int, str]):
    """What a character becomes, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        # NFKD gives capitals too (㎅ is kB), so case is dropped once before and once after it.
        small = unicodedata.normalize("NFKD", chr(code).casefold()).casefold()
        plain = _DROPPED.sub("", unicodedata.normalize("NFKD", small))
        apart = "".join(_APART.get(one, one) for one in plain)
        folded = self[code] = unicodedata.normalize("NFC", apart)
        return folded


_FOLDING = _Folding()


def _folded(text: str) -> str:
    return text.lower() if text.isascii() else text.translate(_FOLDING)


def words(text: str) -> list[str]:
    """The words of a text in their order, folded."""
    folded = _folded(text)
    if folded.isascii():
        found = _ASCII_WORD.findall(folded)
    else:
        found = _WORD.findall(folded)
        if _TO_COMPOSE.search(folded):
            found = [unicodedata.normalize("NFC", word) for word in found]
    if max(map(len, found), default=0) > LONGEST_WORD:
        found = [word[:LONGEST_WORD] for word in found]
    return found


def spans(text: str) -> Iterator[Span]:
    """The same words, each with its place in the text."""
    if text.isascii():
        for match in _ASCII_WORD.finditer(text.lower()):
            yield Span(match.group()[:LONGEST_WORD], match.start(), match.end())
        return
    origin = _origins(text)
    for match in _WORD.finditer(_folded(text)):
        word = unicodedata.normalize("NFC", match.group())[:LONGEST_WORD]
        last, after = origin[match.end() - 1], origin[match.end()]
        yield Span(word, origin[match.start()], max(last + 1, after))


def _origins(text: str) -> list[int]:
    """For each character of the folded text, the place in the text of what it came from; then the
    end of the text. What became nothing belongs to the character before it."""
    lengths = [len(_FOLDING[ord(one)]) for one in text]
    places = [place for place, length in enumerate(lengths) for _ in range(length)]
    return [*places, len(text)]


def is_unspaced(word: str) -> bool:
    """Whether a word is one character of a script without blanks: no beginning of a longer one."""
    return _UNSPACED_WORD.match(word) is not None
