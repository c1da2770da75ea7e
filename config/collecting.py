"""How seldom Python looks for cycles of garbage: state is many objects that live long."""

import gc

# batches come and go young: after 200,000 objects more, and the older ones each 50th, 1,000th time
_THRESHOLDS = (200_000, 50, 1_000)


def collect_seldom() -> None:
    """Called when what was imported and opened stays for good: that is never looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
