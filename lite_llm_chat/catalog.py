"""Which models there are, by which names, and who serves a name.

    "deepseek-chat" ──▶ alias row ──▶ Choice(provider deepseek, served deepseek-flash, thinking off)

    rows + what the vendor lists now ──▶ merged ──▶ rows

    Choice ──▶ others: who is asked after it, by the request or by the operator

Rows come from the providers, lists from whoever asks for them and says `learn`; this file asks
nobody and only looks things up. A provider that is open-ended is sent ids that nobody here has
heard of, so that a vendor's new model needs no update of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from .domain import Model
from .errors import Invalid


@dataclass(frozen=True, slots=True)
class Choice:
    """Who answers a turn. `model` is the name that was asked for, `served` the id that the
    vendor knows, `thinking` what an alias stands for (None: no opinion), `max_prompt_tokens` a
    bound of ours for the prompt (None: none), `window` and `most_output` the model's own limits, 0
    where they are not known; `tools` whether it can call any, `vision` whether it sees images
    (None: nobody here knows)."""

    provider: str
    model: str
    served: str
    thinking: bool | None = None
    max_prompt_tokens: int | None = None
    window: int = 0
    most_output: int = 0
    tools: bool | None = None
    vision: bool | None = None


EVERYBODY = "*"  # whose list is for all that have none of their own

# What vendors put behind a name for one version of it, such as gpt-4.1-2025-04-14.
_DATE = re.compile(r"-(?:\d{8}|\d{4}-\d{2}-\d{2})$")


def merged(rows: Sequence[Model], live: Sequence[Model]) -> Iterator[Model]:
    """The rows in their order, then by id what the vendor lists besides. What a row does not know
    (a window or a limit of 0) it takes from the list. It is `live` if its id is listed, or its id
    with a date behind it; an alias is if the model is that answers for it."""
    listed = {one.id: one for one in live}
    names = {*listed, *(_DATE.sub("", one) for one in listed)}
    for row in rows:
        said = listed.get(row.id, row)
        yield replace(
            row,
            context_length=row.context_length or said.context_length,
            max_output_tokens=row.max_output_tokens or said.max_output_tokens,
            vision=said.vision if row.vision is None else row.vision,
            tools=said.tools if row.tools is None else row.tools,
            reasoning=said.reasoning if row.reasoning is None else row.reasoning,
            listed="live" if (row.alias_of or row.id) in names else "known",
        )
    ours = {row.id for row in rows}
    yield from (listed[one] for one in sorted(listed) if one not in ours)


class Catalog:
    """Models by provider, in display order; a provider's first model is its default. One that
    is open-ended may list none. It may be asked from any thread, also while it learns."""

    def __init__(
        self,
        models: Mapping[str, Sequence[Model]],
        *,
        open_ended: frozenset[str],
        default_provider: str,
    ) -> None:
        self._rows = models
        self._models = {name: {row.id: row for row in rows} for name, rows in models.items()}
        self._open_ended = open_ended
        self._fallbacks: Mapping[str, Sequence[str]] = {}
        self.default_provider = default_provider

    def learn(self, provider: str, live: Sequence[Model]) -> None:
        """From now on the provider's models are its rows merged with what its vendor lists;
        what was learnt before is forgotten."""
        self._models[provider] = {one.id: one for one in merged(self._rows[provider], live)}

    def list(self, provider: str | None = None) -> Sequence[Model]:
        """All models, or one provider's. Raises Invalid `unknown_provider`."""
        if provider is not None:
            return tuple(self._of(provider).values())
        return [model for models in self._models.values() for model in models.values()]

    def answering(self, provider: str, model: str) -> str:
        """The model that answers for a name: another one if it is an alias."""
        row = self._models.get(provider, {}).get(model)
        return (row and row.alias_of) or model

    def advice(self, provider: str, model: str, code: str) -> str:
        """How the sentence of a failure ends: where the vendor does not have the model, with up
        to three ids of its models that look most like it, aliases left out; else ""."""
        if code != "provider_unknown_model":
            return ""
        rows = self._models.get(provider, {}).values()
        ids = [row.id for row in rows if row.alias_of is None and row.id != model]
        alike = get_close_matches(model, ids)
        return f"; listed here and like it: {', '.join(alike)}" if alike else ""

    def choose(
        self, provider: str | None, model: str | None, home: tuple[str, str] | None = None
    ) -> Choice:
        """Who answers when a provider, a model, both or neither are named. `home` is the
        session's provider and model, which fill in what is not named; a model alone is served by
        the session's provider or the first other one that has a row of it. Raises Invalid
        `unknown_provider` or `unknown_model`."""
        usual = home[0] if home else self.default_provider
        if provider is None:
            provider = self._provider_of(model, usual) if model else usual
        if model is None and home and provider == home[0]:
            model = home[1]
        known = self._of(provider)
        if model is None:
            row = self._first(provider)
        elif model in known:
            row = known[model]
        else:
            return self._unlisted(provider, model)
        return Choice(
            provider,
            row.id,
            row.alias_of or row.id,
            row.thinking,
            row.max_prompt_tokens,
            row.context_length,
            row.max_output_tokens,
            row.tools,
            row.vision,
        )

    def seeing(self, provider: str) -> str | None:
        """The first model of a provider that surely sees images, if there is one."""
        rows = self._models.get(provider, {}).values()
        return next((row.id for row in rows if row.vision and row.alias_of is None), None)

    def fall_back(self, lists: Mapping[str, Sequence[str]]) -> None:
        """Who is asked after whom, from now on: a list for a model or, by `*`, for all that have
        none of their own; each is named as `provider/model`. Raises Invalid as `choose` does."""
        for name in {*lists, *(one for names in lists.values() for one in names)} - {EVERYBODY}:
            self._named(name)
        self._fallbacks = lists

    def others(self, choice: Choice, wished: Sequence[str] | None = None) -> tuple[Choice, ...]:
        """Who is asked after a choice, in this order, each once and never the same model again.
        `wished` is a request's own list, which may be empty; None: the operator's. Raises Invalid
        as `choose` does."""
        usual = self._fallbacks.get(EVERYBODY, ())
        names = self._fallbacks.get(f"{choice.provider}/{choice.model}", usual)
        asked, others = {(choice.provider, choice.served)}, []
        for other in map(self._named, names if wished is None else wished):
            if (other.provider, other.served) not in asked:
                asked.add((other.provider, other.served))
                others.append(other)
        return tuple(others)

    def named(self, name: str, home: tuple[str, str]) -> Choice:
        """Who answers for `provider/model`, or for a model's name in a session of `home`. Raises
        Invalid as `choose` does."""
        return self._named(name) if "/" in name else self.choose(None, name, home)

    def _named(self, name: str) -> Choice:
        provider, _, model = name.partition("/")
        if not model:
            raise Invalid(
                f"{name!r} names no model to fall back on: write it as provider/model",
                code="unknown_model",
            )
        return self.choose(provider, model)

    def _first(self, provider: str) -> Model:
        """A provider's default model; whose models nobody here knows has none."""
        for row in self._of(provider).values():
            return row
        raise Invalid(
            f"{provider} has no default model: name the one that it serves",
            code="unknown_model",
        )

    def _unlisted(self, provider: str, model: str) -> Choice:
        if provider in self._open_ended:
            return Choice(provider, model, model)
        names = ", ".join(self._of(provider))
        raise Invalid(
            f"{provider} has no model {model!r}: choose one of {names}", code="unknown_model"
        )

    def _provider_of(self, model: str, usual: str) -> str:
        """Whose a model is: the usual provider's, if it lists it or may have any, being a server
        that one runs oneself; else the first one's that has a row of it; else the usual one's.
        What was learnt of others decides nothing: a question must not go elsewhere because
        somebody has looked at the models."""
        if model in self._models.get(usual, ()) or not self._rows.get(usual, (model,)):
            return usual
        for provider, rows in self._rows.items():
            if any(row.id == model for row in rows):
                return provider
        return usual

    def _of(self, provider: str) -> Mapping[str, Model]:
        models = self._models.get(provider)
        if models is None:
            raise Invalid(
                f"there is no provider {provider!r}: choose one of {', '.join(self._models)}",
                code="unknown_provider",
            )
        return models
