"""What happens before an answer begins: a request becomes rows, and rows become a prompt.

Ask ─▶ turns ─▶ rows      history ─▶ prompts, context, forms ─▶ briefs ─▶ Prompt
"""
