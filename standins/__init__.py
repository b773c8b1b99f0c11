"""Vendors to talk to without a vendor: small real servers on real ports.

    your program ──HTTP──▶ standins.deepseek      speaks as api.deepseek.com does, byte by byte
                           standins.anthropic     as api.anthropic.com does, event by event
                           standins.responses     as api.openai.com/v1/responses does
                             ▲
    your test  ──play(…)─────┘                    and misbehaves on request

Nothing here imports the product, and nothing but the standard library is needed to run it:
`python -m standins` starts a DeepSeek without a key.
"""
