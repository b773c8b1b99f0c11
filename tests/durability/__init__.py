"""Durability: what real processes, killed and stopped, leave behind."""
