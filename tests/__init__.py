"""The tests: `house` judges the source text, the other folders act through HTTP."""
