"""Settings, names, the clock, and documents: what can be set."""
