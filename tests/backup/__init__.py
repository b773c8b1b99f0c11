"""Backups: taken while the server is at work, put back, and compared."""
