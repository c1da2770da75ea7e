"""Documents: one file a kind, loading, validation, versions."""
