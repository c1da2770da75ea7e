"""Runs a node as this process: event loop, log lines, what a person reads, how it ends.

A worker that lost a partition, or its stream, starts afresh: the process runs its own command line
again, under its process id and on its port, and so finds out what is its business now. A stream
that can't be reached at the very first start ends it instead: that is for a person to repair.
"""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence

import uvloop

from app import last_stop, logs
from app.cli.output import Output
from app.node import Beside, Node
from config.clock import system_ms
from config.settings import Settings
from connectors.streams.base import StreamUnavailable
from domain.aggregation.instants import print_instant
from domain.errors import Fatal, Fenced

PORT = "_SLUICE_PORT"
"""Where a process that started itself afresh listened before."""
AGAIN = "_SLUICE_AGAIN"
"""How many times in a row it has started itself afresh."""
YOUNG_S = 60.0  # one that lived for so long was well: the row begins anew
LONGEST_WAIT_S = 10.0  # a stream that is back is used again within that


def run_node(
    settings: Settings,
    roles: Sequence[str],
    out: Output,
    remarks: Sequence[str] = (),
    *,
    beside: Beside | None = None,
    instance_id: str | None = None,
) -> int:
    """Runs until it is told to stop (0). Other failures than those above are raised."""
    logs.set_up(settings)
    port, again = int(os.environ.get(PORT, "0")), int(os.environ.get(AGAIN, "0"))
    node = Node(settings, roles, instance_id=instance_id, port=port)
    note = last_stop.read(settings.data_dir)
    began_s = time.monotonic()

    def started(node: Node) -> None:
        last_stop.clear(settings.data_dir)
        if note is not None:
            out.note(f"note: it stopped at {note.at}: {note.problem}")
        for remark in (*remarks, *node.remarks()):
            out.note(f"note: {remark}")
        if out.json:
            out.document({"url": node.url})
        else:
            out.text(f"console on {node.url}")
        out.flush()

    try:
        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        try:
            runner.run(node.run(started, beside))
        finally:
            if not node.overdue:
                runner.close()
    except (Fatal, StreamUnavailable) as error:
        if not isinstance(error, Fenced | StreamUnavailable):
            last_stop.write(settings.data_dir, error, print_instant(system_ms()))
            raise
        if isinstance(error, StreamUnavailable) and not node.url and not again:
            raise
        again = 0 if time.monotonic() - began_s > YOUNG_S else again
        wait_s = min(2.0**again - 1, LONGEST_WAIT_S)
        out.note(f"note: {error}")
        out.note(f"note: this worker starts afresh{f' in {wait_s:g} s' if wait_s else ''}")
        out.flush()
        if waited(wait_s):
            os.environ[PORT], os.environ[AGAIN] = str(node.port), str(again + 1)
            os.execv(sys.executable, sys.orig_argv)
    if node.overdue:
        out.flush()
        os._exit(1)  # what is left behind would hold up an orderly end; what is durable is durable
    return 0


def waited(seconds: float) -> bool:
    """Whether the time passed without a signal to end."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: ended.set())
    return not ended.wait(seconds)
