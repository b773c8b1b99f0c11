"""Which models there are, by which names, and who serves a name.

    "deepseek-chat" ──▶ alias row ──▶ Choice(provider deepseek, served deepseek-flash, thinking off)

Rows come from the providers; this file only looks things up. A provider that is open-ended is
sent ids that nobody here has heard of, so that a vendor's new model needs no update of ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .domain import Model
from .errors import Invalid


@dataclass(frozen=True, slots=True)
class Choice:
    """Who answers a turn. `model` is the name that was asked for, `served` the id that the
    vendor knows, `thinking` what an alias stands for (None: no opinion), `max_prompt_tokens` the
    room for the prompt (None: no bound of ours)."""

    provider: str
    model: str
    served: str
    thinking: bool | None = None
    max_prompt_tokens: int | None = None


class Catalog:
    """Models by provider, in display order; a provider's first model is its default. One that
    is open-ended may list none."""

    def __init__(
        self,
        models: Mapping[str, Sequence[Model]],
        *,
        open_ended: frozenset[str],
        default_provider: str,
    ) -> None:
        self._models = models
        self._open_ended = open_ended
        self.default_provider = default_provider

    def list(self, provider: str | None = None) -> Sequence[Model]:
        """All models, or one provider's. Raises Invalid `unknown_provider`."""
        if provider is not None:
            return self._of(provider)
        return [model for models in self._models.values() for model in models]

    def choose(
        self, provider: str | None, model: str | None, home: tuple[str, str] | None = None
    ) -> Choice:
        """Who answers when a provider, a model, both or neither are named. `home` is the
        session's provider and model, which fill in what is not named; a model alone is served by
        the session's provider or the first other one that lists it. Raises Invalid
        `unknown_provider` or `unknown_model`."""
        usual = home[0] if home else self.default_provider
        if provider is None:
            provider = self._provider_of(model, usual) if model else usual
        if model is None and home and provider == home[0]:
            model = home[1]
        known = self._of(provider)
        if model is None:
            row = self._first(provider)
        else:
            found = next((row for row in known if row.id == model), None)
            if found is None:
                return self._unlisted(provider, model)
            row = found
        return Choice(provider, row.id, row.alias_of or row.id, row.thinking, row.max_prompt_tokens)

    def _first(self, provider: str) -> Model:
        """A provider's default model; whose models nobody here knows has none."""
        known = self._of(provider)
        if not known:
            raise Invalid(
                f"{provider} has no default model: name the one that it serves",
                code="unknown_model",
            )
        return known[0]

    def _unlisted(self, provider: str, model: str) -> Choice:
        if provider in self._open_ended:
            return Choice(provider, model, model)
        names = ", ".join(row.id for row in self._of(provider))
        raise Invalid(
            f"{provider} has no model {model!r}: choose one of {names}", code="unknown_model"
        )

    def _provider_of(self, model: str, usual: str) -> str:
        """Who lists a model, the usual provider first; the usual one also if nobody does."""
        for provider in (usual, *self._models):
            if any(row.id == model for row in self._models.get(provider, ())):
                return provider
        return usual

    def _of(self, provider: str) -> Sequence[Model]:
        models = self._models.get(provider)
        if models is None:
            raise Invalid(
                f"there is no provider {provider!r}: choose one of {', '.join(self._models)}",
                code="unknown_provider",
            )
        return models
