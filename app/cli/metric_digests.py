"""`sluice metrics digest`."""

import argparse
import time
from typing import Any
from uuid import uuid4

from app.cli.command import Action, Context
from app.cli.http import segment
from app.cli.metric_sources import RETRY_S
from app.cli.output import json_bytes
from domain.errors import SluiceError

WAIT_S = 30.0  # for the mail server to take what was asked for
LOOK_S = 0.3


class NotTaken(SluiceError):
    """The mail server has not taken all mails yet (exit 1)."""

    def __init__(self, name: str, waiting: list[dict[str, Any]]) -> None:
        self.waiting = waiting
        told = "; ".join(f"{one['to']}: {one['detail'] or 'not tried yet'}" for one in waiting)
        super().__init__(
            f"digest {name} waits for the mail server: {told}. It is tried again until it is taken"
        )


def add_actions(action: Action) -> None:
    """Declares it."""
    sent = action("digest", "send a digest now, and wait until the mail server has it", _digest)
    sent.add_argument("name", metavar="NAME")
    sent.add_argument(
        "--date", metavar="DATE", help="of the day or week with this date (the last that is over)"
    )
    sent.add_argument(
        "--idempotency-key", metavar="KEY", help="the same key within 24 h sends once"
    )


def _digest(arguments: argparse.Namespace, context: Context) -> int:
    body = {} if arguments.date is None else {"date": arguments.date}
    sent = context.client.request(
        "POST",
        f"/api/metrics/digests/{segment(arguments.name)}/send",
        body=json_bytes(body),
        headers={"Idempotency-Key": arguments.idempotency_key or uuid4().hex},
        retry_for_s=RETRY_S,
        wait_for_server=False,
    ).json()
    deadline = time.monotonic() + WAIT_S
    while left := _waiting(context, sent):
        if time.monotonic() >= deadline:
            raise NotTaken(arguments.name, left)
        time.sleep(LOOK_S)
    if context.out.json:
        context.out.document(sent)
    else:
        days = (
            sent["first"] if sent["first"] == sent["last"] else f"{sent['first']} to {sent['last']}"
        )
        context.out.text(f"sent the digest of {days} to {', '.join(sent['to'])}")
    return 0


def _waiting(context: Context, sent: dict[str, Any]) -> list[dict[str, Any]]:
    """The mails of that id that were not taken yet."""
    found = context.client.get("/api/metrics/digests")["items"]
    ours: dict[str, Any] = next(
        (one for one in found if one["name"] == sent["name"]), {"waiting": []}
    )
    return [one for one in ours["waiting"] if one["id"] == sent["id"]]
