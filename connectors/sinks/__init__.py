"""Billing targets: HTTP, MySQL tables, files."""
