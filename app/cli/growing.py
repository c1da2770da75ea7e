"""`sluice topics grow`: more partitions for sessions and inputs, while records pour in."""

import argparse
import time
from typing import Any

from app.cli.command import Context

LOOK_S = 0.5
PATH = "/api/topics/growths"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("number", type=int, metavar="PARTITIONS", help="the new number")
    parser.add_argument("--reason", required=True, help="why, for the record")
    parser.add_argument(
        "--input",
        action="append",
        dest="inputs",
        metavar="TOPIC",
        help="an input to get as many; else those that have as many as sessions have now",
    )
    parser.add_argument("--keep-inputs", action="store_true", help="leave all inputs as they are")
    parser.add_argument("--no-wait", action="store_true", help="don't wait until it is finished")
    parser.add_argument(
        "--timeout", type=float, default=600.0, metavar="S", help="wait at most; 600"
    )


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Asks for it and waits until it is finished; exit 1 when it isn't in time: it goes on."""
    body: dict[str, Any] = {"partitions": arguments.number, "reason": arguments.reason}
    if arguments.keep_inputs or arguments.inputs:
        body["inputs"] = [] if arguments.keep_inputs else arguments.inputs
    growth = context.client.post(PATH, body)
    deadline = time.monotonic() + (0.0 if arguments.no_wait else arguments.timeout)
    while growth["state"] != "finished" and time.monotonic() < deadline:
        time.sleep(LOOK_S)
        found = context.client.get(PATH)["items"]
        growth = next((g for g in found if g["after"] == arguments.number), growth)
    if context.out.json:
        context.out.document(growth)
    else:
        waits = f"; waits for {', '.join(growth['waits_for'][:3])}" if growth["waits_for"] else ""
        context.out.text(
            f"partitions {growth['before']} to {growth['after']}: {growth['state']}{waits}"
        )
    return 0 if arguments.no_wait or growth["state"] == "finished" else 1
