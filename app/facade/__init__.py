"""The running system as the web layer asks for it: `Facade` is the worker's `app.backend.Backend`.

One file per area. What a worker knows by itself is in `local.py` and asked by the others too.
"""
