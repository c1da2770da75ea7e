"""Formats of records: bytes to values and back."""
