"""Privates of dependencies we reach into: what each was when we last read it."""

import hashlib
import importlib
import inspect
import textwrap


def digest(name: str) -> str:
    """Twelve digits that change with the source of `module:qualified.name`."""
    module, _, path = name.partition(":")
    thing = importlib.import_module(module)
    for part in path.split("."):
        thing = getattr(thing, part)
    source = textwrap.dedent(inspect.getsource(thing))
    return hashlib.sha256(source.encode()).hexdigest()[:12]
