"""What a person types, taken apart. Anything is text: nothing typed can be a wrong query.

    red "garden shed" -paint wat   ─▶   red AND "garden shed" AND wat… NOT paint

All words have to be there. Words in quotes stand side by side in that order, and so do the
characters of a run in a script without blanks and the pieces of `foo_bar.py`. A word after a minus
must not be there. The last word, while it is being typed, stands for every word that begins so; it
needs three letters for that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import Invalid
from ..store.search import session_word
from ..store.words import is_unspaced, words

SHORTEST_BEGINNING = 3  # letters; the index keeps beginnings of this length ready

_ITEM = re.compile(r'(-?)"([^"]*)("?)|([^\s"]+)')
_QUOTES = str.maketrans("“”„＂", '""""')


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words side by side; `begun`: the last one stands for every word that begins so."""

    words: tuple[str, ...]
    begun: bool = False

    def matching(self) -> str:
        """As FTS5 reads it. Words are letters and digits: nothing in them needs quoting."""
        return f'"{" ".join(self.words)}"' + "*" * self.begun

    def count(self, said: str) -> int:
        """How often it is said in ` words in their order `, blanks at both ends."""
        end = "" if self.begun else " "
        return said.count(f" {' '.join(self.words)}{end}")

    def ends(self, said: Sequence[str]) -> bool:
        """Whether the last of these words are this phrase."""
        first, last = self.words[:-1], self.words[-1]
        if not said or not (said[-1].startswith(last) if self.begun else said[-1] == last):
            return False
        return not first or tuple(said[-len(self.words) : -1]) == first


@dataclass(frozen=True, slots=True)
class Query:
    """At least one phrase that has to be there, and those that must not."""

    wanted: tuple[Phrase, ...]
    unwanted: tuple[Phrase, ...] = ()

    def matching(self, sessions: Sequence[int] = ()) -> str:
        """As FTS5 reads it, in any session or in one of these."""
        needed = [one.matching() for one in self.wanted]
        if sessions:
            places = " OR ".join(f'"{session_word(one)}"' for one in sessions)
            needed.insert(0, f"({places})")
        text = f"({' AND '.join(needed)})"
        if self.unwanted:
            text += f" NOT ({' OR '.join(one.matching() for one in self.unwanted)})"
        return text


def parse(typed: str) -> Query:
    """Raises Invalid `empty_query` if there is no word to look for."""
    text = typed.translate(_QUOTES)
    wanted: dict[Phrase, None] = {}
    unwanted: dict[Phrase, None] = {}
    for item in _ITEM.finditer(text):
        minus, quoted, closing, bare = item.groups()
        if bare is not None:
            minus = "-" if bare.startswith("-") else ""
        found = tuple(words(quoted if bare is None else bare))
        if not found:
            continue
        typing = item.end() == len(text) and not closing and not minus
        phrase = Phrase(found, typing and _may_go_on(found[-1]))
        (unwanted if minus else wanted)[phrase] = None
    if not wanted:
        raise Invalid(
            "there is no word to look for in q: write at least one, of letters or digits",
            code="empty_query",
        )
    return Query(tuple(wanted), tuple(unwanted))


def _may_go_on(word: str) -> bool:
    return len(word) >= SHORTEST_BEGINNING and not is_unspaced(word)
