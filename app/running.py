"""Runs a node as this process: event loop, log lines, what a person reads, how it ends."""

import asyncio
import os
import sys
from collections.abc import Sequence

import uvloop

from app import logs
from app.cli.output import Output
from app.node import Beside, Node
from config.settings import Settings
from domain.errors import Fenced

PORT = "_SLUICE_PORT"
"""Where a process that started itself afresh listened before."""


def run_node(
    settings: Settings,
    roles: Sequence[str],
    out: Output,
    remarks: Sequence[str] = (),
    *,
    beside: Beside | None = None,
    instance_id: str | None = None,
) -> int:
    """Runs until it is told to stop (0). A failure is raised; only a lost partition starts the
    process afresh, under the same id of the system."""
    logs.set_up(settings)
    node = Node(settings, roles, instance_id=instance_id, port=int(os.environ.get(PORT, "0")))

    def started(node: Node) -> None:
        for remark in (*remarks, *node.remarks()):
            out.note(f"note: {remark}")
        if out.json:
            out.document({"url": node.url})
        else:
            out.text(f"console on {node.url}")
        out.flush()

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(node.run(started, beside))
    except Fenced as fenced:
        out.note(f"note: {fenced}")
        out.flush()
        os.environ[PORT] = str(node.port)
        os.execv(sys.executable, sys.orig_argv)
    return 0
