"""Vendors that speak OpenAI's chat dialect and are paid for: one row each, in display order.

    row ─┬─▶ OpenAICompatible ─▶ base_url/chat/completions
         └─▶ Responses ────────▶ base_url/responses, where its dialect is that

To add one, add its row. Sources, all read in November 2026: "SDK" is the vendor's own package for
Python (openai 3.57, openrouter 1.3, groq 1.7, mistralai 3.7, cerebras-cloud-sdk 1.91, together
3.1, fireworks-ai 1.2, zai-sdk 0.2), "docs" its documentation, "clients" the rows that pydantic-ai
2.68, any-llm 1.40 and LiteLLM 1.110 have for it. Models, windows and limits: genai-prices 0.2.3 and
LiteLLM 1.110. "Not verified" marks what none of them says; there the row keeps to what any vendor
takes. A model that is not listed is sent as it is.
"""

from __future__ import annotations

from dataclasses import replace

from .habits import (
    ALL,
    EFFORTS,
    FORMATS,
    FOUR,
    JUST_TOOLS,
    MAX_COMPLETION,
    OBJECT,
    OF_RESPONSES,
    PENALTIES,
    SCHEMA,
    SEED,
    THREE,
    TOOLS,
    TOP_K,
    USUAL,
    Habits,
)
from .model_list import replaced
from .openai_compatible import Can, Vendor, known_models

# What models can. Vendors' documents; of what they do not say, nothing.
SEES = Can(vision=True, tools=True, reasoning=True)
BLIND = Can(vision=False, tools=True, reasoning=True)
CALLS = Can(tools=True, reasoning=True)

# How long a vendor may be silent whose models think without showing it. SDK: OpenAI's own client
# waits that long.
UNSEEN_THOUGHT_S = 600.0

# SDK: max_tokens is deprecated and refused by models that reason; these take no temperature,
# top_p, stop or penalty either (clients). Efforts: SDK; `none` is the default of newer ones
# (clients), so switching on needs a word. GPT-6 refuses `minimal`, the first GPT-5, the o models
# and GPT-6.1 Sol do not go without thinking (clients). Function tools beside thinking, its default
# too, are refused on this path since GPT-5.4 ("use /v1/responses or set reasoning_effort to
# 'none'", seen, 2026): with tools these do not think, and Sol has none. The o models refuse
# parallel_tool_calls (clients).
_OPENAI = Habits(
    takes=frozenset({"max_tokens", "seed"}) | TOOLS,
    tools_think=False,
    formats=FORMATS,
    names=MAX_COMPLETION,
    thinking="reasoning_effort",
    thinking_on="medium",
    efforts={**ALL, "minimal": "low"},
)
_WITH_THOUGHT = {effort: word for effort, word in _OPENAI.efforts.items() if effort != "none"}
_THINKS = replace(_OPENAI, efforts=THREE, tools_think=True)
OPENAI = Vendor(
    "openai",
    "OpenAI",
    "OpenAI's models over its API",
    "https://api.openai.com/v1",
    "OPENAI_API_KEY",
    models=known_models(
        "openai",
        ("gpt-6-luna", "GPT-6 Luna", 1_050_000, 128_000, SEES),
        ("gpt-6.1-terra", "GPT-6.1 Terra", 1_050_000, 128_000, SEES),
        ("gpt-6.1-sol", "GPT-6.1 Sol", 1_050_000, 128_000, Can(True, False, True)),
        ("gpt-4.1", "GPT-4.1", 1_047_576, 32_768, Can(True, True, False)),
    ),
    habits=_OPENAI,
    unlike=(
        (
            r"gpt-[34]",
            Habits(takes=USUAL | SEED | PENALTIES | TOOLS, names=MAX_COMPLETION, formats=FORMATS),
        ),
        (r"o\d", replace(_THINKS, takes=_THINKS.takes - {"parallel_tool_calls"})),
        (r"gpt-5(?:-|$)", _THINKS),
        (r"gpt-6\.1-sol", replace(_OPENAI, takes=_OPENAI.takes - TOOLS, efforts=_WITH_THOUGHT)),
    ),
    first_piece_timeout_s=UNSEEN_THOUGHT_S,
)


def _told(habits: Habits) -> Habits:
    """The same habits in the other dialect, without the options that it has no field for."""
    return replace(habits, takes=(habits.takes & OF_RESPONSES) | TOOLS, names={})


_RESPONSES = "openai-responses"
OPENAI_RESPONSES = replace(
    OPENAI,
    id=_RESPONSES,
    name="OpenAI (Responses)",
    description="OpenAI's models over its Responses API, which shows summaries of their thoughts",
    models=tuple(
        replace(model, provider=_RESPONSES, description=f"{model.name}, asked at {_RESPONSES}")
        for model in OPENAI.models
    ),
    habits=_told(OPENAI.habits),
    unlike=tuple((start, _told(habits)) for start, habits in OPENAI.unlike),
    dialect="responses",
)

