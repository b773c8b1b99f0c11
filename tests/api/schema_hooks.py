"""What the fuzzer of test_any_request.py must know of us: a refusal that no JSON Schema can say.

It is loaded by schemathesis, in a process of its own. A request whose shape is right may still
name a provider that nobody is, or answer nothing. Such a refusal has a code of its own; a
`validation_error` of a request that the description allows stays a finding.
"""

from __future__ import annotations

import json
from typing import Any

import schemathesis

# The state of the server or the sense of the request decides, not its shape.
BEYOND_SHAPE = {
    "body_too_large",
    "empty_query",
    "file_not_readable",
    "format_not_met",
    "idempotency_key_reused",
    "invalid_cursor",
    "invalid_data_url",
    "invalid_expiry",
    "invalid_period",
    "invalid_schema",
    "model_cannot_see",
    "no_question",
    "no_title",
    "not_a_question",
    "not_an_answer",
    "prompt_too_long",
    "provider_bad_request",
    "provider_not_configured",
    "provider_unknown_model",
    "remote_file",
    "temporary_files_not_kept",
    "temporary_not_shared",
    "too_many_files",
    "too_many_images",
    "tool_call_mismatch",
    "tool_name_taken",
    "transcript_mismatch",
    "unknown_model",
    "unknown_provider",
}
DECIDED_LATER = ("Schema-valid request rejected", "Server error")
ACROSS_FIELDS = (
    "Value error, models says who answers",
    "Value error, a page is before a message or after one",
    "Value error, it is empty: there is nothing to answer",
    "Value error, an input_image has an image_url or a file_id",
    "Value error, tool_choice names",
    "Value error, expires_in_days and expires_at",
    "Value error, a preset begins a session",
    "Value error, temporary begins a session",
    "Value error, two tools have the same name",
    "Value error, move needs folder_id",
    "Value error, tag needs tags",
    "Value error, untag needs tags",
    "Value error, a tag has",
)


def beyond_shape(body: bytes) -> bool:
    """Whether this is a refusal that the description of a shape cannot announce."""
    problem = json.loads(body)
    if problem["code"] in BEYOND_SHAPE:
        return True
    found = problem["detail"]
    return isinstance(found, list) and any(one["msg"].startswith(ACROSS_FIELDS) for one in found)


def of_nobody(case: Any) -> bool:
    """Whether a chain of requests took an id from where none is, such as the folder of a session
    that is in none: it stands in the path as a word then."""
    return None in (case.path_parameters or {}).values()


def of_another(failure: Any, case: Any, body: bytes) -> bool:
    """Whether what is missing is not the session that was just made, but what the body names
    beside it: a message, a preset, a folder."""
    missing = failure.title == "Created resource not found" and "/sessions" in case.path
    return bool(missing and json.loads(body)["code"] != "session_not_found")


@schemathesis.hook
def filter_failure(_context: Any, failure: Any, case: Any, response: Any) -> bool:
    """False drops the finding."""
    if of_another(failure, case, response.content):
        return False
    later = failure.title in DECIDED_LATER
    return not (later and (of_nobody(case) or beyond_shape(response.content)))
