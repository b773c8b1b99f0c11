"""Settings in, the open parts of a running server out. Only `app` and one command look in here."""
