"""`sluice produce TOPIC [FILE]`: JSON Lines or CSV from a file or standard input onto a topic."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO
from uuid import uuid4

from app.cli.command import Command, Context
from app.cli.csv_lines import Refuse, csv_batches
from app.cli.http import Client, Refused, ServerUnreachable, segment
from app.cli.lines import Line, batches
from app.cli.output import Output
from connectors.formats.files import identify
from domain.errors import Reject

BATCH_RECORDS = 5_000
BATCH_BYTES = 1 << 20
RETRY_FOR_S = 30.0  # longer than another worker needs to take over
CSV = (".csv", ".csv.gz")  # endings of names
LISTED = 10_000  # rejected records that --json lists; all of them are counted


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("topic", metavar="TOPIC", help="where the records go")
    parser.add_argument("file", metavar="FILE", nargs="?", default="-", help="else standard input")
    parser.add_argument(
        "--key",
        metavar="PATH",
        action="append",
        default=[],
        help="path of the value that becomes the key; several make a JSON array",
    )
    parser.add_argument(
        "--input-format",
        choices=["jsonl", "csv"],
        help="what FILE holds, whatever its name; else .csv is CSV with a header",
    )


@dataclass
class Tally:
    """What became of the records so far. `last_line` is the last line with an answer."""

    accepted: int = 0
    refused: int = 0
    last_line: int = 0
    rejected: list[dict[str, object]] = field(default_factory=list)


class Producer:
    """Sends batches, each under an Idempotency-Key of its own, so that a repeat adds nothing."""

    def __init__(
        self, client: Client, out: Output, topic: str, keys: Sequence[str], source: str
    ) -> None:
        self._client = client
        self._out = out
        self._path = f"/api/topics/{segment(topic)}/records"
        self._keys = list(keys)
        self._source = source
        self.tally = Tally()

    def send(self, batch: Sequence[Line]) -> None:
        """Sends a batch and counts the answer. Raises Refused, ServerUnreachable.

        A server that was there once is waited for; one that never answered is not.
        """
        try:
            response = self._client.request(
                "POST",
                self._path,
                query={"key": self._keys},
                body=b"\n".join(line.text for line in batch),
                headers={
                    "Content-Type": "application/x-ndjson",
                    "Idempotency-Key": uuid4().hex,
                },
                retry_for_s=RETRY_FOR_S,
                wait_for_server=self.tally.last_line > 0,
            )
        except Refused as refused:
            if refused.status != 413:
                raise
            self._smaller(batch, refused)
            return
        answer = response.json()
        for item in answer["rejected"]:
            self._reject(batch[item["index"]], item["reason"], item["detail"])
        self.tally.accepted += answer["accepted"]
        self.tally.last_line = batch[-1].number

    def refuse(self, line: Line, reject: Reject) -> None:
        """Counts a record that can't be sent."""
        self._reject(line, reject.reason, reject.detail)

    def _smaller(self, batch: Sequence[Line], refused: Refused) -> None:
        """What is too much at once goes in halves; a record that is too large is rejected."""
        if len(batch) == 1:
            self._reject(batch[0], "too_large", refused.detail)
            self.tally.last_line = batch[0].number
            return
        middle = len(batch) // 2
        self.send(batch[:middle])
        self.send(batch[middle:])

    def _reject(self, line: Line, reason: str, detail: str) -> None:
        where = f"{self._source}:{line.number}"
        self._out.note(f"{where}: {reason}: {detail}")
        self.tally.refused += 1
        if len(self.tally.rejected) < LISTED:
            found = {"where": where, "line": line.number, "reason": reason, "detail": detail}
            self.tally.rejected.append(found)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Exit 1 when a record was rejected."""
    name = arguments.file
    by_name = "csv" if name.lower().endswith(CSV) else "jsonl"
    if (arguments.input_format or by_name) == "csv":
        with TemporaryDirectory() as scratch:  # for what can be read only once
            source = identify(name, "csv", context.stdin, Path(scratch))
            rows = partial(csv_batches, source, BATCH_RECORDS, BATCH_BYTES)
            return _produce(arguments, context, rows, name)
    if name == "-":
        return _produce(arguments, context, _lines(context.stdin), "stdin")
    with Path(name).open("rb") as file:
        return _produce(arguments, context, _lines(file), name)


def _lines(stream: BinaryIO) -> Callable[[Refuse], Iterable[list[Line]]]:
    return lambda _: batches(stream, BATCH_RECORDS, BATCH_BYTES)


def _produce(
    arguments: argparse.Namespace,
    context: Context,
    records: Callable[[Refuse], Iterable[list[Line]]],
    source: str,
) -> int:
    out = context.out
    producer = Producer(context.client, out, arguments.topic, arguments.key, source)
    tally = producer.tally
    try:
        for batch in records(producer.refuse):
            producer.send(batch)
    except (Refused, ServerUnreachable):
        if tally.last_line:
            out.note(
                f"{tally.accepted:,} records were accepted, up to {source}:{tally.last_line}; "
                "whether the next batch arrived is not known"
            )
        raise
    if out.json:
        out.document(
            {"accepted": tally.accepted, "refused": tally.refused, "rejected": tally.rejected}
        )
    else:
        out.text(f"{tally.accepted:,} accepted, {tally.refused:,} rejected")
    return 1 if tally.refused else 0


COMMAND = Command("produce", "put JSON Lines or CSV on a topic", add_arguments, run)
