"""Rules about what is kept: which branch is shown; how sessions are named, put and copied; when
they go.

leaves · copies   another branch, another session of the same words
titles · naming   a model is asked for a name, beside the answer
places            folders, tags, many sessions at once
trash · keeping   what is deleted waits, then goes in small steps; what is old goes by itself
"""
