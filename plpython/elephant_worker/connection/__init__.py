"""Sessions in which commands run."""
