"""Rules about what is kept: how sessions are named, where they are put, when they go.

titles · naming   a model is asked for a name, beside the answer
places            folders, tags, many sessions at once
trash · keeping   what is deleted waits, then goes in small steps; what is old goes by itself
"""
