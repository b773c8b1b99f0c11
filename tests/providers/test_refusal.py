"""Complaints of vendors: classified by status, quoted for people, and never with a key in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lite_llm_chat.providers.refusal import (
    MAX_COMPLAINT_CHARS,
    Mend,
    Refusal,
    explain,
    presentable,
    read_refusal,
    refusal,
)

KEY = "sk-0123456789abcdef0123456789abcdef"
MEND = Mend(key_setting="ACME_KEY", url_setting="ACME_URL")


@pytest.mark.parametrize(
    ("status", "code", "http", "retryable"),
    [
        (302, "provider_not_found", 502, False),
        (400, "provider_bad_request", 502, False),
        (401, "provider_auth", 502, False),
        (402, "provider_balance", 502, False),
        (403, "provider_auth", 502, False),
        (404, "provider_not_found", 502, False),
        (408, "upstream_timeout", 504, True),
        (413, "provider_bad_request", 502, False),
        (422, "provider_bad_request", 502, False),
        (429, "provider_rate_limited", 503, True),
        (498, "provider_overloaded", 503, True),
        (499, "provider_overloaded", 503, True),
        (500, "provider_error", 502, True),
        (502, "provider_error", 502, True),
        (503, "provider_overloaded", 503, True),
        (504, "provider_error", 502, True),
        (524, "provider_error", 502, True),
        (529, "provider_overloaded", 503, True),
    ],
)
def test_every_status_has_its_code_and_only_passing_trouble_is_retryable(
    status: int, code: str, http: int, retryable: bool
) -> None:
    error = explain("acme", Refusal(status, "no", retry_after_s=3.0), MEND)
    assert (error.code, error.status, error.retryable) == (code, http, retryable)
    assert error.retry_after_s == (3.0 if retryable else None)


def test_a_sentence_names_the_vendor_and_the_mend() -> None:
    assert explain("acme", Refusal(401), MEND).detail == (
        "acme refused the key: check ACME_KEY in .env"
    )
    assert "ACME_URL" in explain("acme", Refusal(404), MEND).detail
    elsewhere = Mend("its key", "its address", place="endpoints.toml")
    assert explain("acme", Refusal(401), elsewhere).detail == (
        "acme refused the key: check its key in endpoints.toml"
    )


def test_a_used_up_quota_is_no_passing_trouble() -> None:
    error = explain("acme", Refusal(429, "", "insufficient_quota"), MEND)
    assert (error.code, error.retryable) == ("provider_balance", False)


@pytest.mark.parametrize(
    ("message", "kind"),
    [("The model `x` does not exist", ""), ("model 'x' not found", ""), ("no", "model_not_found")],
)
def test_an_unknown_model_is_told_from_a_wrong_address(message: str, kind: str) -> None:
    assert explain("acme", Refusal(404, message, kind), MEND).code == "provider_unknown_model"


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":{"message":"No way","type":"T","code":"C"}}',
        b'{"error":"No way"}',
        b'{"message":"No way","id":"1"}',
        b'{"detail":"No way"}',
        b'[{"error":{"message":"No way"}}]',
        b"No way",
        b"\n\n  No\tway \n",
        b'{"error_msg":"No way"}',
        b'{"detail":[{"type":"missing","loc":["body"],"msg":"No way"}]}',
        b'{"object":"error","message":"No way"}',
        b'{"success":false,"message":"No way","data":null}',
    ],
)
def test_the_vendors_words_are_found_in_any_envelope(body: bytes) -> None:
    assert read_refusal(body, 400).message == "No way"


@pytest.mark.parametrize("body", [b"", b"<html>Bad gateway</html>", b"{}", b"[]", b"null", b"5"])
def test_a_body_that_says_nothing_is_not_quoted(body: bytes) -> None:
    assert read_refusal(body, 502).quoted == ""


def test_broken_bodies_are_survived() -> None:
    assert "half" in read_refusal(b'{"error":{"message":"half', 500).message
    read_refusal(b"[" * 60_000, 500)
    read_refusal(b"\xff\xfe\x00", 500)
    refusal({"error": {"message": ["a", 1], "code": 5, "type": {}}}, None)


@pytest.mark.parametrize(
    "words",
    [
        f"Incorrect API key provided: {KEY}",
        "Authentication Fails, Your api key: ****cdef is invalid",
        "key sk-01234***********************cdef",
        f"header was 'Authorization: Bearer {KEY}'",
        "the token ending in cdef is revoked",
        f"fragment {KEY[3:15]} leaks",
        f"fragment {KEY[10:]} leaks",
        f"{KEY}{KEY}",
        "gsk_Zz9Zz9Zz9Zz9 and AIzaSyZz9Zz9 are keys too",
    ],
)
def test_a_key_or_a_piece_of_one_is_never_repeated(words: str) -> None:
    shown = presentable(words, KEY)
    assert "[redacted]" in shown
    assert "cdef" not in shown
    assert "Zz9" not in shown
    assert not any(KEY[i : i + 6] in shown for i in range(len(KEY) - 5))


@given(st.text(min_size=12, max_size=60), st.text(), st.text(), st.integers(0, 6))
def test_no_secret_gets_through_whatever_stands_around_it(
    secret: str, before: str, after: str, cut: int
) -> None:
    secret = " ".join(secret.split())
    if len(secret) >= 12 and secret.isprintable():
        shown = presentable(f"{before}{secret[cut:]}{after}", secret)
        assert secret[cut:] not in shown


@given(st.text(max_size=2000))
def test_a_quotation_is_one_short_printable_line(words: str) -> None:
    shown = presentable(words)
    assert len(shown) <= MAX_COMPLAINT_CHARS
    assert shown.isprintable()


def test_ordinary_words_are_left_alone() -> None:
    words = "insufficient_system_resource: deepseek-v4-flash-vision-exp has 1048576 tokens (a/b)"
    assert presentable(words, KEY) == words
