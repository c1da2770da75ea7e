"""What carries orders out: an HTTP endpoint, or a simulation."""
