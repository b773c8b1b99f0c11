"""One talk in a terminal: which session and model it is with, and how an answer is shown.

say(question) ─▶ put ─▶ show ─▶ events ─▶ page ─▶ a line on what it took ─▶ how it ended
again · go_on ─┘          ▲
attach ───────────────────┘   an answer that runs already
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console

from .asked import Answer, Stopper, Ticket, followed, model_fields, put
from .client import Client, Refused
from .page import Shown, page
from .text import line, money
from .trouble import Exit, Trouble

LIVE = ("queued", "running")


@dataclass
class Talk:
    """What is being talked about, and with whom."""

    client: Client
    out: Console
    confirm: Callable[[str], bool]
    session_id: int | None = None
    model: dict[str, str] = field(default_factory=dict)  # empty: the session's, or the server's
    system: str | None = None
    thoughts: bool = True
    files: list[str] = field(default_factory=list)  # for the next question

    # ── asking ────────────────────────────────────────────────────────────────────────────────

    def say(self, question: str) -> None:
        """Ask, and show the answer. Raises Trouble."""
        message: dict[str, Any] = {"role": "user", "content": question}
        if self.files:
            message["files"] = self.files
        body = {"messages": [message], **self._options()}
        if self.session_id is not None:
            body["session_id"] = self.session_id
        ticket = self._put("/chat", body)
        self.files = []
        self.session_id = ticket.session_id
        self.show(ticket)

    def again(self) -> None:
        """Another answer to the last question. Raises Trouble."""
        self._beside("regenerate")

    def go_on(self) -> None:
        """The last answer, from where it was cut. Raises Trouble."""
        self._beside("continue")

    def instead(self, question: str) -> None:
        """Another question in the place of the last one, which stays beside it. Raises Trouble."""
        asked = self._last("user", "nothing was asked in this session yet")
        path = f"/messages/{asked['id']}/edit"
        self.show(self._put(path, {"content": question, **self._options()}))

    def attach(self) -> None:
        """Show the answer that the session is getting, or its last one. Raises Trouble."""
        last = self.last_answer()
        if last["status"] in LIVE:
            warnings = ()
            self.show(Ticket(last["session_id"], last["generation_id"], last["id"], warnings))
        else:
            self.print_message(last)

    def stop(self) -> str:
        """Stop the session's answer, whoever asked for it; what to say of that. Raises Trouble."""
        last = self.last_answer()
        if last["status"] not in LIVE:
            return "nothing is being answered in this session"
        self.client.call("POST", f"/generations/{last['generation_id']}/cancel")
        return "stopped; what it said is kept"

    # ── the session ───────────────────────────────────────────────────────────────────────────

    def session(self) -> dict[str, Any]:
        """The session with its messages. Raises Trouble if there is none yet."""
        if self.session_id is None:
            raise Trouble("nothing was said yet: ask something, or /open a session")
        found: dict[str, Any] = self.client.call("GET", f"/sessions/{self.session_id}")
        return found

    def last_answer(self) -> dict[str, Any]:
        """The last message of the model. Raises Trouble if there is none."""
        return self._last("assistant", "this session has no answer yet")

    def _last(self, role: str, otherwise: str) -> dict[str, Any]:
        session = self.session()
        for message in reversed(session["messages"]):
            if message["role"] == role:
                found: dict[str, Any] = {**message, "session_id": session["id"]}
                return found
        raise Trouble(otherwise)

    def use_model(self, name: str) -> None:
        """From now on somebody else answers. Raises Refused."""
        chosen = model_fields(self.client, name)
        if self.session_id is not None:
            session = self.client.call("PATCH", f"/sessions/{self.session_id}", chosen)
            chosen = {key: session[key] for key in ("provider", "model")}
        self.model = chosen

    def open(self, session_id: int) -> dict[str, Any]:
        """Go to another session. Raises Refused."""
        session: dict[str, Any] = self.client.call("GET", f"/sessions/{session_id}")
        self.session_id, self.model = session_id, {}
        return session

    def leave(self) -> None:
        """Begin anew with the next question, with the same model."""
        self.session_id = None

    # ── showing ───────────────────────────────────────────────────────────────────────────────

    def print_message(self, message: dict[str, Any]) -> None:
        """A message that is whole."""
        with page(self.out, thoughts=self.thoughts) as shown:
            if message["thought_process"]:
                shown.reasoning(message["thought_process"])
            shown.text(message["content"])
            answer = Answer(
                content=message["content"],
                status=message["status"],
                finish_reason=message["finish_reason"],
                error=message["error"],
            )
            if message["role"] == "assistant":
                _say_end(shown, answer, _label(message))

    def show(self, ticket: Ticket) -> None:
        """Follow an answer to its end. Raises Trouble; KeyboardInterrupt if it is left alone."""
        with page(self.out, thoughts=self.thoughts) as shown:
            stopper = _Stopper(self.client, shown)
            for warning in ticket.warnings:
                shown.note(warning, "yellow")
            try:
                with stopper:
                    answer, took_s = self._follow(ticket, shown, stopper)
            except KeyboardInterrupt:
                shown.pause()
                shown.note("the answer goes on without you; /resume shows it")
                return
            _say_end(shown, answer, self._label_of(ticket, answer, took_s))

    def _follow(self, ticket: Ticket, shown: Shown, stopper: Stopper) -> tuple[Answer, float]:
        answer, began, live = Answer(), time.monotonic(), False
        for event in followed(self.client, ticket, stopper):
            new = answer.take(event)
            match event.name:
                case "reasoning":
                    shown.reasoning(event.data["reasoning"])
                case "tool_call":
                    shown.pause()
                    shown.note(_call(event.data), "cyan")
                case "rerouted":
                    shown.note(line("; ".join(event.data["warnings"])), "yellow")
                case "caught_up":
                    live = True
                case _ if new:
                    shown.text(new)
            if event.name in ("approval", "caught_up") and live:
                self._approve(ticket, shown)
        return answer, time.monotonic() - began

    def _approve(self, ticket: Ticket, shown: Shown) -> None:
        """Ask the person about the calls that wait for a word."""
        made = self.client.call("GET", f"/generations/{ticket.generation_id}")
        for call in made["approvals"]:
            shown.pause()
            yes = self.confirm(f"may it call {line(call['tool'])}? [y/N] ")
            route = f"/generations/{ticket.generation_id}/approvals/{call['call_id']}"
            with suppress(Refused):  # decided elsewhere meanwhile
                self.client.call("POST", route, {"approve": yes})

    # ── small things ──────────────────────────────────────────────────────────────────────────

    def _options(self) -> dict[str, Any]:
        return {**self.model, **({"system_prompt": self.system} if self.system else {})}

    def _put(self, path: str, body: dict[str, Any]) -> Ticket:
        try:
            return put(self.client, path, body)
        except Refused as refused:
            if refused.code != "generation_active":
                raise
            raise Trouble(
                "this session is being answered: /resume shows that answer, /stop ends it",
                Exit.REFUSED,
            ) from refused

    def _beside(self, verb: str) -> None:
        last = self.last_answer()
        self.show(self._put(f"/messages/{last['id']}/{verb}", self._options()))

    def _label_of(self, ticket: Ticket, answer: Answer, took_s: float) -> str:
        made = self.client.call("GET", f"/generations/{ticket.generation_id}")
        cost = {"cost_microusd": made["cost_microusd"], "usage": answer.usage}
        return f"{_label({**made, **cost})} · {took_s:.1f} s"


