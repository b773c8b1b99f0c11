"""The rules of the house: what the source, its documents and its commands promise to be."""
