"""The contents of a request to Gemini: parts, calls with their results, signatures.

    contents ─▶ read_turns ─▶ messages of an Order        a part ─▶ signature_of ─▶ base64
                    └── raise GeminiRefusal

A signature says which part it belongs to, so one that comes back on another part, or on one that
was changed, is refused; the real one is not known to look that closely (?).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from standins.gemini_refusal import GeminiRefusal, Object, named

NEVER_CHECKED = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")
CALLED_WHEN = (
    "Please ensure that function call turn comes immediately after a user turn or after a function"
    " response turn."
)
ANSWERED_WHEN = (
    "Please ensure that function response turn comes immediately after a function call turn."
)
AS_MANY = (
    "Please ensure that the number of function response parts is equal to the number of function"
    " call parts of the function call turn."
)
CORRUPTED = "Corrupted thought signature."
PICTURES = ("image/png", "image/jpeg", "image/webp", "image/heic", "image/heif")
Json = dict[str, Any]
Content = tuple[str, list[Json]]


def read_turns(given: object, *, signed: bool, goes_on: bool) -> Iterator[Object]:
    """The messages. `signed`: the model is one of those that want signatures; `goes_on`: the last
    turn may be its own. Raises GeminiRefusal."""
    if not isinstance(given, list) or not given:
        raise GeminiRefusal("* GenerateContentRequest.contents: contents is not specified\n")
    contents = [_content(index, content) for index, content in enumerate(given)]
    check_chain(contents)
    if signed:
        check_signed(contents)
    for content in contents:
        yield from _messages(*content)
    if contents[-1][0] == "model" and not goes_on:
        raise GeminiRefusal("Requests ending with a model turn are not supported.")


def text_of_parts(parts: object, where: str) -> str:
    """The text of parts that are text and nothing else."""
    return "".join(str(part.get("text", "")) for part in _parts(parts, where))


def signature_of(part: Json, seed: int) -> str:
    """The signature of a part that is about to be sent."""
    return base64.b64encode(_mark(part, seed)).decode()


def _mark(part: Json, seed: int) -> bytes:
    said = json.dumps([part.get("text"), part.get("functionCall")], sort_keys=True)
    digest = hashlib.blake2b(f"{seed}:{said}".encode("utf-8", "surrogatepass"), digest_size=12)
    return f"{seed}:{digest.hexdigest()}".encode()


# ── contents ──────────────────────────────────────────────────────────────────────────────────


def _content(index: int, content: Json) -> Content:
    role = content.get("role", "user")
    if role not in ("user", "model"):
        raise GeminiRefusal("Please use a valid role: user, model.")
    where = f"GenerateContentRequest.contents[{index}]"
    return role, _parts(content.get("parts"), where)


def _parts(given: object, where: str) -> list[Json]:
    if not isinstance(given, list) or not given:
        raise GeminiRefusal(f"* {where}.parts: contents.parts must not be empty.\n")
    parts = [dict(named(part)) for part in given]
    for index, part in enumerate(parts):
        place = f"{where}.parts[{index}]"
        _check_data(part, place)
        if signature := part.get("thoughtSignature"):
            _check_signature(part, str(signature))
    return parts


def _check_data(part: Json, where: str) -> None:
    """One kind of data in each part, and of the right shape."""
    found = [name for name in ("inlineData", "functionCall", "functionResponse") if part.get(name)]
    if not found and not part.get("text") and not part.get("thoughtSignature"):
        raise GeminiRefusal(
            f"* {where}.data: required oneof field 'data' must have one initialized field\n"
        )
    for name in found:
        data = named(part[name])
        if name == "inlineData":
            _check_picture(data, where)
        elif not data.get("name"):
            raise GeminiRefusal(f"* {where}.{_snake(name)}.name: Name cannot be empty.\n")
        else:
            field = "args" if name == "functionCall" else "response"
            if not isinstance(data.get(field, {}), dict):
                kind = "type.googleapis.com/google.protobuf.Struct"
                raise GeminiRefusal(f"Invalid value at '{where}.{_snake(name)}.{field}' ({kind})")


def _check_picture(data: Object, where: str) -> None:
    try:
        raw = base64.b64decode(str(data.get("data", "")), altchars=b"-_", validate=False)
    except binascii.Error:
        raise GeminiRefusal(
            f"Invalid value at '{where}.inline_data.data' (TYPE_BYTES), Base64 decoding failed"
        ) from None
    if data.get("mimeType") not in PICTURES or not raw:
        raise GeminiRefusal("Unable to process input image. Please retry or report in")  # (?)


def _check_signature(part: Json, signature: str) -> None:
    if signature in NEVER_CHECKED:
        return
    usual = signature.replace("-", "+").replace("_", "/")  # the official client's alphabet
    try:
        mark = base64.b64decode(usual, validate=True)
    except binascii.Error:
        raise GeminiRefusal(CORRUPTED) from None
    seed = re.match(rb"(\d{1,200}):", mark)
    if seed is None or mark != _mark(part, int(seed[1])):
        raise GeminiRefusal(CORRUPTED)


def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda found: f"_{found[0].lower()}", name)


# ── calls and their results ───────────────────────────────────────────────────────────────────


def _of(parts: Sequence[Json], kind: str) -> list[Object]:
    return [named(part[kind]) for part in parts if part.get(kind)]


def check_chain(contents: Sequence[Content]) -> None:
    """Calls are the model's, results the user's, right behind them and as many."""
    before: list[Object] = []  # the calls of the content before
    last = ""
    for role, parts in contents:
        calls, results = _of(parts, "functionCall"), _of(parts, "functionResponse")
        if calls and (role != "model" or last != "user"):
            raise GeminiRefusal(CALLED_WHEN)
        if results and not before:
            raise GeminiRefusal(ANSWERED_WHEN)
        _check_answered(before, results)
        before, last = calls, role
    _check_answered(before, [])


def _check_answered(calls: list[Object], results: list[Object]) -> None:
    if len(calls) != len(results):
        raise GeminiRefusal(AS_MANY)
    unlike = sorted(str(call["name"]) for call in calls) != sorted(
        str(result["name"]) for result in results
    )
    ids = {str(call["id"]) for call in calls if call.get("id")}
    strange = any(result.get("id") and str(result["id"]) not in ids for result in results)
    if unlike or (ids and strange):
        raise GeminiRefusal(f"{AS_MANY} Names and ids have to match.")  # (?)


def check_signed(contents: Sequence[Content]) -> None:
    """In a turn that is not over yet, the first call of each content has its signature."""
    for position, (role, parts) in enumerate(contents[_turn_begins(contents) :], 1):
        calls = [part for part in parts if part.get("functionCall")]
        if role == "model" and calls and not calls[0].get("thoughtSignature"):
            name = calls[0]["functionCall"]["name"]
            raise GeminiRefusal(
                "Function call is missing a thought_signature in functionCall parts. This is"
                " required for tools to work correctly, and missing thought_signature may lead to"
                f" degraded model performance. Additional data, function call `default_api:{name}`"
                f" , position {position}. Please refer to"
                " https://ai.google.dev/gemini-api/docs/thought-signatures for more details."
            )


def _turn_begins(contents: Sequence[Content]) -> int:
    """Where somebody last said something that is not the result of a call."""
    said = [
        index
        for index, (role, parts) in enumerate(contents)
        if role == "user" and any(not part.get("functionResponse") for part in parts)
    ]
    return said[-1] if said else 0


def _messages(role: str, parts: list[Json]) -> Iterator[Object]:
    """A content in the shape of the other vendors' messages."""
    for result in _of(parts, "functionResponse"):
        yield {"role": "tool", "content": json.dumps(result.get("response"), ensure_ascii=False)}
    text = "".join(str(part.get("text", "")) for part in parts if not part.get("thought"))
    if role == "model":
        calls = _of(parts, "functionCall")
        yield {"role": "assistant", "content": text, **({"tool_calls": calls} if calls else {})}
    elif any(not part.get("functionResponse") for part in parts):
        yield {"role": "user", "content": text}