_OPENROUTER = Habits(
    takes=USUAL | TOP_K | SEED | PENALTIES | TOOLS,
    thinking="reasoning",
    efforts=ALL,
    formats=FORMATS,
    seals="reasoning_details",
)
OPENROUTER = Vendor(
    "openrouter",
    "OpenRouter",
    "Models of many vendors over one API",
    "https://openrouter.ai/api/v1",
    "OPENROUTER_API_KEY",
    models=known_models(
        "openrouter",
        ("openai/gpt-6-luna", "GPT-6 Luna", 1_050_000, 128_000, SEES),
        # Limits of the next two: not verified.
        ("google/gemini-3.8-flash", "Gemini 3.8 Flash", 1_048_576, 65_536, SEES),
        ("moonshotai/kimi-k3.1-pro", "Kimi K3.1 Pro", 1_048_576, 131_072, CALLS),
        ("z-ai/glm-5.3", "GLM-5.3", 1_048_576, 128_000, CALLS),
    ),
    # SDK: top_k, seed and penalties are passed on where the model has them; `reasoning` takes an
    # effort or `enabled` (docs). That a last message of the assistant is gone on from is not
    # verified, and would depend on the model behind it: asked in words. Headers that name an
    # application are left out. Reasoning goes back, as it came, with calls (docs). Models of
    # Mistral want its ids of calls here too (seen, 2026).
    habits=_OPENROUTER,
    unlike=((r"mistralai/", replace(_OPENROUTER, call_ids="nine")),),
    first_piece_timeout_s=UNSEEN_THOUGHT_S,
)

# SDK: max_tokens is deprecated; usage comes in x_groq without being asked for, and the parameters
# do not name stream_options. Efforts differ by model (docs, clients): GPT-OSS has three and always
# thinks, Qwen knows `none` and `default`, and puts its thoughts into the text unless told to part
# them. A json_schema cannot be streamed (docs).
_GROQ = Habits(
    takes=USUAL | SEED | PENALTIES | TOOLS,
    formats=OBJECT,
    names=MAX_COMPLETION,
    thinking="reasoning_effort",
    thinking_on="medium",
    efforts=THREE,
    stream_options=False,
)
_GROQ_QWEN = replace(
    _GROQ,
    thinking_on="default",
    efforts={"none": "none"},
    think_tags="tagged",
    extra={"reasoning_format": "parsed"},
)
GROQ = Vendor(
    "groq",
    "Groq",
    "Open models on Groq's own chips",
    "https://api.groq.com/openai/v1",
    "GROQ_API_KEY",
    models=known_models(
        "groq",
        ("openai/gpt-oss-120b", "GPT-OSS 120B", 131_072, 65_536, BLIND),
        ("openai/gpt-oss-20b", "GPT-OSS 20B", 131_072, 65_536, BLIND),
        ("qwen/qwen3.8-27b", "Qwen3.8 27B", 131_072, 16_384, CALLS),
    ),
    habits=_GROQ,
    unlike=((r"qwen/", _GROQ_QWEN),),
)

MISTRAL = Vendor(
    "mistral",
    "Mistral",
    "Mistral's models over its API",
    "https://api.mistral.ai/v1",
    "MISTRAL_API_KEY",
    models=known_models(
        "mistral",
        ("mistral-medium-latest", "Mistral Medium", 262_144, 262_144, Can(vision=True, tools=True)),
        ("mistral-large-4", "Mistral Large 4", 1_048_576, 1_048_576, Can(tools=True)),
        ("mistral-small-latest", "Mistral Small", 262_144, 262_144, Can(vision=True, tools=True)),
    ),
    # SDK: the seed is random_seed, there are no stream_options (the usage comes anyway), a message
    # with `prefix` is gone on from. Efforts: the SDK lists all; which model takes which is not
    # verified, so only the two ends that its clients send are: none and high.
    habits=Habits(
        takes=USUAL | SEED | PENALTIES | TOOLS,
        call_ids="nine",
        formats=FORMATS,
        names={"seed": "random_seed"},
        thinking="reasoning_effort",
        thinking_on="high",
        efforts={"none": "none", **dict.fromkeys(EFFORTS[1:], "high")},
        going_on="prefix",
        stream_options=False,
    ),
)

