"""More rows: the rest of the vendors that are paid for, and the servers that one runs oneself.

    vendors.py · vendors_more.py ─▶ TABLE ─▶ registry.build

Sources as in vendors.py. A server that one runs oneself has no address before its variable gives
one, and what it serves is not known here: a question names its model.
"""

from __future__ import annotations

from dataclasses import replace

from .habits import (
    ALL,
    CHOICE,
    FORMATS,
    FOUR,
    JUST_TOOLS,
    LOW_HIGH_MAX,
    MAX_COMPLETION,
    NOT_FORCED,
    OBJECT,
    OPTIONS,
    PENALTIES,
    SCHEMA,
    SEED,
    THREE,
    TOOLS,
    TOP_K,
    USUAL,
    Habits,
)
from .openai_compatible import Vendor, known_models
from .vendors import (
    BLIND,
    CALLS,
    CEREBRAS,
    DOUBAO,
    GROQ,
    MISTRAL,
    OPENAI,
    OPENAI_RESPONSES,
    OPENROUTER,
    SEES,
    SILICONFLOW,
    UNSEEN_THOUGHT_S,
    XAI,
)

NVIDIA = Vendor(
    "nvidia",
    "NVIDIA NIM",
    "Open models over NVIDIA's API",
    "https://integrate.api.nvidia.com/v1",
    "NVIDIA_API_KEY",
    models=known_models(
        "nvidia",  # ids and limits: docs; windows: not verified
        ("nvidia/nemotron-3-super-120b-a12b", "Nemotron 3 Super", 262_144, 32_768, BLIND),
        ("nvidia/nemotron-3-ultra-550b-a55b", "Nemotron 3 Ultra", 262_144, 32_768, CALLS),
    ),
    # Docs: the switch is a variable of the prompt template, the last message is the user's.
    # seed, penalties and stream_options: of most models (clients), for each one not verified.
    # Formats: not verified, not sent.
    habits=Habits(
        takes=USUAL | SEED | PENALTIES | CHOICE, strict=False, thinking="chat_template_kwargs"
    ),
)

# Docs and clients: max_tokens is deprecated; temperature, top_p and the penalties cannot be
# changed. K3 always thinks and knows low, high and max, K2 has the switch alone. A message with
# `partial` is gone on from (docs); that K3 does so too is not verified. A call cannot be forced
# (docs); a json_schema: not verified.
_MOONSHOT = Habits(
    takes=frozenset({"max_tokens", "stop"}) | CHOICE,
    forced=NOT_FORCED,
    formats=OBJECT,
    names=MAX_COMPLETION,
    thinking="reasoning_effort",
    thinking_on="high",
    efforts=LOW_HIGH_MAX,
    going_on="partial",
)
MOONSHOT = Vendor(
    "moonshot",
    "Moonshot (Kimi)",
    "Kimi over Moonshot's API",
    "https://api.moonshot.ai/v1",  # api.moonshot.cn/v1 in China
    "MOONSHOT_API_KEY",
    models=known_models(
        "moonshot",
        ("kimi-k3.1-pro", "Kimi K3.1 Pro", 1_048_576, 1_048_576, CALLS),
        ("kimi-k3", "Kimi K3", 1_048_576, 1_048_576, CALLS),
        ("kimi-k2.6", "Kimi K2.6", 262_144, 262_144, SEES),
    ),
    habits=_MOONSHOT,
    unlike=((r"kimi-k2\.[56]", replace(_MOONSHOT, thinking="thinking", efforts={})),),
)

QWEN = Vendor(
    "qwen",
    "Qwen",
    "Qwen over Alibaba Cloud's DashScope",
    # dashscope-intl.aliyuncs.com outside of China
    "https://dashscope.aliyuncs.com/compatible-mode/v1",
    "DASHSCOPE_API_KEY",
    models=known_models(
        "qwen",
        ("qwen3.8-max", "Qwen3.8 Max", 991_808, 131_072, CALLS),
        ("qwen3.8-flash", "Qwen3.8 Flash", 991_808, 131_072, CALLS),
        ("qwen3.7-plus", "Qwen3.7 Plus", 991_808, 65_536, CALLS),
    ),
    # Docs: a message with `partial` is gone on from, not while thinking. Of the penalties only
    # presence_penalty; top_k is a field of the body. No call is forced while it thinks, `required`
    # never; no format while it thinks, which it does unless told not to: neither is sent.
    habits=Habits(
        takes=USUAL | TOP_K | SEED | TOOLS | frozenset({"presence_penalty"}),
        forced=NOT_FORCED,
        strict=False,
        thinking="enable_thinking",
        going_on="partial",
        going_on_thinks=False,
    ),
    lists=False,  # docs, September 2026: only beside this path, at an address of the workspace
)

