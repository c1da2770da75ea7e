"""Whether this worker can serve, in sentences."""

from app.cluster.beat import Beat
from app.shapes import Readiness


def readiness(own: Beat) -> Readiness:
    """By what the worker tells the others about itself."""
    if own.state == "ready":
        return Readiness(True)
    return Readiness(False, (own.detail or f"The worker is {own.state}.",))
