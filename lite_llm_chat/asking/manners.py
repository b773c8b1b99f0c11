"""How the answers of a session are asked for, and what a request changes of that. Pure.

    preset ─ copied ─▶ session ─┐
                                ├─▶ the wish as it is carried out:  request > session > alias
    request ────────────────────┘

A session holds copies: a preset that changes later changes no conversation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import msgspec

from ..catalog import Choice
from ..domain import Options, PresetVersion, Session

Home = tuple[str, str]  # a provider and a model
Choose = Callable[[str | None, str | None, Home | None], Choice]
NOTHING_SAID: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Manners:
    """What a request says of a session's answers: the fields in `said`, None to clear one."""

    said: frozenset[str] = NOTHING_SAID
    system_prompt: str | None = None
    options: Options | None = None


def merged(said: Options, kept: Options | None) -> Options:
    """What a request says, and what its session does where the request says nothing. How much is
    thought is one matter: who says either of `thinking` and `effort` has said both."""
    if kept is None:
        return said
    thinks = said.thinking is not None or said.effort is not None
    added = {
        name: getattr(kept, name)
        for name in kept.given()
        if getattr(said, name) is None and not (thinks and name in ("thinking", "effort"))
    }
    return replace(said, **added)


def for_choice(options: Options, choice: Choice) -> Options:
    """The options, and what the name of a model stands for where they have no opinion."""
    if options.thinking is None and options.effort is None:
        return replace(options, thinking=choice.thinking)
    return options


def home_of(preset: PresetVersion | None, home: Home | None, choose: Choose) -> Home | None:
    """Who answers in a session that was `home` to somebody (None: to nobody yet) once a preset is
    copied into it. One that names nobody changes nothing. Raises Invalid if nobody serves its model
    any more."""
    if preset is None or (preset.provider is None and preset.model is None):
        return home
    choice = choose(preset.provider, preset.model, None)
    return choice.provider, choice.model


def changed(session: Session, preset: PresetVersion | None, manners: Manners) -> Session:
    """The session with what a preset says, and over that what a request says, of its answers.
    Null for a preset forgets where the copies came from and leaves them."""
    values: dict[str, object] = {}
    if preset is not None:
        values = {"preset_id": preset.preset_id, "preset_version": preset.version}
        values |= {"system_prompt": preset.system_prompt, "options": preset.options}
    elif "preset" in manners.said:
        values = {"preset_id": None, "preset_version": None}
    for name in manners.said & {"system_prompt", "options"}:
        values[name] = getattr(manners, name)
    return msgspec.structs.replace(session, **values)
