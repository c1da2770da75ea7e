"""Sources of figures: one file a connector, each on the interface of `base.py`."""
