"""Open sessions as the records that they will flush: many of one kind are written at once."""

from collections.abc import Callable, Sequence

from app.facade.shown import open_session
from domain.aggregation.flush_columns import FlushText, Texts, ended_of
from domain.aggregation.rule import Rule, split_row_key
from domain.aggregation.session import Row, Session

LEAST = 8  # of one kind; below that, one at a time is as fast


class SessionRecords:
    """Remembers how sessions of a kind are written."""

    def __init__(self, rule_of: Callable[[str, int], Rule]) -> None:
        self._rule_of = rule_of
        self._texts = Texts(rule_of)

    def of(self, rows: Sequence[tuple[bytes, Row]]) -> list[bytes | None]:
        """The record of each (row key, row); None where no session is open."""
        found: list[bytes | None] = [None] * len(rows)
        alone: list[int] = []
        alike: dict[int, tuple[FlushText, list[int], list[Session]]] = {}
        for at, (row_key, row) in enumerate(rows):
            session = row.open
            text = None
            if session is not None:
                text = self._texts.of(split_row_key(row_key)[0], session, "")
            if text is None or session is None:
                alone.append(at)
                continue
            _, places, sessions = alike.setdefault(id(text), (text, [], []))
            places.append(at)
            sessions.append(session)
        for text, places, sessions in alike.values():
            if len(places) < LEAST:
                alone += places
                continue
            keys = [split_row_key(rows[at][0])[2] for at in places]
            sequence = [rows[at][1].sequence + 1 for at in places]
            for at, record in zip(
                places, text.write(ended_of(keys, sessions, sequence)), strict=True
            ):
                found[at] = record
        for at in alone:
            found[at] = open_session(*rows[at], self._rule_of)
        return found
