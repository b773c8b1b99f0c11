"""FALLBACK_MODELS: an operator's line ─▶ who is asked after whom. Pure.

    openai/gpt-5.5, local/smollm2                         for every model
    deepseek/deepseek-v4-pro -> deepseek/deepseek-flash   for one model
    a -> b, c; d -> e; f                                  some lists; f is for all the others

The arrow and the semicolon are in no model's name, as the colon, the slash and the dot are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..catalog import EVERYBODY
from ..errors import StartupError

MOST = 5  # models of one list


def read(line: str) -> Mapping[str, Sequence[str]]:
    """The lists by the model that they are for, `*` for all that have none of their own; models are
    named as `provider/model`. Raises StartupError."""
    lists: dict[str, Sequence[str]] = {}
    for rule in filter(None, map(str.strip, line.split(";"))):
        whose, arrow, listed = rule.rpartition("->")
        whose = whose.strip() if arrow else EVERYBODY
        names = tuple(name.strip() for name in listed.split(","))
        _check(rule, whose, names)
        if whose in lists:
            raise _wrong(rule, "there is a list of the same before it")
        lists[whose] = names
    return lists


def _check(rule: str, whose: str, names: Sequence[str]) -> None:
    for name in (whose, *names):
        provider, _, model = name.partition("/")
        if name != EVERYBODY and not (provider and model and "->" not in name):
            raise _wrong(rule, f"{name!r} is not a model, such as deepseek/deepseek-flash")
    if EVERYBODY in names:
        raise _wrong(rule, "* stands for a model to fall back from only")
    if len(names) > MOST or len(set(names)) < len(names):
        raise _wrong(rule, f"name up to {MOST} models, each once")
    if whose in names:
        raise _wrong(rule, f"{whose} cannot fall back on itself")


def _wrong(rule: str, why: str) -> StartupError:
    return StartupError(f"FALLBACK_MODELS: in {rule!r}: {why}")
