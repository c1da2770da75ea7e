"""The batch stream: aggregation over files."""