class _Stopper(Stopper):
    """Ctrl-C while an answer is shown; its lines stand between the words of the answer."""

    def __init__(self, client: Client, shown: Shown) -> None:
        super().__init__(client)
        self._shown = shown

    def say(self, line: str) -> None:
        self._shown.note(line, "yellow")


def _say_end(shown: Shown, answer: Answer, label: str) -> None:
    shown.gap()
    if answer.why:
        mend = "" if answer.exit_code is Exit.WHOLE else " · /continue goes on, /retry asks again"
        shown.note(f"{answer.why}{mend}", "red" if answer.status == "failed" else "yellow")
    if label:
        shown.note(label)


def _label(made: dict[str, Any]) -> str:
    """Who answered, with how many tokens, for how much."""
    parts = [line(made["model"] or "")]
    if usage := made.get("usage"):
        about = "~" if usage["estimated"] else ""
        thought = f" ({usage['reasoning_tokens']} thinking)" if usage["reasoning_tokens"] else ""
        parts.append(f"{about}{usage['input_tokens']} → {usage['output_tokens']} tokens{thought}")
    if cost := made.get("cost_microusd"):
        parts.append(money(cost))
    return " · ".join(part for part in parts if part)


def _call(data: dict[str, Any]) -> str:
    """A call of a tool as one line."""
    with suppress(ValueError):
        given = json.loads(data["arguments"])
        if isinstance(given, dict):
            inner = ", ".join(f"{name}={json.dumps(value)}" for name, value in given.items())
            return line(f"⚙ {data['name']}({inner})")
    return line(f"⚙ {data['name']}({data['arguments']})")
