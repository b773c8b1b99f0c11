"""Everything a stand-in can be asked to do wrong. See base for how behaviours compose."""

from __future__ import annotations

from standins.answers import Answer, Call
from standins.behaviours.base import Ask, Behaviour, Choice, Played, Stage
from standins.behaviours.calls import CallsAs
from standins.behaviours.deltas import (
    ContentAs,
    FinishAs,
    FirstChunk,
    Flood,
    ReasoningAs,
    Twist,
    UsageAs,
)
from standins.behaviours.events import (
    BadUtf8,
    Bom,
    DoneAs,
    Dress,
    ErrorEvent,
    Insert,
    LineEnds,
    NoFinalBlank,
)
from standins.behaviours.status import Body, Bytes, Concurrency, FailThen, OkError, OnlyKey, Status
from standins.behaviours.timing import FOREVER, Cut, Delay, Drip, Pause, Stall
from standins.behaviours.writes import (
    CloseIdle,
    Dribble,
    FramedBy,
    Gzip,
    Interim,
    SlowRead,
    SplitEvents,
    Together,
)
from standins.reply import Gate

__all__ = [
    # how they compose
    "Answer",
    "Ask",
    "Behaviour",
    "Call",
    "Choice",
    "Gate",
    "Played",
    "Stage",
    # another reply
    "Body",
    "Bytes",
    "Concurrency",
    "FailThen",
    "OkError",
    "OnlyKey",
    "Status",
    # other JSON
    "CallsAs",
    "ContentAs",
    "FinishAs",
    "FirstChunk",
    "Flood",
    "ReasoningAs",
    "Twist",
    "UsageAs",
    # other bytes
    "BadUtf8",
    "Bom",
    "DoneAs",
    "Dress",
    "ErrorEvent",
    "Insert",
    "LineEnds",
    "NoFinalBlank",
    # time
    "Cut",
    "Delay",
    "Drip",
    "FOREVER",
    "Pause",
    "Stall",
    # writes and connections
    "CloseIdle",
    "Dribble",
    "FramedBy",
    "Gzip",
    "Interim",
    "SlowRead",
    "SplitEvents",
    "Together",
]
