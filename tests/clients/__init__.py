"""Clients: slow, rude, many at once, and gone in the middle."""
