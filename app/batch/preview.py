"""What a preview shows: sessions as they would be flushed, `flushType` empty."""

from collections.abc import Iterator, Sequence

from app.batch.ledger import Ledger
from domain.aggregation.flush import enveloped, flushed_record, to_json
from domain.aggregation.operations import exact_json
from domain.aggregation.rule import split_row_key
from domain.aggregation.session import Row
from tables.changes import Output
from tables.codec import decode_row
from tables.layout import ROW, ROW_END
from tables.store import KeyedStore


def previewed(output: Output) -> Output:
    """An output as a preview shows it: nothing was flushed."""
    topic, key, value = output
    record = exact_json(value)
    inner = record["data"] if "specversion" in record else record
    if "meta" not in inner:  # a dead letter
        return output
    inner["meta"]["flushType"] = ""
    return topic, key, to_json(record)


def sessions(store: KeyedStore, ledger: Ledger, names: Sequence[str]) -> Iterator[Output]:
    """Every open session: of the aggregators `names` in that order, then of others."""
    for name in names:
        start = ROW + name.encode()
        for key, data in store.scan(start + b"\0", start + b"\1"):
            yield from _session(ledger, name, key[1:], decode_row(data))
    for key, data in store.scan(ROW, ROW_END):
        name = split_row_key(key[1:])[0]
        if name not in names:
            yield from _session(ledger, name, key[1:], decode_row(data))


def _session(ledger: Ledger, name: str, row_key: bytes, row: Row) -> Iterator[Output]:
    session = row.open
    if session is None:
        return
    rule = ledger.rule(name, session.version)
    key = row_key[len(rule.prefix) :]
    record = flushed_record(
        rule, ledger.rule(name, abs(session.due_version)), key, session,
        sequence=row.sequence + 1, flush_type="",
        late=bool(rule.document.group.periods) and row.sequence > 0,
        source_name=ledger.source_name,
    )  # fmt: skip
    yield rule.document.output.topic, key, enveloped(rule, record, key)