# SDK: seed, no penalties, efforts since GLM-5.2. Clients: GLM-5.3 always thinks and knows low,
# high and max; older ones than 5.2 have the switch alone. Docs: tool_choice is `auto` alone.
_ZHIPU = Habits(
    takes=USUAL | SEED | JUST_TOOLS,
    strict=False,
    formats=OBJECT,
    thinking="reasoning_effort",
    thinking_on="high",
    efforts=LOW_HIGH_MAX,
)
ZHIPU = Vendor(
    "zhipu",
    "Zhipu GLM (Z.ai)",
    "GLM over Z.ai's API",
    "https://api.z.ai/api/paas/v4",  # open.bigmodel.cn/api/paas/v4 in China
    "ZAI_API_KEY",
    models=known_models(
        "zhipu",
        ("glm-5.3", "GLM-5.3", 1_000_000, 128_000, CALLS),
        ("glm-5.3-flash", "GLM-5.3 Flash", 1_048_576, 128_000, CALLS),
        ("glm-5.2", "GLM-5.2", 1_000_000, 128_000, CALLS),
    ),
    habits=_ZHIPU,
    unlike=(
        (r"glm-5\.2", replace(_ZHIPU, thinking="thinking", efforts=ALL)),
        (r"glm-(?:4|5(?:\.1|[^.]|$))", replace(_ZHIPU, thinking="thinking", efforts={})),
    ),
    lists=False,  # not in its SDK; not verified
)

TOGETHER = Vendor(
    "together",
    "Together",
    "Open models over Together's API",
    "https://api.together.ai/v1",
    "TOGETHER_API_KEY",
    models=known_models(
        "together",
        # Limits: not verified.
        ("moonshotai/Kimi-K3.1-Pro", "Kimi K3.1 Pro", 1_048_576, 131_072, CALLS),
        ("zai-org/GLM-5.3", "GLM-5.3", 1_048_575, 128_000, CALLS),
        ("deepseek-ai/DeepSeek-V4.1-Flash", "DeepSeek V4.1 Flash", 1_000_000, 131_072, CALLS),
    ),
    # SDK: `reasoning: {enabled}` beside reasoning_effort low, medium, high. It names no
    # stream_options; the last chunk has a usage. No parallel_tool_calls, no strict.
    habits=Habits(
        takes=USUAL | TOP_K | SEED | PENALTIES | CHOICE,
        strict=False,
        formats=FORMATS,
        thinking="reasoning_enabled",
        efforts=THREE,
        stream_options=False,
    ),
)

# SDK: reasoning_effort none, low, medium, high; GPT-OSS refuses none. It names no stream_options;
# that a usage comes without is not verified.
_FIREWORKS = Habits(
    takes=USUAL | TOP_K | SEED | PENALTIES | TOOLS,
    formats=FORMATS,
    thinking="reasoning_effort",
    thinking_on="medium",
    efforts=FOUR,
    stream_options=False,
)
FIREWORKS = Vendor(
    "fireworks",
    "Fireworks",
    "Open models over Fireworks' API",
    "https://api.fireworks.ai/inference/v1",
    "FIREWORKS_API_KEY",
    models=known_models(
        "fireworks",
        ("accounts/fireworks/models/glm-5p3", "GLM-5.3", 1_048_576, 128_000, CALLS),
        ("accounts/fireworks/models/kimi-k3p1-pro", "Kimi K3.1 Pro", 1_048_576, 131_072, CALLS),
        (
            "accounts/fireworks/models/deepseek-v4p1-flash-1017",
            "DeepSeek V4.1 Flash",
            1_048_576,
            393_216,
            CALLS,
        ),
    ),
    habits=_FIREWORKS,
    unlike=((r".*gpt-oss", replace(_FIREWORKS, efforts=THREE)),),
)

