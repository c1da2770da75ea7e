"""Campaigns for the console and the API: asked of the shard that keeps them, and of the stores."""
