"""Extraction of many records at once: the lines that `extract.py` writes for one, in one loop.

Made for batches, where a call, a tuple and a key per record is most of the work. The same document
gives the same keys, values and rejections either way.
"""

from collections.abc import Callable, Iterable, Mapping
from textwrap import indent
from typing import Any, Literal

import msgspec

from domain.aggregation.document import Aggregator
from domain.aggregation.extract import pieces_of
from domain.errors import Reject

Shape = Literal["view", "row"]
"""A record is a view (see `extract.py`), or a tuple with the value of each path."""
Groups = dict[bytes, list[tuple[int, int, Any]]]
"""Canonical session key -> (offset, timestamp, values) of its records, in order."""
Refused = list[tuple[int, Reject]]
BulkExtract = Callable[[Iterable[int], Iterable[int], Iterable[Any], Groups, Refused], list[int]]
"""(offsets, timestamps, records, groups, refused) -> offsets of those the filter passed over.
Adds to `groups` and `refused`. (A batch gives `itertools.repeat(now)` as timestamps.)"""

TEMPLATE = """\
def extract_all(offsets, timestamps, records, groups, refused):
    filtered = []
    appends = {{}}
    find = appends.get
    for offset, timestamp, {record} in zip(offsets, timestamps, records):
        try:
{body}
            same = {same}
            append = find(same)
            if append is None:
                key = {key}
                append = appends[same] = groups.setdefault(key, []).append
        except Reject as reject:
            # its traceback would hold this whole frame, in a cycle through `refused`
            reject.__traceback__ = reject.__context__ = None
            refused.append((offset, reject))
            continue
        append((offset, timestamp, {values}))
    return filtered
"""


def compile_bulk(document: Aggregator, attributes: Mapping[str, str], shape: Shape) -> BulkExtract:
    """The function for `document`.

    `attributes` tells, for each path, the attribute of a view; or, of a row, the name of its
    place, in the order of the row.
    """
    view = shape == "view"
    pieces = pieces_of(
        document,
        lambda path: f"r.{attributes[path]}" if view else attributes[path],
        "r.cloud" if view else "None",
    )
    body = list(pieces.lines)
    if pieces.filter:
        body = [f"if not {pieces.filter}:", "    filtered.append(offset)", "    continue", *body]
    parts = "".join(part + ", " for part in pieces.parts)
    # Python takes 1, True and Decimal(1) for the same key, so classes go with what is no text.
    # Text alone, nearly all, needs no look at its kinds to be canonical.
    same, key = f"({parts})", f"encode(({parts}))"
    if pieces.groups:
        text = " is ".join(f"{name}.__class__" for name in pieces.groups)
        classes = "".join(f"{name}.__class__, " for name in pieces.groups)
        alike = pieces.parts[0] if len(pieces.parts) == 1 else same
        same = f"{alike} if {text} is str else ({parts}{classes})"
        key = f"encode(({parts})) if {text} is str else canonical_key(({parts}))"
    source = TEMPLATE.format(
        record="r" if view else f"({''.join(name + ', ' for name in attributes.values())})",
        body=indent("\n".join(body), " " * 12),
        same=same,
        key=key,
        values=pieces.values,
    )
    names = {**pieces.names, "Reject": Reject, "encode": msgspec.json.encode}
    exec(compile(source, f"<bulk extract {document.name}>", "exec"), names)
    compiled: BulkExtract = names["extract_all"]
    return compiled
