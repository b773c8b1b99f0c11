"""The edge: JSON and SSE in, JSON and SSE out. Thin routes; every rule lives further in."""
