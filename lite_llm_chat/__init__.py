"""Lite-LLM-Chat: a self-hosted chat backend that never loses a word."""
