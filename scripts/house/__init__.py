"""The environment, the checks and the servers for tests and trials."""
