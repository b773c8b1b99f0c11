"""Faults: what vendors and disks do to a real server process, and what it does then."""
