"""ChatGPT's export: a tree of nodes, of which one answer may take many.

    mapping {node: {parent, message | null}} ─▶ nodes that were seen ─▶ messages
       user · system                              one node, one message
       thoughts ▸ call ▸ tool ▸ text              a line of the assistant's nodes: one answer

A node that was not seen (a root without a message, a hidden one) leaves its children to its parent.
Sources: exports of 2023 to 2026 as described in public; files are found by the beginning of their
names, which is the id that a message has for them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..domain import Origin, Status, ToolResult
from .base import (
    Answer,
    Attached,
    Bag,
    Conversation,
    Head,
    Nothing,
    Utterance,
    conversation,
    dict_of,
    dicts_of,
    id_of,
    moment_of,
    text_of,
    titled,
)

SOURCE = "chatgpt"
_POINTERS = ("file-service://", "sediment://")
_CONTEXT = ("user_editable_context", "model_editable_context")
_UNTOLD = (*_CONTEXT, "reasoning_recap", "app_pairing_content")


def is_one(entry: Mapping[str, Any]) -> bool:
    return isinstance(entry.get("mapping"), dict)


def read(entry: Mapping[str, Any], bag: Bag) -> Conversation:
    """One conversation. Raises Nothing."""
    if not is_one(entry):
        raise Nothing(
            "it is no conversation: it has no messages' tree", text_of(entry.get("title"))
        )
    tree = _Tree(entry, bag)
    said = list(tree.messages())
    updated = moment_of(entry.get("update_time"))
    head = Head(
        SOURCE,
        id_of(entry.get("conversation_id")) or id_of(entry.get("id")),
        titled(entry.get("title"), said),
        moment_of(entry.get("create_time")),
        updated,
        (updated or moment_of(entry.get("create_time"))) if entry.get("is_archived") else None,
        bool(entry.get("is_starred")),
        system_prompt=tree.instructions(),
    )
    return conversation(head, said, tree.active())


@dataclass(slots=True)
class _Run:
    """Nodes that are one message: the first one's id names it."""

    key: str
    parent: str | None
    nodes: list[Mapping[str, Any]] = field(default_factory=list)


class _Tree:
    """The nodes of one conversation."""

    def __init__(self, entry: Mapping[str, Any], bag: Bag) -> None:
        self._entry = entry
        self._bag = bag
        self._nodes: dict[str, dict[str, Any]] = {
            str(key): node for key, node in entry["mapping"].items() if isinstance(node, dict)
        }
        self._usual = text_of(entry.get("default_model_slug")) or None
        self._run_of: dict[str, str] = {}

    def messages(self) -> Iterator[Utterance]:
        for run in self._runs():
            message = dict_of(run.nodes[0].get("message"))
            if _role(message) == "assistant":
                yield self._answer(run)
            else:
                yield self._plain(run.key, run.parent, message)

    def active(self) -> str | None:
        """The message that the current node is in, or its nearest seen ancestor."""
        key = self._seen_from(id_of(self._entry.get("current_node")))
        return None if key is None else self._run_of.get(key)

    def instructions(self) -> str | None:
        """What the person had written for every conversation."""
        for node in self._nodes.values():
            content = dict_of(dict_of(node.get("message")).get("content"))
            if content.get("content_type") == "user_editable_context":
                both = (
                    text_of(content.get(name)) for name in ("user_profile", "user_instructions")
                )
                return "\n\n".join(filter(None, both)) or None
        return None

    # ── which nodes, and which of them are one answer ─────────────────────────────────────────

    def _seen_from(self, key: str | None) -> str | None:
        """The node itself or its nearest ancestor that was seen."""
        passed: set[str] = set()
        while key is not None and key in self._nodes and key not in passed:
            if _seen(self._nodes[key]):
                return key
            passed.add(key)
            key = id_of(self._nodes[key].get("parent"))
        return None

    def _runs(self) -> Iterator[_Run]:
        parents: dict[str, str | None] = {}
        children: defaultdict[str | None, list[str]] = defaultdict(list)
        for key, node in self._nodes.items():
            if _seen(node):
                parents[key] = self._seen_from(id_of(node.get("parent")))
                children[parents[key]].append(key)
        for key, parent in parents.items():
            if self._goes_on(parent, key, children):
                continue
            run = _Run(key, None if parent is None else self._home(parent, parents, children))
            at: str | None = key
            while at is not None and at not in self._run_of:
                run.nodes.append(self._nodes[at])
                self._run_of[at] = key
                at = next((one for one in children[at] if self._goes_on(at, one, children)), None)
            if run.nodes:
                yield run

    def _goes_on(
        self, parent: str | None, key: str, children: Mapping[str | None, list[str]]
    ) -> bool:
        """Whether a node is a part of its parent's answer: the only thing that follows it."""
        if parent is None or len(children[parent]) > 1:
            return False
        both = (_role(dict_of(self._nodes[one].get("message"))) for one in (parent, key))
        return all(role == "assistant" for role in both)

    def _home(
        self,
        key: str,
        parents: Mapping[str, str | None],
        children: Mapping[str | None, list[str]],
    ) -> str:
        """The first node of the message that a node is in."""
        passed: set[str] = set()
        while key not in passed and self._goes_on(parents[key], key, children):
            passed.add(key)
            key = parents[key] or key
        return key

    # ── what they say ─────────────────────────────────────────────────────────────────────────

    def _plain(self, key: str, parent: str | None, message: Mapping[str, Any]) -> Utterance:
        words, attached = self._words(message)
        return Utterance(
            key,
            parent,
            "system" if dict_of(message.get("author")).get("role") == "system" else "user",
            words,
            moment_of(message.get("create_time")),
            id_of(key),
            attached=attached,
        )

    def _answer(self, run: _Run) -> Utterance:
        answer, attached, model = Answer(), (), self._usual
        status: Status = "completed"
        at: datetime | None = None
        for node in run.nodes:
            message = dict_of(node.get("message"))
            words, files = self._words(message)
            attached = (*attached, *files)  # type: ignore[assignment]
            _tell(answer, message, words)
            at = at or moment_of(message.get("create_time"))
            model = text_of(dict_of(message.get("metadata")).get("model_slug")) or model
            status = "interrupted" if message.get("status") == "in_progress" else "completed"
        return Utterance(
            run.key,
            run.parent,
            "assistant",
            answer.text,
            at,
            id_of(run.key),
            answer.reasoning,
            answer.stored,
            origin=Origin("openai", model, status),
            attached=attached,
        )

    def _words(self, message: Mapping[str, Any]) -> tuple[str, tuple[Attached, ...]]:
        """What a message says, and the files in it and beside it."""
        content = dict_of(message.get("content"))
        words = [_other(content)] if "parts" not in content else []
        found: dict[str, str] = {}
        for part in content["parts"] if isinstance(content.get("parts"), list) else []:
            words.append(text_of(part) or text_of(dict_of(part).get("text")))
            pointer = text_of(dict_of(part).get("asset_pointer"))
            if pointer:
                found[_file_id(pointer)] = ""
        for one in dicts_of(dict_of(message.get("metadata")).get("attachments")):
            found[text_of(one.get("id"))] = text_of(one.get("name"))
        files = tuple(self._bag.find(name or key, key) for key, name in found.items() if key)
        return "\n\n".join(filter(None, words)), files


