"""Conversations out of the archives of other products, and our own.

A format is one file with one function: an entry of an archive in, a Conversation out. They run in a
process of their own (child.py), know no database and no request, and say what they found in frames.
"""
