"""Exports as ChatGPT writes them, small."""

from __future__ import annotations

from typing import Any

AT = 1_700_000_000.25


def node(
    key: str, parent: str | None, role: str = "", text: str = "", **more: Any
) -> dict[str, Any]:
    """A node of the tree; without a role it has no message. `more` are fields of the message;
    `content` replaces the text."""
    if not role:
        return {"id": key, "parent": parent, "children": [], "message": None}
    metadata = {"model_slug": "gpt-4o"} if role == "assistant" else {}
    message = {
        "id": key,
        "author": {"role": role, "name": None, "metadata": {}},
        "create_time": AT,
        "content": {"content_type": "text", "parts": [text]},
        "status": "finished_successfully",
        "weight": 1.0,
        "recipient": "all",
        "metadata": metadata,
    }
    return {"id": key, "parent": parent, "children": [], "message": {**message, **more}}


def talk(*nodes: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A conversation whose current node is the last one."""
    mapping = {one["id"]: one for one in nodes}
    for one in nodes:
        if one["parent"] in mapping:
            mapping[one["parent"]]["children"].append(one["id"])
    return {
        "id": "c-1",
        "conversation_id": "c-1",
        "title": "A talk",
        "create_time": AT,
        "update_time": AT + 60,
        "mapping": mapping,
        "current_node": nodes[-1]["id"] if nodes else None,
        "default_model_slug": "gpt-4",
        "is_archived": False,
        **more,
    }


def plain(number: int = 1, **more: Any) -> dict[str, Any]:
    """A question and its answer, as they always begin: a root without a message, a hidden
    system node."""
    return talk(
        node("root", None),
        node("sys", "root", "system", "", weight=0.0),
        node("q", "sys", "user", f"Question {number}"),
        node("a", "q", "assistant", f"Answer {number}"),
        **{
            "id": f"c-{number}",
            "conversation_id": f"c-{number}",
            "title": f"Talk {number}",
            **more,
        },
    )
