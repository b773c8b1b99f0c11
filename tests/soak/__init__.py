"""The server under a load that lasts, and under more of it than it can take."""
