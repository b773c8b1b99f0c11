"""LibreChat: its export of one conversation, many of them, and its collections.

    {conversationId, title, messagesTree [{…, children [ … ]}]}     as it exports, recursive
    {conversationId, title, messages [ … ]}                         flat
    conversations + messages of `mongoexport`                       joined on conversationId

The first parent of all is a UUID of zeros, which is nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..domain import Fault, Origin
from .base import (
    Answer,
    Attached,
    Bag,
    Conversation,
    Head,
    Utterance,
    conversation,
    dict_of,
    dicts_of,
    id_of,
    moment_of,
    tags_of,
    text_of,
    titled,
    usage_of,
)

SOURCE = "librechat"
_PROVIDERS = {"openAI": "openai", "azureOpenAI": "openai", "google": "gemini"}


def is_one(entry: Mapping[str, Any]) -> bool:
    has = isinstance(entry.get("messagesTree"), list) or isinstance(entry.get("messages"), list)
    return "conversationId" in entry and has


def is_message(entry: Mapping[str, Any]) -> bool:
    """A row of the collection of messages."""
    return "messageId" in entry and "conversationId" in entry


def is_conversation(entry: Mapping[str, Any]) -> bool:
    """A row of the collection of conversations: its `messages` are ids, if they are there."""
    if "conversationId" not in entry or is_message(entry) or "messagesTree" in entry:
        return False
    listed = entry.get("messages")
    return not listed or (isinstance(listed, list) and not any(map(_is_told, listed)))


def _is_told(one: object) -> bool:
    return "messageId" in dict_of(one)


def read(entry: Mapping[str, Any], bag: Bag) -> Conversation:
    """One conversation. Raises Nothing."""
    listed = list(_messages(entry))
    options = dict_of(entry.get("options"))
    endpoint = text_of(entry.get("endpoint"))
    usual = text_of(options.get("model")) or text_of(entry.get("model")) or None
    said = [
        _message(one, (key, parent), (endpoint, usual), bag)
        for key, (one, parent) in zip(_keys(listed), listed, strict=True)
    ]
    updated = moment_of(entry.get("updatedAt"))
    prompt = text_of(options.get("promptPrefix")) or text_of(entry.get("promptPrefix"))
    prompt = prompt or text_of(options.get("system")) or text_of(entry.get("system"))
    head = Head(
        SOURCE,
        id_of(entry.get("conversationId")),
        titled(entry.get("title"), said),
        moment_of(entry.get("createdAt")) or _first(said),
        updated or moment_of(entry.get("exportAt")),
        (updated or _first(said)) if entry.get("isArchived") is True else None,
        tags=tags_of(entry.get("tags")),
        system_prompt=prompt or None,
    )
    return conversation(head, said, _newest(said))


def _newest(said: list[Utterance]) -> str | None:
    """The last message, by its time and then by its place: the export does not say which branch
    was shown."""
    parents = {one.parent for one in said}
    ends = [one for one in said if one.key not in parents]
    order = [
        (one.created_at.timestamp() if one.created_at else 0.0, at) for at, one in enumerate(ends)
    ]
    return ends[max(order)[1]].key if ends else None


def _first(said: list[Utterance]) -> Any:
    return min((one.created_at for one in said if one.created_at), default=None)


def _messages(entry: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str | None]]:
    """Each message with its parent, however deep the tree is."""
    if not isinstance(entry.get("messagesTree"), list):
        for one in dicts_of(entry.get("messages")):
            yield one, id_of(one.get("parentMessageId"))
        return
    waiting = [(one, id_of(one.get("parentMessageId"))) for one in dicts_of(entry["messagesTree"])]
    waiting.reverse()
    while waiting:
        one, parent = waiting.pop()
        yield one, parent
        key = id_of(one.get("messageId"))
        waiting += [(child, key) for child in reversed(dicts_of(one.get("children")))]


def _keys(listed: list[tuple[dict[str, Any], str | None]]) -> list[str]:
    return [
        id_of(one.get("messageId")) or f"#{number}"
        for number, (one, _) in enumerate(listed, start=1)
    ]


def _message(
    one: Mapping[str, Any],
    place: tuple[str, str | None],
    home: tuple[str, str | None],
    bag: Bag,
) -> Utterance:
    by_user = one.get("isCreatedByUser")
    is_user = by_user if isinstance(by_user, bool) else text_of(one.get("sender")) == "User"
    answer, at = _answer(one), moment_of(one.get("createdAt"))
    attached = _files(one, bag)
    if is_user:
        return Utterance(*place, "user", answer.text, at, place[0], attached=attached)
    return Utterance(
        *place,
        "assistant",
        answer.text,
        at,
        place[0],
        answer.reasoning,
        answer.stored,
        origin=_origin(one, *home, answer.text),
        attached=attached,
    )


def _origin(one: Mapping[str, Any], endpoint: str, usual: str | None, text: str) -> Origin:
    endpoint = text_of(one.get("endpoint")) or endpoint
    provider = _PROVIDERS.get(endpoint, endpoint.lower()) or None
    model = text_of(one.get("model")) or usual
    count = one.get("tokenCount")
    usage = usage_of(dict_of(one.get("usage")) or {"output_tokens": count})
    if one.get("error") is True:
        fault = Fault("failed_elsewhere", text or "the answer failed where it was made")
        return Origin(provider, model, "failed", usage=usage, fault=fault)
    return Origin(
        provider,
        model,
        "interrupted" if one.get("unfinished") is True else "completed",
        usage=usage,
    )


def _answer(one: Mapping[str, Any]) -> Answer:
    answer = Answer()
    for number, part in enumerate(dicts_of(one.get("content"))):
        kind = text_of(part.get("type"))
        value = part.get(kind)
        match kind:
            case "text" | "error":
                answer.say(text_of(value) or text_of(dict_of(value).get("value")))
            case "think":
                answer.think(text_of(value) or text_of(dict_of(value).get("value")))
            case "tool_call":
                call = dict_of(value) or part
                _call(answer, call, id_of(call.get("id")) or f"call-{number}")
            case _:
                pass  # a part that only its page draws
    if not answer.parts:
        answer.say(text_of(one.get("text")))
    return answer


def _call(answer: Answer, call: Mapping[str, Any], call_id: str) -> None:
    function = dict_of(call.get("function")) or call
    arguments = function.get("arguments", function.get("args"))
    answer.call(call_id, function.get("name"), arguments)
    output = function.get("output")
    if isinstance(output, str):
        answer.result(text_of(output))


def _files(one: Mapping[str, Any], bag: Bag) -> tuple[Attached, ...]:
    found = []
    for file in dicts_of(one.get("files")) + dicts_of(one.get("attachments")):
        name = text_of(file.get("filename")) or "file"
        text = file.get("text")
        if isinstance(text, str) and text:
            found.append(bag.put(name, text_of(text).encode()))
        else:
            found.append(bag.find(name, id_of(file.get("file_id")) or name))
    return tuple(found)
