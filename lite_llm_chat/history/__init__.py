"""Rules about what is kept: how sessions are named, where they are put, which branch is shown,
what is copied or brought along, when they go.

    titles · naming      a model is asked for a name, beside the answer
    places               folders, tags, many sessions at once
    leaves · copies      which branch is shown; forks and copies
    trash · keeping      what is deleted waits, then goes in small steps; what is old goes by itself
    imports · taking · importing · reports      other products' conversations become sessions
"""
