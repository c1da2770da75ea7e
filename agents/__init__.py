"""Stream processors, one a file: when a rule runs and how its effects are committed."""
