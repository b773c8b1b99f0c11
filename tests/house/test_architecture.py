"""The drawn architecture holds, and each rule that says so is shown to be able to fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import rules, tables
from .rules import Source


@pytest.fixture(scope="module")
def everything(root: Path) -> list[Source]:
    return rules.sources(root, *tables.EVERYTHING)


@pytest.fixture(scope="module")
def product(root: Path) -> list[Source]:
    return rules.sources(root, *tables.PRODUCT)


def bad(text: str, path: str = "lite_llm_chat/x.py") -> list[Source]:
    return [Source(path, text)]


# ── what holds ────────────────────────────────────────────────────────────────────────────────


def test_every_module_imports_only_what_its_row_names(everything: list[Source]) -> None:
    judged = [file for file in everything if not file.module.startswith("tests")]
    assert rules.forbidden_imports(judged, tables.MAY_IMPORT, tables.OURS) == []


def test_no_import_stands_inside_a_function(everything: list[Source]) -> None:
    assert rules.imports_inside_functions(everything, tables.MAY_IMPORT_INSIDE) == []


def test_only_the_table_of_commands_imports_by_name(product: list[Source]) -> None:
    assert rules.imports_by_name(product, tables.IMPORT_BY_NAME) == []


def test_no_ring_of_imports(everything: list[Source]) -> None:
    assert rules.import_cycles(everything) == []


def test_fastapi_sqlalchemy_and_the_http_client_stay_at_home(product: list[Source]) -> None:
    assert rules.away_from_home(product, tables.HOMES) == []


def test_no_file_is_too_long(everything: list[Source]) -> None:
    assert rules.long_files(everything, tables.LONGEST_FILE) == []


def test_no_function_is_too_long(everything: list[Source]) -> None:
    assert rules.long_functions(everything, tables.LONGEST_FUNCTION) == []


def test_everything_is_caught_at_the_named_fences_only(everything: list[Source]) -> None:
    assert rules.broad_excepts(everything, tables.FENCES) == []


def test_every_module_says_what_it_is(everything: list[Source]) -> None:
    assert rules.without_docstring(everything) == []


def test_only_the_settings_read_the_environment(product: list[Source]) -> None:
    assert rules.environment_readers(product, tables.MAY_READ_ENVIRONMENT) == []


def test_every_named_exception_is_still_needed(everything: list[Source]) -> None:
    inside, fences, readers = tables.MAY_IMPORT_INSIDE, tables.FENCES, tables.MAY_READ_ENVIRONMENT
    by_path = {file.path: file for file in everything}
    for place in inside:
        others = [each for each in inside if each != place]
        assert rules.imports_inside_functions([by_path[place[0]]], others), place
    for place in fences:
        others = [each for each in fences if each != place]
        assert rules.broad_excepts([by_path[place[0]]], others), place
    for place in tables.IMPORT_BY_NAME:
        others = [each for each in tables.IMPORT_BY_NAME if each != place]
        assert rules.imports_by_name([by_path[place[0]]], others), place
    assert set(readers) <= set(by_path)


# ── each rule can fail ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "statement",
    [
        "import lite_llm_chat.chat",
        "from lite_llm_chat import chat",
        "from lite_llm_chat.chat import Chat",
        "from .. import chat",
        "from ..chat import Chat",
        "def f():\n    from ..chat import Chat",
        "if TYPE_CHECKING:\n    from ..chat import Chat",
    ],
)
def test_an_import_against_the_table_is_found(statement: str) -> None:
    files = [Source("lite_llm_chat/chat.py", ""), *bad(statement, "lite_llm_chat/store/x.py")]
    found = rules.forbidden_imports(files, tables.MAY_IMPORT, tables.OURS)
    assert [finding.split()[1:] for finding in found] == [["imports", "lite_llm_chat.chat"]]


def test_the_engine_sees_of_the_providers_only_their_base() -> None:
    modules = [Source(f"lite_llm_chat/providers/{name}.py", "") for name in ("base", "deepseek")]
    engine = Source("lite_llm_chat/engine.py", "from .providers import base, deepseek")
    found = rules.forbidden_imports([*modules, engine], tables.MAY_IMPORT, tables.OURS)
    assert found == ["lite_llm_chat/engine.py:1 imports lite_llm_chat.providers.deepseek"]


def test_a_standin_that_imports_the_product_is_found() -> None:
    files = bad("import lite_llm_chat.domain", "standins/x.py")
    assert rules.forbidden_imports(files, tables.MAY_IMPORT, tables.OURS)


def test_a_module_without_a_row_is_found() -> None:
    assert rules.forbidden_imports(bad("", "elsewhere/x.py"), tables.MAY_IMPORT, tables.OURS)


def test_an_import_inside_a_function_is_found_unless_it_is_named() -> None:
    files = bad("class C:\n    async def f(self):\n        import json")
    assert rules.imports_inside_functions(files, []) == [
        "lite_llm_chat/x.py:3 imports json inside C.f"
    ]
    assert rules.imports_inside_functions(files, [("lite_llm_chat/x.py", "json")]) == []


def test_an_import_by_name_is_found_unless_its_place_is_named() -> None:
    files = bad("def load(name):\n    return importlib.import_module(name)\n__import__('x')")
    assert rules.imports_by_name(files, []) == [
        "lite_llm_chat/x.py:2 imports by name in load",
        "lite_llm_chat/x.py:3 imports by name in the module",
    ]
    assert len(rules.imports_by_name(files, [("lite_llm_chat/x.py", "load")])) == 1


def test_an_import_inside_a_class_body_is_not_inside_a_function() -> None:
    assert rules.imports_inside_functions(bad("class C:\n    import json"), []) == []


def test_a_ring_of_imports_is_found_once() -> None:
    files = [
        Source("lite_llm_chat/a.py", "from . import b"),
        Source("lite_llm_chat/b.py", "from .c import thing"),
        Source("lite_llm_chat/c.py", "def f():\n    import lite_llm_chat.a"),
    ]
    ring = "lite_llm_chat.a → lite_llm_chat.b → lite_llm_chat.c → lite_llm_chat.a"
    assert rules.import_cycles(files) == [ring]


@pytest.mark.parametrize(
    ("statement", "path"),
    [
        ("from fastapi import APIRouter", "lite_llm_chat/chat.py"),
        ("import starlette.responses", "lite_llm_chat/engine.py"),
        ("import sqlalchemy as sa", "lite_llm_chat/api/sessions.py"),
        ("import aiohttp", "lite_llm_chat/apple.py"),
    ],
)
def test_a_library_away_from_home_is_found(statement: str, path: str) -> None:
    assert rules.away_from_home(bad(statement, path), tables.HOMES)


def test_a_long_file_and_a_long_function_are_found() -> None:
    text = "def f():\n" + "    pass\n" * 3
    assert rules.long_files(bad(text), 4) == []
    assert rules.long_files(bad(text), 3)
    assert rules.long_functions(bad(text), 4) == []
    assert rules.long_functions(bad(text), 3)


@pytest.mark.parametrize(
    "handler",
    [
        "try: pass\nexcept Exception: pass",
        "try: pass\nexcept: pass",
        "try: pass\nexcept (ValueError, builtins.BaseException): pass",
        "try: pass\nexcept* Exception: pass",
        "with contextlib.suppress(Exception): pass",
    ],
)
def test_a_broad_except_is_found(handler: str) -> None:
    assert rules.broad_excepts(bad(handler), [])


def test_a_handler_that_raises_again_catches_nothing() -> None:
    text = "try: pass\nexcept BaseException:\n    close()\n    raise"
    assert rules.broad_excepts(bad(text), []) == []
    assert rules.broad_excepts(bad(text.replace("raise", "raise Other")), [])


def test_a_fence_is_one_function_of_one_file() -> None:
    text = "def f():\n    try: pass\n    except Exception: pass\n" * 2
    assert rules.broad_excepts(bad(text), [("lite_llm_chat/x.py", "f")]) == []
    assert rules.broad_excepts(bad(text), [("lite_llm_chat/x.py", "g")])
    assert rules.broad_excepts(bad(text), [("lite_llm_chat/y.py", "f")])


def test_a_module_without_a_docstring_is_found_unless_it_is_empty() -> None:
    assert rules.without_docstring(bad("x = 1"))
    assert rules.without_docstring(bad("")) == []


@pytest.mark.parametrize(
    "statement",
    ["import os\nos.environ['A']", "import os\nos.getenv('A')", "from os import environ"],
)
def test_a_reader_of_the_environment_is_found(statement: str) -> None:
    assert rules.environment_readers(bad(statement), [])