MINIMAX = Vendor(
    "minimax",
    "MiniMax",
    "MiniMax's models over its API",
    "https://api.minimax.io/v1",  # api.minimaxi.com/v1 in China
    "MINIMAX_API_KEY",
    models=known_models(
        "minimax",
        ("MiniMax-M3", "MiniMax M3", 1_000_000, 128_000, CALLS),
        ("MiniMax-M2.7", "MiniMax M2.7", 204_800, 131_072, BLIND),
    ),
    # Docs: thoughts stand in the text, in tags; max_tokens is deprecated; `thinking: {type}` is
    # adaptive or disabled for M3, M2 always thinks; no stop, seed or penalties. The other way,
    # reasoning_split, is not used: by the docs its stream repeats the text so far, by a report of
    # 2026 it does not. tool_choice, strict and formats: not verified, not sent.
    habits=Habits(
        takes=frozenset({"temperature", "top_p", "max_tokens"}) | JUST_TOOLS,
        strict=False,
        names=MAX_COMPLETION,
        thinking="adaptive_thinking",
        think_tags="tagged",
    ),
    unlike=(
        (
            r"MiniMax-M2",
            Habits(
                takes=frozenset({"temperature", "top_p", "max_tokens"}) | JUST_TOOLS,
                strict=False,
                names=MAX_COMPLETION,
                think_tags="tagged",
            ),
        ),
    ),
)

# ── servers that one runs oneself ─────────────────────────────────────────────────────────────

# Ours: a model may have to be loaded, or a long prompt read by a slow machine.
_SLOW_START_S = 300.0

# vLLM's source and docs, 2026: every option is taken; the switch is a variable of the model's
# template, the effort a field of its own; continue_final_message excludes add_generation_prompt;
# thoughts stay in the text unless a parser is set up. SGLang's source, 2026: the same fields, but
# for add_generation_prompt, which it passes over. Tools need a parser that is set up there.
_SERVER = Habits(
    takes=OPTIONS,
    formats=FORMATS,
    thinking="chat_template_kwargs",
    efforts=THREE,
    going_on="continue_final_message",
    think_tags="tagged",
)
VLLM = Vendor(
    "vllm",
    "vLLM",
    "A vLLM server of your own",
    "http://127.0.0.1:8000/v1",
    "VLLM_API_KEY",
    needs_key=False,
    habits=_SERVER,
    self_run=True,
    first_piece_timeout_s=_SLOW_START_S,
)
SGLANG = Vendor(
    "sglang",
    "SGLang",
    "An SGLang server of your own",
    "http://127.0.0.1:30000/v1",
    "SGLANG_API_KEY",
    needs_key=False,
    habits=_SERVER,
    self_run=True,
    first_piece_timeout_s=_SLOW_START_S,
)
LMSTUDIO = Vendor(
    "lmstudio",
    "LM Studio",
    "LM Studio on a machine of your own",
    "http://127.0.0.1:1234/v1",
    "LMSTUDIO_API_KEY",
    needs_key=False,
    # Docs, 2026: stream_options; thoughts stay in the text unless its setting parts them. A
    # switch for thinking on this path: not verified, not sent. tool_choice is a word, a certain
    # call cannot be forced; of the formats json_schema alone (its own refusals, seen).
    habits=Habits(
        takes=OPTIONS - {"parallel_tool_calls"},
        forced=frozenset({"required"}),
        formats=SCHEMA,
        think_tags="tagged",
    ),
    self_run=True,
    first_piece_timeout_s=_SLOW_START_S,
)
LLAMACPP = Vendor(
    "llamacpp",
    "llama.cpp",
    "A llama.cpp server of your own",
    "http://127.0.0.1:8080/v1",
    "LLAMACPP_API_KEY",
    needs_key=False,
    # Its README, 2026: a last message of the assistant is gone on from, refused while thinking is
    # on; --reasoning-format none leaves thoughts in the text.
    habits=replace(_SERVER, efforts={}, going_on="assistant", going_on_thinks=False),
    self_run=True,
    first_piece_timeout_s=_SLOW_START_S,
)
LITELLM = Vendor(
    "litellm",
    "LiteLLM",
    "A LiteLLM proxy of your own",
    "http://127.0.0.1:4000/v1",
    "LITELLM_API_KEY",
    needs_key=False,
    # Its documentation, 2026: it turns reasoning_effort into what the vendor behind it knows, and
    # refuses what that does not know, unless it is told to drop it: no format is sent.
    habits=Habits(
        takes=USUAL | SEED | PENALTIES | CHOICE,
        thinking="reasoning_effort",
        thinking_on="medium",
        efforts=ALL,
    ),
    self_run=True,
    first_piece_timeout_s=UNSEEN_THOUGHT_S,
)

TABLE: tuple[Vendor, ...] = (
    OPENAI,
    OPENAI_RESPONSES,
    OPENROUTER,
    GROQ,
    MISTRAL,
    XAI,
    SILICONFLOW,
    DOUBAO,
    CEREBRAS,
    NVIDIA,
    MOONSHOT,
    QWEN,
    ZHIPU,
    TOGETHER,
    FIREWORKS,
    MINIMAX,
    VLLM,
    SGLANG,
    LMSTUDIO,
    LLAMACPP,
    LITELLM,
)
