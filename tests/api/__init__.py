"""The plain surface, as a client on the wire sees it."""