_XAI = Habits(
    takes=frozenset({"temperature", "top_p", "max_tokens", "seed"}) | TOOLS,
    formats=FORMATS,
    thinking="reasoning_effort",
    thinking_on="high",
    efforts=THREE,
)
_XAI_ROWS = known_models(
    "xai",
    ("grok-4.7", "Grok 4.7", 500_000, 500_000, SEES),
    ("grok-4.3", "Grok 4.3", 1_000_000, 1_000_000, SEES),
)
# docs ("Grok Model Retirement on May 15, 2026"): all of them become 4.3, those that did not reason
# with the effort `none`.
_XAI_GONE = (
    *replaced(
        _XAI_ROWS,
        "xAI",
        ("grok-4-1-fast-reasoning", "grok-4.3", "2026-05-15"),
        ("grok-4-fast-reasoning", "grok-4.3", "2026-05-15"),
        ("grok-4-0709", "grok-4.3", "2026-05-15"),
        ("grok-code-fast-1", "grok-4.3", "2026-05-15"),
        ("grok-3", "grok-4.3", "2026-05-15"),
    ),
    *replaced(
        _XAI_ROWS,
        "xAI",
        ("grok-4-1-fast-non-reasoning", "grok-4.3", "2026-05-15"),
        ("grok-4-fast-non-reasoning", "grok-4.3", "2026-05-15"),
        thinking=False,
    ),
)
XAI = Vendor(
    "xai",
    "xAI",
    "Grok over xAI's API",
    "https://api.x.ai/v1",
    "XAI_API_KEY",
    models=(*_XAI_ROWS, *_XAI_GONE),
    # Clients: Grok 4 refuses stop and both penalties; it always thinks, but for 4.3.
    habits=_XAI,
    unlike=((r"grok-4\.3|grok-latest", replace(_XAI, efforts=FOUR)),),
    first_piece_timeout_s=UNSEEN_THOUGHT_S,
)

SILICONFLOW = Vendor(
    "siliconflow",
    "SiliconFlow",
    "Open models over SiliconFlow's API",
    "https://api.siliconflow.cn/v1",  # api.siliconflow.com/v1 outside of China
    "SILICONFLOW_API_KEY",
    models=known_models(
        "siliconflow",  # ids: docs; windows and limits: not verified
        ("deepseek-ai/DeepSeek-V3.2", "DeepSeek V3.2", 163_840, 163_840, BLIND),
        ("Pro/zai-org/GLM-5", "GLM-5", 202_752, 128_000, BLIND),
        ("Qwen/Qwen3.5-397B-A17B", "Qwen3.5 397B", 262_144, 65_536, SEES),
    ),
    # Docs: top_k and frequency_penalty, no seed and no presence_penalty; enable_thinking for some
    # models, others refuse it. stream_options: not verified, sent. tool_choice and strict: not
    # verified, not sent.
    habits=Habits(
        takes=USUAL | TOP_K | JUST_TOOLS | frozenset({"frequency_penalty"}),
        thinking="enable_thinking",
        strict=False,
        formats=OBJECT,
    ),
)

DOUBAO = Vendor(
    "doubao",
    "Doubao",
    "ByteDance's models over Volcengine Ark",
    "https://ark.cn-beijing.volces.com/api/v3",
    "ARK_API_KEY",
    models=known_models(
        "doubao",
        ("doubao-seed-2-1-pro-260915", "Doubao Seed 2.1 Pro", 1_024_000, 256_000, SEES),
        ("doubao-seed-2-1-lite-260915", "Doubao Seed 2.1 Lite", 1_024_000, 256_000, SEES),
    ),
    # Docs: `thinking: {type}`; reasoning_effort minimal to high, only while it thinks; max_tokens
    # bounds the answer alone. Going on from a message is documented for models that do not think;
    # for these it is not verified, so it is asked in words.
    habits=Habits(
        takes=USUAL | PENALTIES | TOOLS,
        formats=FORMATS,
        thinking="thinking",
        efforts={**THREE, "minimal": "minimal"},
    ),
    lists=False,  # not verified on this path
)

# SDK: efforts none, low, medium and high; `parsed` puts thoughts into `reasoning`. That GPT-OSS
# does not go without thinking: clients, of the same model elsewhere. A json_object is not streamed
# (docs).
_CEREBRAS = Habits(
    takes=USUAL | SEED | PENALTIES | TOOLS,
    formats=SCHEMA,
    names=MAX_COMPLETION,
    thinking="reasoning_effort",
    thinking_on="medium",
    efforts=FOUR,
    think_tags="tagged",
    extra={"reasoning_format": "parsed"},
)
CEREBRAS = Vendor(
    "cerebras",
    "Cerebras",
    "Open models on Cerebras' own chips",
    "https://api.cerebras.ai/v1",
    "CEREBRAS_API_KEY",
    models=known_models(
        "cerebras",
        ("gpt-oss-120b", "GPT-OSS 120B", 131_072, 32_768, BLIND),
        ("qwen-3.8-27b", "Qwen3.8 27B", 65_536, 32_768, CALLS),
    ),
    habits=_CEREBRAS,
    unlike=((r"gpt-oss", replace(_CEREBRAS, efforts=THREE, think_tags="none", extra={})),),
)
