"""Figures from other people's systems: what a record is worth, and how values are rolled up."""
