"""JSON that a text has to be: said in words, found in what came, held against its schema. Pure.

    ResponseFormat ─┬─ the vendor keeps to it itself ─▶ passed on
                    └─ else ─▶ words for the model

    "Sure!\\n```json\\n{…}\\n```" ─▶ found ─▶ {…}, or a complaint that the model can mend

Schemas come from callers: no `$ref` is fetched, and patterns are such as take linear time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from jsonschema_rs import RegexOptions, Validator, validator_for

from ..domain import ResponseFormat, Turn
from ..errors import Invalid

COMPLAINT_CHARS = 300
_FINDINGS = 3  # of a validator, in one complaint
_PLACES = 8  # where a value may begin that are tried
_FENCED = re.compile(r"```[A-Za-z0-9]*\s*\n(.*?)```", re.DOTALL)
_BEGINS = re.compile(r"[{\[]")


# ── asking ────────────────────────────────────────────────────────────────────────────────────


def check(wanted: ResponseFormat | None) -> None:
    """Raises Invalid `invalid_schema` for a schema that is none."""
    if wanted is not None and wanted.schema is not None:
        _validator(wanted)


def passed_on(
    wanted: ResponseFormat | None, formats: frozenset[str]
) -> tuple[ResponseFormat | None, str]:
    """What a vendor that keeps to these formats is told in its own field, and what the model is
    told in words; "" for nothing."""
    if wanted is None or wanted.kind in formats:
        return wanted, ""
    own = ResponseFormat("json_object") if "json_object" in formats else None
    return own, _words(wanted)


def with_words(turns: Sequence[Turn], words: str) -> list[Turn]:
    """The turns with a sentence for the model, in the system turn at their head: some templates
    know no second one."""
    if turns and turns[0].role == "system":
        return [replace(turns[0], content=f"{turns[0].content}\n\n{words}"), *turns[1:]]
    return [Turn("system", words), *turns]


def once_more(turns: Sequence[Turn], text: str, complaint: str) -> tuple[Turn, ...]:
    """The turns that ask for a text again that did not have its form."""
    ask = f"That is not what was asked for: {complaint}. Send the whole JSON again, and only that."
    return (*turns, Turn("assistant", text or "(nothing)"), Turn("user", ask))


def _words(wanted: ResponseFormat) -> str:
    only = "Answer with one JSON value and nothing else: no words around it, no code fence."
    if wanted.schema is None:
        return only.replace("value", "object")
    schema = json.dumps(wanted.schema, ensure_ascii=False, separators=(",", ":"))
    return f"{only} It must be valid by this JSON schema: {schema}"


# ── judging ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Verdict:
    """The JSON in a text as it stood there; or what is wrong with it, as the end of a sentence."""

    json: str = ""
    complaint: str = ""


def judge(wanted: ResponseFormat, text: str, *, exact: bool = False) -> Verdict:
    """The first JSON in a text that has the form: the whole of it, in a code fence, or between
    other words; only the whole of it where it has to be `exact`. Milliseconds for a megabyte."""
    validator = _validator(wanted)
    complaint = ""
    for found in _candidates(text, exact=exact):
        try:
            value = json.loads(found, parse_constant=_no_constant)
            wrong = _wrong(validator, value)
        except (ValueError, RecursionError):  # no JSON, or deeper than anybody reads
            continue
        if not wrong:
            return Verdict(json=found)
        complaint = complaint or wrong
    return Verdict(complaint=complaint or ("it is no JSON" if text.strip() else "it is empty"))


def _wrong(validator: Validator | None, value: object) -> str:
    if validator is None:
        return "" if isinstance(value, dict) else "the JSON is not an object"
    findings = [
        f"{error.message} (at {'/'.join(map(str, error.instance_path)) or 'the top'})"
        for error in islice(validator.iter_errors(value), _FINDINGS)
    ]
    complaint = "; ".join(findings)
    if len(complaint) > COMPLAINT_CHARS:
        return f"{complaint[: COMPLAINT_CHARS - 1]}…"
    return complaint


def _candidates(text: str, *, exact: bool) -> Iterator[str]:
    yield text.strip()
    if exact:
        return
    yield from (fenced.strip() for fenced in _FENCED.findall(text))
    decoder, end = json.JSONDecoder(), 0
    for place in islice(_BEGINS.finditer(text), _PLACES):
        if place.start() < end:
            continue
        try:
            _, end = decoder.raw_decode(text, place.start())
        except (ValueError, RecursionError):
            continue
        yield text[place.start() : end]


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _validator(wanted: ResponseFormat) -> Validator | None:
    """Of a schema; None for a format without one. Raises Invalid `invalid_schema`."""
    if wanted.schema is None:
        return None
    try:
        return validator_for(dict(wanted.schema), pattern_options=RegexOptions(), offline=True)
    except ValueError as cause:
        said = str(cause).split("\n", 1)[0][:COMPLAINT_CHARS]
        raise Invalid(
            f"the schema of response_format is not a JSON schema that this server can use: {said}",
            code="invalid_schema",
        ) from None
