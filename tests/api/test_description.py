"""The description, its pages, and the address that everything is under."""

from __future__ import annotations

import re

import pytest

from tests.conftest import Product, question

from .conftest import Launch
from .snapshot import SNAPSHOT, described
from .truth import send

ASSET = re.compile(r"""(?:src|href|url)\s*[=:(]\s*["']([^"']+)["']""")


def test_the_description_is_the_one_that_was_agreed_on() -> None:
    agreed = SNAPSHOT.read_text("utf-8")
    assert described() == agreed, "if this is meant: python -m tests.api.snapshot"


@pytest.mark.readme("feature-fastapi", "docs-swagger", "docs-redoc")
async def test_the_pages_load_nothing_from_elsewhere(product: Product) -> None:
    for path in ("/docs", "/redoc"):
        page = await send(product, "GET", path)
        assert page.status == 200
        assert page.headers["content-type"].startswith("text/html")
        assets = ASSET.findall(page.body.decode())
        assert len(assets) >= 2
        for asset in assets:
            assert asset.startswith(("/", "#")), asset
            assert not asset.startswith("//")
            if asset.startswith("/"):
                assert (await send(product, "GET", asset)).status == 200, asset
        assert not re.search(rb"@import|fonts\.googleapis|cdn\.", page.body)
    home = await send(product, "GET", "/")
    assert (home.status, home.headers["location"]) == (307, "/docs")


async def test_every_operation_says_what_it_does_and_how_it_fails(product: Product) -> None:
    described_now = (await send(product, "GET", "/openapi.json")).json
    for path, operations in described_now["paths"].items():
        for method, operation in operations.items():
            assert operation.get("description"), (method, path)
            for status, response in operation["responses"].items():
                if int(status) >= 400:
                    schema = response["content"]["application/problem+json"]["schema"]["$ref"]
                    assert schema.endswith("Problem"), (method, path, status)


async def test_the_prefix_moves_everything_but_the_servers_own_pages(launch: Launch) -> None:
    product = await launch(api_prefix="/llm/api")
    assert (await send(product, "GET", "/llm/api/sessions")).status == 200
    assert (await send(product, "GET", "/api/v1/sessions")).verdict == (404, "not_found")
    assert (await send(product, "GET", "/health")).status == 200
    assert (await send(product, "GET", "/docs")).status == 200
    paths = (await send(product, "GET", "/openapi.json")).json["paths"]
    assert {path.startswith(("/llm/api/", "/health")) for path in paths} == {True}


async def test_a_foreign_web_page_may_read_nothing_unless_it_is_named(launch: Launch) -> None:
    page = {"Origin": "https://chat.example"}
    asking = page | {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type,idempotency-key,last-event-id",
    }
    closed = await launch()
    reply = await send(closed, "GET", "/api/v1/sessions", headers=page)
    assert "Access-Control-Allow-Origin" not in reply.headers
    await closed.stop()

    named = await launch(cors_origins=("https://chat.example",))
    reply = await send(named, "OPTIONS", "/api/v1/chat", headers=asking)
    assert reply.status == 200
    assert reply.headers["Access-Control-Allow-Origin"] == "https://chat.example"
    assert "POST" in reply.headers["Access-Control-Allow-Methods"]
    async with named.request("POST", "/chat", question("say: hi"), page) as response:
        assert response.headers["Access-Control-Allow-Origin"] == "https://chat.example"
        shown = response.headers["Access-Control-Expose-Headers"]
        assert {"X-Generation-Id", "Idempotency-Replayed"} <= set(shown.split(", "))
        assert (await response.read()).endswith(b'{"done": true}\n\n')
    other = await send(
        named, "GET", "/api/v1/sessions", headers={"Origin": "https://other.example"}
    )
    assert "Access-Control-Allow-Origin" not in other.headers
    failed = await send(named, "GET", "/api/v1/sessions/9", headers=page)
    assert failed.headers["Access-Control-Allow-Origin"] == "https://chat.example"
