"""Keyed state as a whole: its backups, their way back, and the recount."""
