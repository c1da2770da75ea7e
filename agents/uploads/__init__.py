"""Uploaded files: made durable, then read row by row into the events of their campaign."""
