"""`sluice consume TOPIC`: the records of a topic as JSON Lines."""

import argparse
import re
from collections.abc import Iterator

import msgspec

from app.cli.command import Command, Context
from app.cli.http import Client, Response, not_json, segment
from domain.errors import UsageError

PAGE_RECORDS = 1_000  # the most that one answer holds
WAIT_S = 20.0  # of one request at the end of the topic; shorter than proxies' idle timeouts
RETRY_FOR_S = 30.0  # longer than another worker needs to take over


class Record(msgspec.Struct):
    """A record as the server gives it; JSON is passed on byte by byte."""

    partition: int
    offset: int
    timestamp: int
    key: msgspec.Raw
    value: msgspec.Raw
    headers: msgspec.Raw = msgspec.Raw(b"{}")


class Page(msgspec.Struct):
    """Some records, and the cursor to go on with."""

    records: list[Record]
    next: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("topic", metavar="TOPIC", help="what to read")
    parser.add_argument("--follow", action="store_true", help="go on as records come")
    parser.add_argument(
        "--from",
        dest="start",
        metavar="beginning|end|OFFSET",
        default="beginning",
        help="where to begin; an offset holds for every partition (default: beginning)",
    )
    parser.add_argument("--count", metavar="N", type=count, help="end after N records")
    parser.add_argument(
        "--envelope",
        action="store_true",
        help="with partition, offset, timestamp, key and headers, not the value alone",
    )


def count(text: str) -> int:
    """A number of records: a whole number from 1."""
    if not re.fullmatch(r"0*[1-9][0-9]{0,17}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Writes records until the end of the topic, `--count` or, following, Ctrl-C."""
    cursor, least = place(arguments.start)
    left: int | None = arguments.count
    path = f"/api/topics/{segment(arguments.topic)}/records"
    for records in pages(context.client, path, cursor, arguments.follow, left):
        for record in records:
            if record.offset < least:
                continue
            context.out.raw(
                msgspec.json.encode(record) if arguments.envelope else bytes(record.value)
            )
            if left is not None:
                left -= 1
                if left == 0:
                    return 0
        context.out.flush()
    return 0


def place(start: str) -> tuple[str, int]:
    """The cursor to begin at and the offset before which records are passed over."""
    if start in ("beginning", "end"):
        return start, 0
    if not re.fullmatch(r"[0-9]{1,18}", start):
        raise UsageError(f"--from {start!r} is no place; expected beginning, end or an offset")
    return "beginning", int(start)


def pages(
    client: Client, path: str, cursor: str, follow: bool, most: int | None
) -> Iterator[list[Record]]:
    """Pages of records, to the end of the topic, or on and on when following."""
    limit = PAGE_RECORDS if most is None else min(most, PAGE_RECORDS)
    while True:
        query = {"from": cursor, "limit": limit}
        if follow:
            query["wait"] = f"{WAIT_S:g}"
        response = client.request(
            "GET",
            path,
            query=query,
            timeout_s=WAIT_S + 30.0 if follow else None,
            retry_for_s=RETRY_FOR_S if follow else 0.0,
            wait_for_server=cursor not in ("beginning", "end"),
        )
        page = page_of(response)
        yield page.records
        if not follow and (not page.records or page.next == cursor):
            return
        cursor = page.next


def page_of(response: Response) -> Page:
    """The page in an answer. Raises Refused when it is none."""
    try:
        return msgspec.json.decode(response.body, type=Page)
    except msgspec.MsgspecError as error:
        raise not_json(response, error) from error


COMMAND = Command("consume", "read the records of a topic", add_arguments, run)
