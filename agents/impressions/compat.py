"""The compat layout's buckets: a campaign's rows in turn, over all blocks of a file."""

import numpy as np

from agents.impressions.parse import Array, Sorted, gathered, stable_order


class Turns:
    """Counts the rows of each campaign so far."""

    def __init__(self, buckets: int) -> None:
        self._buckets = buckets
        self._counts: dict[int, int] = {}

    def dealt(self, part: Sorted, groups: list[int]) -> Sorted:
        """A block sorted by campaign (one bucket each), sorted anew by campaign and bucket;
        `groups` are the numbers of its campaigns over the whole file."""
        if not part.rows:
            return part
        sizes = np.diff(part.starts, append=part.rows)
        before = np.empty(len(sizes), np.int64)
        for at, (place, size) in enumerate(zip(part.places.tolist(), sizes.tolist(), strict=True)):
            group = groups[place]
            before[at] = self._counts.get(group, 0)
            self._counts[group] = int(before[at]) + size
        turns = np.arange(part.rows) - np.repeat(part.starts, sizes) + np.repeat(before, sizes)
        places = np.repeat(part.places, sizes) * self._buckets + turns % self._buckets
        order = stable_order(places, len(part.groups) * self._buckets)
        ends = _line_ends(part.text)
        begins = np.concatenate([[0], ends[:-1]])
        text = gathered(part.text, begins, ends, order)
        places = places[order]
        starts = np.flatnonzero(np.diff(places, prepend=-1))
        bounds = np.concatenate([[0], np.cumsum((ends - begins)[order])])
        return Sorted(
            part.groups, places[starts], starts, part.values[order],
            bounds[np.append(starts, part.rows)], text, part.rows, part.lines, part.rejects,
        )  # fmt: skip


def _line_ends(text: memoryview) -> Array:
    return np.flatnonzero(np.frombuffer(text, np.uint8) == 10) + 1
