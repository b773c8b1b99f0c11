"""Disk: rows in, rows out. Plain functions take a connection first, so that they compose into
one transaction; `database.Database` is the only way to get one."""
