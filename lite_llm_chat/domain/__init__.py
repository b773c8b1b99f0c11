"""The nouns, frozen, and the one way from events to a message.

    Prompt ──▶ provider ──▶ Piece Piece Piece …            (no numbers yet)
                              │ merged, numbered, stored
                              ▼
               Event 1 Started · 2 Text · 3 Text · … · n Ended      = the Log of a Generation
                              │
                            fold ──▶ Answer

Text, Reasoning, ToolCall and Seal are both pieces and event bodies: what a provider says is what
the log keeps. What an answer is made of, in its order, are its parts; an answer that is nothing
but reasoning and then text needs none. Everything here is a value: no I/O, no clock, no settings.
"""

from .asked import (
    Beginning,
    Listed,
    Model,
    Options,
    Picture,
    Prompt,
    ResponseFormat,
    Role,
    Tool,
    Turn,
)
from .ids import FIRST_TEMPORARY, LAST_TEMPORARY, MARK, is_temporary
from .kept import (
    Generation,
    Message,
    Origin,
    Preset,
    PresetRef,
    PresetVersion,
    Said,
    Session,
    Ticket,
    TitleBy,
)
from .log import (
    LIVE,
    Answer,
    Approval,
    ApprovalState,
    Body,
    Ended,
    Event,
    Fault,
    Final,
    Inner,
    Offer,
    Rerouted,
    Started,
    Status,
    fold,
)
from .said import (
    Attachment,
    Finish,
    Part,
    Piece,
    Reasoning,
    Seal,
    Text,
    ToolCall,
    ToolResult,
    Usage,
    Working,
    merged,
    together,
)

__all__ = [
    "FIRST_TEMPORARY",
    "LAST_TEMPORARY",
    "MARK",
    "is_temporary",
    "Answer",
    "Approval",
    "ApprovalState",
    "Attachment",
    "Beginning",
    "Body",
    "Ended",
    "Event",
    "Fault",
    "Final",
    "Finish",
    "Generation",
    "Inner",
    "LIVE",
    "Listed",
    "Message",
    "Model",
    "Offer",
    "Options",
    "Origin",
    "Part",
    "Picture",
    "Piece",
    "Preset",
    "PresetRef",
    "PresetVersion",
    "Prompt",
    "Reasoning",
    "Rerouted",
    "ResponseFormat",
    "Role",
    "Said",
    "Seal",
    "Session",
    "Started",
    "Status",
    "Text",
    "Ticket",
    "TitleBy",
    "Tool",
    "ToolCall",
    "ToolResult",
    "Turn",
    "Usage",
    "Working",
    "fold",
    "merged",
    "together",
]
