"""How many tokens a request costs, and how many of them the vendor has seen before.

    prompt as bytes ─▶ blocks of 256 tokens ─▶ chain of hashes ─▶ the longest known prefix
                       └ 4 bytes a token ┘

DeepSeek caches prefixes by itself, per user_id, in units of 256 tokens. This does the
same with an estimate of tokens (four bytes of UTF-8 each), so that only whole blocks that are
equal from the very first byte count as hits: a client that keeps its history stable is rewarded.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict

BYTES_PER_TOKEN = 4
BLOCK_TOKENS = 256
BLOCK_BYTES = BYTES_PER_TOKEN * BLOCK_TOKENS
KEPT_BLOCKS = 200_000


def estimate(prompt: bytes) -> int:
    """The tokens of a prompt, at least 1."""
    return max(1, -(-len(prompt) // BYTES_PER_TOKEN))


class PrefixCache:
    """The prefixes that were seen, of all users of one account."""

    def __init__(self) -> None:
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def hit(self, user: str, prompt: bytes) -> int:
        """How many tokens at the front of the prompt are known; a multiple of 256."""
        blocks = 0
        for name in self._chain(user, prompt):
            if name not in self._seen:
                break
            blocks += 1
        return blocks * BLOCK_TOKENS

    def keep(self, user: str, prompt: bytes) -> None:
        """Remember every whole block of the prompt."""
        for name in self._chain(user, prompt):
            self._seen[name] = None
            self._seen.move_to_end(name)
        while len(self._seen) > KEPT_BLOCKS:
            self._seen.popitem(last=False)

    def forget(self) -> None:
        """As after some hours without use."""
        self._seen.clear()

    def _chain(self, user: str, prompt: bytes) -> list[bytes]:
        name = user.encode("utf-8", "replace")
        names: list[bytes] = []
        for at in range(0, len(prompt) - BLOCK_BYTES + 1, BLOCK_BYTES):
            block = prompt[at : at + BLOCK_BYTES]
            name = hashlib.blake2b(name + b"\x00" + block, digest_size=16).digest()
            names.append(name)
        return names


def usage(prompt: int, hit: int, completion: int, reasoning: int) -> dict[str, object]:
    """The usage object, keys in the vendor's order. `completion` includes `reasoning`."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": hit},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
        "prompt_cache_hit_tokens": hit,
        "prompt_cache_miss_tokens": prompt - hit,
    }
