"""The documents: what they link to is there, what they list is complete, what they show runs."""