def _file_id(pointer: str) -> str:
    for start in _POINTERS:
        pointer = pointer.removeprefix(start)
    return pointer.split("?")[0].split("#")[0]


def _role(message: Mapping[str, Any]) -> str:
    role = dict_of(message.get("author")).get("role")
    return "assistant" if role in ("assistant", "tool") else "user"


def _seen(node: Mapping[str, Any]) -> bool:
    """Whether a node was shown to the person."""
    message = node.get("message")
    if not isinstance(message, dict):
        return False
    metadata, content = dict_of(message.get("metadata")), dict_of(message.get("content"))
    if metadata.get("is_visually_hidden_from_conversation") or message.get("weight") == 0:
        return False
    if content.get("content_type") in _UNTOLD:
        return False
    return _has_words(content) or bool(metadata.get("attachments"))


def _has_words(content: Mapping[str, Any]) -> bool:
    parts = content.get("parts")
    if isinstance(parts, list):
        return any(dict_of(part) or text_of(part).strip() for part in parts)
    return bool(content.get("thoughts")) or bool(_other(content))


def _other(content: Mapping[str, Any]) -> str:
    """The text of content without parts."""
    for name in ("text", "result", "summary", "content"):
        if text_of(content.get(name)):
            return text_of(content[name])
    return ""


def _tell(answer: Answer, message: Mapping[str, Any], words: str) -> None:
    """One node of an answer as a part of it."""
    content, author = dict_of(message.get("content")), dict_of(message.get("author"))
    recipient = text_of(message.get("recipient")) or "all"
    if content.get("content_type") == "thoughts":
        for thought in dicts_of(content.get("thoughts")):
            both = (text_of(thought.get(name)) for name in ("summary", "content"))
            answer.think("\n\n".join(filter(None, both)))
    elif author.get("role") == "tool":
        name = author.get("name")
        if not answer.result(words):
            if answer.parts and isinstance(answer.parts[-1], ToolResult):
                last = answer.parts.pop()
                assert isinstance(last, ToolResult)
                answer.parts.append(ToolResult(last.call_id, f"{last.content}\n\n{words}"))
            else:
                answer.call(id_of(message.get("id")) or "call", name, None)
                answer.result(words)
    elif recipient != "all":
        arguments = words if words.lstrip().startswith("{") else {"text": words}
        answer.call(id_of(message.get("id")) or "call", recipient, arguments)
    elif content.get("content_type") == "code":
        answer.say(f"```{text_of(content.get('language')).replace('unknown', '')}\n{words}\n```")
    else:
        answer.say(words)
