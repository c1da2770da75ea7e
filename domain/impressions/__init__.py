"""Impressions: where rows go, what they are worth, and which metadata they get. Pure rules."""
