"""SQL over figures: a process of its own that has the tables, and nothing else."""
