"""What happens while an answer is made: the tries, the rounds of tools, who else is asked, and
what is asked beside it.

    engine ─▶ rounds ─▶ attempts ─▶ run ─▶ a provider's pieces
"""
