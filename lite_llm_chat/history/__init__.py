"""Rules about what is kept: which branch is shown, what is copied.

api ─▶ history ─▶ store
"""
