"""Who is asked after whom: the operator's line, a request's list, what is left out of both."""

from __future__ import annotations

import pytest

from lite_llm_chat.asking import fallbacks
from lite_llm_chat.catalog import Catalog, Choice
from lite_llm_chat.domain import Model
from lite_llm_chat.errors import Invalid, StartupError


def row(model: str, alias_of: str | None = None, thinking: bool | None = None) -> Model:
    return Model(model, model, "acme", 0, 0, "", alias_of, thinking)


@pytest.fixture
def catalog() -> Catalog:
    rows = {
        "acme": (row("big"), row("small"), row("old", "small", thinking=False)),
        "own": (),
    }
    return Catalog(rows, open_ended=frozenset({"own"}), default_provider="acme")


def names(choices: tuple[Choice, ...]) -> list[str]:
    return [f"{one.provider}/{one.model}" for one in choices]


@pytest.mark.parametrize(
    ("line", "lists"),
    [
        ("", {}),
        (" ; ", {}),
        ("a/b", {"*": ("a/b",)}),
        (" a/b , c/d:e/f ", {"*": ("a/b", "c/d:e/f")}),
        ("a/b -> c/d; e/f, g/h", {"a/b": ("c/d",), "*": ("e/f", "g/h")}),
        ("* -> e/f;a/b->c/d;", {"*": ("e/f",), "a/b": ("c/d",)}),
    ],
)
def test_a_line_is_lists_by_model(line: str, lists: dict[str, tuple[str, ...]]) -> None:
    assert fallbacks.read(line) == lists


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("flash", "'flash' is not a model"),
        ("a/", "'a/' is not a model"),
        ("a/b,", "'' is not a model"),
        ("flash -> a/b", "'flash' is not a model"),
        ("a/b -> c/d -> e/f", "is not a model"),
        ("a/b -> *", "to fall back from only"),
        ("a/b -> a/b", "cannot fall back on itself"),
        ("a/b, a/b", "each once"),
        ("a/1, a/2, a/3, a/4, a/5, a/6", "up to 5"),
        ("a/b; c/d", "the same before it"),
    ],
)
def test_a_wrong_line_is_a_sentence_that_shows_where(line: str, word: str) -> None:
    with pytest.raises(StartupError) as caught:
        fallbacks.read(line)
    assert caught.value.detail.startswith("FALLBACK_MODELS: in ")
    assert word in caught.value.detail


def test_a_model_has_its_own_list_or_everybodys(catalog: Catalog) -> None:
    catalog.fall_back({"acme/big": ("own/x",), "*": ("acme/big", "own/y")})
    assert names(catalog.others(catalog.choose("acme", "big"))) == ["own/x"]
    assert names(catalog.others(catalog.choose("acme", "small"))) == ["acme/big", "own/y"]


def test_a_requests_list_wins_and_may_be_empty(catalog: Catalog) -> None:
    catalog.fall_back({"*": ("own/y",)})
    asked = catalog.choose("acme", "big")
    assert names(catalog.others(asked, ["acme/old", "own/z"])) == ["acme/old", "own/z"]
    assert catalog.others(asked, []) == ()


def test_nobody_is_asked_twice_by_whatever_name(catalog: Catalog) -> None:
    asked = catalog.choose("acme", "small")
    others = catalog.others(asked, ["acme/old", "acme/big", "own/x", "acme/big"])
    assert names(others) == ["acme/big", "own/x"]


def test_another_is_served_by_its_own_name(catalog: Catalog) -> None:
    (other,) = catalog.others(catalog.choose("acme", "big"), ["acme/old"])
    assert (other.served, other.thinking) == ("small", False)


@pytest.mark.parametrize(
    ("name", "code"),
    [("nobody/x", "unknown_provider"), ("acme/none", "unknown_model"), ("acme", "unknown_model")],
)
def test_who_is_not_there_is_refused(catalog: Catalog, name: str, code: str) -> None:
    for lists in ({"*": (name,)}, {name: ("acme/big",)}):
        with pytest.raises(Invalid) as caught:
            catalog.fall_back(lists)
        assert caught.value.code == code
    with pytest.raises(Invalid):
        catalog.others(catalog.choose("acme", "big"), [name])
