"""`ask`: one question, one answer; made for pipes and scripts.

question + what the pipe has ─▶ put ─▶ events ─▶ standard output: the answer, nothing else
                                            └──▶ standard error: all the rest; an exit code
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from . import reach
from .asked import Answer, Stopper, Ticket, followed, model_fields, put
from .client import Client
from .files import unreadable, upload
from .text import harmless, say
from .trouble import Exit, Trouble

MAX_PIPE_BYTES = 900_000  # of the usual MAX_BODY_BYTES; more is a file

ABOUT = """\
Ask one question and print the answer. What comes through a pipe is put behind the question
(up to 900 kB of text in UTF-8; more, or anything else: --file).

Standard output has the answer alone; it is as exact as the model was, unless it goes to a
terminal, which gets no control characters. All else is said on standard error."""
EPILOG = """\
exit codes:
  0  the answer is whole                 4  the server refused the question
  1  anything else                       5  the vendor failed
  2  the command line is wrong           6  the answer was cut: a limit, a filter, a stopped server
  3  no server, and none could start   130  stopped by Ctrl-C

examples:
  lite-llm-chat ask "What is the capital of France?"
  git diff | lite-llm-chat ask "Write a commit message for this"
  lite-llm-chat ask --json --schema person.json "Ada Lovelace" | jq .content"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The question, and how it is answered."""
    parser.description, parser.epilog = ABOUT, EPILOG
    parser.add_argument("question", nargs="?", default="", help="else what the pipe has")
    parser.add_argument("--session", type=int, metavar="N", help="ask in this session")
    parser.add_argument("--model", metavar="NAME", help="provider/model, or a model's name")
    parser.add_argument("--system", metavar="TEXT", help="what the model is told before")
    parser.add_argument("--file", type=Path, action="append", default=[], help="a file beside it")
    parser.add_argument("--schema", type=Path, metavar="FILE", help="a JSON schema for the answer")
    parser.add_argument("--no-stream", action="store_true", help="print it once it is whole")
    parser.add_argument("--reasoning", action="store_true", help="what it thinks, on stderr")
    reach.arguments(parser)


def run(wanted: argparse.Namespace) -> int:
    """Ask and print. Raises Trouble."""
    question = _question(wanted.question)
    form = _form(wanted.schema)
    with reach.server(wanted.url) as client, _Stopper(client) as stopper:
        ticket = put(client, "/chat", _body(client, wanted, question, form))
        try:
            answer = _printed(client, ticket, wanted, stopper)
        except BrokenPipeError:  # nobody will read the rest
            stopper.cancel()
            raise
        if wanted.json:
            print(json.dumps(_whole(client, ticket, answer), ensure_ascii=False))
        return _verdict(answer, stopped=stopper.asked)


class _Stopper(Stopper):
    def say(self, line: str) -> None:
        say(f"[{line}]")


def _question(question: str) -> str:
    """The words of the command line, and behind them those of the pipe. Raises Trouble."""
    piped = "" if sys.stdin is None or sys.stdin.isatty() else _piped()
    asked = "\n\n".join(part for part in (question.strip(), piped.strip("\n")) if part)
    if not asked.strip():
        raise Trouble(
            'there is no question: lite-llm-chat ask "What is …?", or send one through a pipe',
            Exit.USAGE,
        )
    return asked


def _piped() -> str:
    text = sys.stdin.buffer.read(MAX_PIPE_BYTES + 1)
    if len(text) > MAX_PIPE_BYTES:
        raise Trouble("more than 900 kB came through the pipe: hand it over as a file with --file")
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise Trouble(
            "what came through the pipe is no text in UTF-8: hand it over as a file with --file"
        ) from None


def _form(path: Path | None) -> dict[str, object]:
    """The response format for a file with a schema. Raises Trouble."""
    if path is None:
        return {}
    try:
        schema = json.loads(path.read_bytes())
    except OSError as cause:
        raise unreadable(path, cause) from cause
    except ValueError as cause:
        raise Trouble(f"{path} is no JSON: {cause}") from cause
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    return {"response_format": form}


def _body(
    client: Client, wanted: argparse.Namespace, question: str, form: dict[str, object]
) -> dict[str, object]:
    message: dict[str, object] = {"role": "user", "content": question}
    if wanted.file:
        message["files"] = [upload(client, path) for path in wanted.file]
    given = {"session_id": wanted.session, "system_prompt": wanted.system}
    named = model_fields(client, wanted.model)
    if wanted.session is not None:  # a session keeps its model: this one is for this question
        named = {f"message_{name}": value for name, value in named.items()}
    chosen = {name: value for name, value in given.items() if value is not None}
    return {"messages": [message], **chosen, **named, **form}


def _printed(
    client: Client, ticket: Ticket, wanted: argparse.Namespace, stopper: Stopper
) -> Answer:
    """The answer, printed as it comes or once it has ended."""
    answer, write = Answer(), sys.stdout.write
    for warning in ticket.warnings:
        say(f"[{warning}]")
    known = list(ticket.warnings)
    as_it_comes = not (wanted.no_stream or wanted.json)
    for event in followed(client, ticket, stopper):
        new = answer.take(event)
        if new and as_it_comes:
            write(_shown(new))
            sys.stdout.flush()
        if event.name == "reasoning" and wanted.reasoning:
            sys.stderr.write(harmless(event.data["reasoning"]))
        if event.name == "approval" and event.data["state"] == "asked":
            say(f"[a tool waits for your word: see GET {client.prefix}/approvals]")
        for warning in answer.warnings:
            if warning not in known:
                known.append(warning)
                say(f"[{warning}]")
    if not (as_it_comes or wanted.json):
        write(_shown(answer.content))
    if not wanted.json and answer.content and not answer.content.endswith("\n"):
        write("\n")
    sys.stdout.flush()
    return answer


def _shown(text: str) -> str:
    return harmless(text) if sys.stdout.isatty() else text


def _whole(client: Client, ticket: Ticket, answer: Answer) -> dict[str, Any]:
    """Everything that a script may want to know of an answer."""
    made = client.call("GET", f"/generations/{ticket.generation_id}")
    return {
        "session_id": ticket.session_id,
        "generation_id": ticket.generation_id,
        "message_id": ticket.message_id,
        "provider": made["provider"],
        "model": made["model"],
        "status": answer.status,
        "finish_reason": answer.finish_reason,
        "content": answer.content,
        "reasoning": answer.reasoning or None,
        "usage": answer.usage,
        "cost_microusd": made["cost_microusd"],
        "warnings": list(dict.fromkeys(answer.warnings)),
        "error": answer.error,
    }


def _verdict(answer: Answer, *, stopped: bool) -> Exit:
    if answer.why:
        say(f"[{answer.why}]")
    return Exit.STOPPED if stopped and answer.status == "cancelled" else answer.exit_code
