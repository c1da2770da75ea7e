"""What the machine gives a worker: its clock, open files, memory, a port."""

import errno
import http.client
import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path

from app.cli.command import Context
from app.doctor.check import Check, State
from app.listening import PortTaken, bound, place
from config.settings import Settings
from domain.errors import SluiceError
from tables.store import OPEN_FILES

GIB = 1 << 30
PROCESS_BYTES = 90 << 20
ROW_BYTES = 2 << 10  # a decoded row of usual size, with what Python adds
BATCHES = 4  # in work at a time, per partition
FILES = 128  # sockets, logs, libraries: what a worker without state has open
FILES_LEAST = 64  # of a partition's state, a small one; a large one has OPEN_FILES
PORT_S = 5.0
# where a container's limit stands: of control groups version 2, and 1
LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def machine(context: Context) -> Iterator[Check]:
    """All of it."""
    settings = context.settings
    yield clock(context)
    yield open_files(settings)
    yield memory(settings)
    yield from port(settings)


def clock(context: Context) -> Check:
    """Which clock is on, and whether it can be read."""
    from domain.aggregation.instants import print_instant

    try:
        found = context.clock
    except SluiceError as error:
        todo = "`sluice clock set INSTANT` makes the file, with the same --clock"
        return Check("clock", "wrong", str(error), todo)
    now = print_instant(found.now_ms())
    if not context.settings.clock:
        return Check("clock", "ok", f"the system's, {now}")
    todo = "for trials only: unset SLUICE_CLOCK in production"
    return Check("clock", "warning", f"a trial clock is on, {now}", todo)


def open_files(settings: Settings) -> Check:
    """Whether a worker that owns all partitions may open the files of their state."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    least = FILES + FILES_LEAST * settings.partitions
    most = OPEN_FILES * settings.partitions
    if limit == resource.RLIM_INFINITY or limit >= most:
        return Check("open files", "ok", "no limit" if limit < 0 else f"up to {limit:,}")
    state: State = "wrong" if limit < least else "warning"
    detail = (
        f"a process may have {limit:,} open, and a worker with all {settings.partitions} "
        f"partitions needs {least:,} to {most:,}"
    )
    todo = f"raise it: `ulimit -n {max(most, least)}`, LimitNOFILE= of its unit"
    return Check("open files", state, detail, todo)


def memory(settings: Settings) -> Check:
    """Whether there is room for all partitions on one worker: that happens when the others are
    gone."""
    needed = needed_bytes(settings, settings.partitions)
    there = memory_bytes()
    detail = f"{there / GIB:.1f} GiB; all {settings.partitions} partitions on one worker take"
    detail += f" {needed / GIB:.1f}"
    if needed <= there:
        return Check("memory", "ok", detail)
    todo = (
        "more memory, or less of SLUICE_STATE_MEMORY_BYTES, SLUICE_CACHE_ROWS and "
        "SLUICE_BATCH_BYTES, which are per partition"
    )
    return Check("memory", "wrong", detail, todo)


def needed_bytes(settings: Settings, partitions: int) -> int:
    """What a worker with so many partitions takes, about."""
    state = settings.state_memory_bytes + settings.cache_rows * ROW_BYTES
    return PROCESS_BYTES + partitions * (state + BATCHES * settings.batch_bytes)


def memory_bytes() -> int:
    """What this process may take: of the machine, or of its container."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for limit in LIMITS:
        try:
            found.append(int(limit.read_text()))
        except (OSError, ValueError):
            continue  # no such limit here, or "max"
    return min(found)


def port(settings: Settings) -> Iterator[Check]:
    """Whether the console's port is free, or a console has it."""
    if not settings.web_port:
        return
    host = place(settings).host
    where = f"{host} port {settings.web_port}"
    try:
        bound(host, settings.web_port).close()
    except PortTaken as error:
        if error.number != errno.EADDRINUSE:
            todo = "set SLUICE_WEB_HOST to an address of this machine, and a port it may take"
            yield Check("port", "wrong", str(error).splitlines()[0], todo)
        elif _is_console(host, settings.web_port):
            yield Check("port", "ok", f"a console listens on {where}")
        else:
            todo = "end that program, or set SLUICE_WEB_PORT to another port"
            yield Check("port", "wrong", f"another program listens on {where}", todo)
        return
    yield Check("port", "ok", f"{where} is free")


def _is_console(host: str, number: int) -> bool:
    asked = "127.0.0.1" if host == "0.0.0.0" else "::1" if host == "::" else host
    connection = http.client.HTTPConnection(asked, number, timeout=PORT_S)
    try:
        connection.request("GET", "/health/live")
        found = json.loads(connection.getresponse().read(1000))
        return isinstance(found, dict) and found.get("live") is True
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        connection.close()
