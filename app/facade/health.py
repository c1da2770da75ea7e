"""Whether this worker can serve, in sentences."""

from app.cluster.beat import Beat
from app.shapes import Readiness

SILENT_S = 5.0  # the stream is asked every second


def readiness(own: Beat, stream_silent_s: float) -> Readiness:
    """By what the worker tells the others about itself, and by when the stream answered last."""
    reasons = []
    if own.state != "ready":
        reasons.append(own.detail or f"The worker is {own.state}.")
    if stream_silent_s > SILENT_S:
        reasons.append(f"The stream has not answered for {stream_silent_s:.0f} s.")
    ready = not reasons
    if ready and own.detail:
        reasons.append(own.detail)
    return Readiness(ready, reasons)
