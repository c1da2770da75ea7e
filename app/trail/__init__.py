"""The trail of changes: who changed what, when, why, and what it was before."""
