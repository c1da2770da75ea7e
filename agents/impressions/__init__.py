"""The steps of impressions: partition, join, update; on any tree of files."""
