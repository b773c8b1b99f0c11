"""Rules about sessions and their branches that outlive a single answer."""
