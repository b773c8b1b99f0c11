"""Anthropic's thinking, kept so that it can go back as it came.

    thinking block  ─▶ Reasoning · Seal {bond, chars, signature} ─▶ thinking block, unchanged
    redacted block  ─▶ Seal {bond, redacted}                     ─▶ redacted block, unchanged

The bond names what the thinking is tied to. The vendor takes a block back only for a model that
can read it and behind the same system text and tools, and newer models answer anything else with
status 400 (API docs, "Preserved thinking", November 2026; older ones refuse the signature of
another model, as clients reported in July 2026). So a block whose bond is not that of the request
stays here: without it the model thinks anew, with it the request fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import msgspec

from ..domain import Seal

MAKER = "anthropic"


class _Sealed(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`chars` is how much of the reasoning right before it was this block's: a block may have come
    without a word, and one before it without a signature."""

    bond: str
    chars: int = 0
    signature: str = ""
    redacted: str = ""


def bond(model: str, system: Sequence[str], tools: Sequence[object]) -> str:
    """The name of what thinking is tied to; "" without tools, for nobody wants it back then."""
    if not tools:
        return ""
    return blake2b(msgspec.json.encode([model, system, tools]), digest_size=12).hexdigest()


def signed(bound: str, chars: int, signature: str) -> Seal:
    """The Seal of a thinking block; it belongs behind its Reasoning."""
    return _seal(_Sealed(bound, chars=chars, signature=signature))


def redacted(bound: str, data: str) -> Seal:
    """The Seal of a block that nobody but the vendor can read."""
    return _seal(_Sealed(bound, redacted=data))


def opened(seal: Seal, reasoning: str, bound: str) -> dict[str, object] | None:
    """The block as it came, `reasoning` being what stands right before the seal. None: it cannot
    go into a request of this bond, or is no more what it was."""
    try:
        sealed = msgspec.json.decode(seal.data, type=_Sealed)
    except ValueError:
        return None
    if seal.maker != MAKER or not bound or sealed.bond != bound:
        return None
    if sealed.redacted:
        return {"type": "redacted_thinking", "data": sealed.redacted}
    if not 0 <= sealed.chars <= len(reasoning):
        return None
    thinking = reasoning[len(reasoning) - sealed.chars :]
    return {"type": "thinking", "thinking": thinking, "signature": sealed.signature}


def _seal(sealed: _Sealed) -> Seal:
    return Seal(MAKER, msgspec.json.encode(sealed).decode())
