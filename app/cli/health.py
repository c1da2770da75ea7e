"""The checks of `sluice doctor`. Each looks at one thing, changes nothing, and says what to do."""

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from app.cli.command import Context
from app.cli.http import Client, Refused, Response, ServerUnreachable
from app.cli.topics import look
from config.readers import masked
from config.topics import USAGE, Topic, Topics
from domain.errors import SluiceError, Unreachable

GIB = 1 << 30
DISK_LOW = GIB  # RocksDB compacts, and needs room for a second copy of what it compacts
DISK_OUT = GIB // 10
SKEW_S = 5.0  # a difference that shows in timeouts of a minute
ASK_S = 5.0


class Store(Protocol):
    """What the stores have in common."""

    async def check(self) -> None:
        """Whether it answers."""

    async def close(self) -> None:
        """Ends its connections."""


class Check(NamedTuple):
    """What was found. `todo` is empty when nothing needs to be done."""

    name: str
    state: Literal["ok", "warning", "wrong"]
    detail: str
    todo: str = ""


def checks(context: Context) -> list[Check]:
    """All checks, in the order in which one would repair."""
    found = [*settings(context), clock(context), *disk(context.settings.data_dir)]
    found += [documents_store(context), negatives_store(context)]
    server, inputs = serving(context)
    return [*found, *stream(context, inputs, running=server[0].state == "ok"), *server]


def settings(context: Context) -> Iterator[Check]:
    """Remarks on the settings, such as variables that look mistyped."""
    if not context.resolved.warnings:
        yield Check("settings", "ok", "understood")
    for warning in context.resolved.warnings:
        yield Check("settings", "warning", warning, "correct the name, or unset it")


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


def disk(folder: Path) -> Iterator[Check]:
    """Whether the data directory can be written and has room."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        detail = f"{there} is not a folder that can be written"
        yield Check("data directory", "wrong", detail, "set SLUICE_DATA_DIR, or its permissions")
        return
    made = "" if there == folder.absolute() else " (made at the first start)"
    yield Check("data directory", "ok", f"{folder.absolute()}{made}")
    free = shutil.disk_usage(there).free
    state: Literal["ok", "warning", "wrong"] = (
        "wrong" if free < DISK_OUT else "warning" if free < DISK_LOW else "ok"
    )
    todo = "" if state == "ok" else "make room, or set SLUICE_DATA_DIR to a larger disk"
    yield Check("disk", state, f"{free / GIB:.1f} GiB free", todo)


def documents_store(context: Context) -> Check:
    """Whether the store of FDDs and campaigns answers."""
    from connectors.stores.opening import open_documents

    address = context.settings.documents
    return _store(
        "documents store", "SLUICE_DOCUMENTS", address, lambda: open_documents(address, Path())
    )


def negatives_store(context: Context) -> Check:
    """Whether the store of negative numbers answers."""
    from connectors.stores.opening import open_negatives

    address = context.settings.negatives
    return _store(
        "negatives store", "SLUICE_NEGATIVES", address, lambda: open_negatives(address, Path())
    )


def _store(name: str, variable: str, address: str, opened: Callable[[], Store]) -> Check:
    if not address:
        return Check(name, "ok", "SQLite in the data directory")

    async def ask() -> None:
        store = opened()
        try:
            await store.check()
        finally:
            await store.close()

    try:
        asyncio.run(ask())
    except SluiceError as error:
        todo = f"set {variable} to a server that runs and lets us in, or start it"
        return Check(name, "wrong", _one_line(error), todo)
    return Check(name, "ok", f"{masked(address)} answers")


def serving(context: Context) -> tuple[list[Check], list[str]]:
    """Whether the server answers, is ready and has our time; the inputs of its aggregators."""
    settings, origins = context.settings, context.resolved.origins
    client = Client(settings.server, settings.token, timeout_s=ASK_S)
    try:
        response = client.request("GET", "/health/live")
    except ServerUnreachable as error:
        named = origins["server"] != "default"
        todo = "start one with `sluice up`, or name another with SLUICE_SERVER"
        detail = f"{settings.server}: {error.detail}"
        return [Check("server", "wrong" if named else "warning", detail, todo)], []
    except Refused as error:
        todo = "check SLUICE_SERVER: it should name a sluice console"
        return [Check("server", "wrong", f"{settings.server}: {error}", todo)], []
    found = [Check("server", "ok", f"{settings.server} answers"), *skew(response)]
    try:
        client.request("GET", "/health/ready")
    except Refused as error:
        found.append(
            Check("readiness", "warning", _one_line(error), "wait until it has recovered its state")
        )
    try:
        items = client.items("/api/documents", {"kind": "aggregator", "limit": 1000})
    except (Refused, ServerUnreachable) as error:
        found.append(Check("documents", "wrong", _one_line(error), "see the server's log"))
        return found, []
    return found, sorted({_input_of(item) for item in items})


def _input_of(item: dict[str, Any]) -> str:
    return str(item["document"].get("input", "usage"))


def _one_line(error: SluiceError) -> str:
    return "; ".join(str(error).splitlines())


def skew(response: Response) -> Iterator[Check]:
    """Both machines' clocks, by the answer's Date."""
    try:
        theirs_s = parsedate_to_datetime(response.headers["Date"]).timestamp()
    except (KeyError, ValueError):
        return
    # Date is cut to whole seconds: its middle is nearest to the truth.
    skew_s = time.time() - (theirs_s + 0.5)
    if abs(skew_s) > SKEW_S:
        detail = f"this machine and the server are {abs(skew_s):.0f} s apart"
        yield Check("time", "warning", detail, "run NTP on both")


def stream(context: Context, inputs: Sequence[str], *, running: bool) -> Iterator[Check]:
    """Whether the stream answers and its topics are as they should be."""
    settings = context.settings
    kinds = Topics(settings)
    topics = {topic.name: topic for topic in kinds.all()}
    for name in inputs:
        topic = kinds.usage_topic(name)
        topics.setdefault(topic.name, topic)
    embedded = settings.stream.startswith("embedded:")
    if embedded and not (settings.data_dir / "log" / "log.sqlite").exists():
        yield Check("stream", "ok", "embedded, made at the first start")
        return
    try:
        states = look(context, list(topics.values()), [*inputs, USAGE])
    except Unreachable as error:
        if embedded and not running:
            detail = f"{settings.data_dir} is in use by a process that does not serve here"
            yield Check("stream", "warning", detail, "name its console with SLUICE_SERVER")
            return
        todo = "set SLUICE_STREAM to brokers that run, or start them"
        yield Check("stream", "wrong", str(error), todo)
        return
    except SluiceError as error:
        yield Check("stream", "wrong", _one_line(error), "check SLUICE_STREAM and its log")
        return
    yield Check("stream", "ok", f"{settings.stream} answers")
    missing = [state.topic for state in states if state.found is None]
    if missing:
        yield _missing(missing)
    differing = 0
    for state in states:
        for one in state.differences:
            differing += 1
            detail = (
                f"{state.topic.name}: {one.setting} is {one.found}, expected {one.expected}; "
                f"{one.why}"
            )
            yield Check("topics", "wrong" if one.harm else "warning", detail, _repair(one.setting))
    if not missing and not differing:
        yield Check("topics", "ok", f"all {len(states)} are there and as they should be")


def _missing(topics: list[Topic]) -> Check:
    names = ", ".join(topic.name for topic in topics)
    return Check("topics", "warning", f"missing: {names}", "`sluice topics create` makes them")


def _repair(setting: str) -> str:
    if setting == "partitions":
        return "set SLUICE_PARTITIONS to what is there, for every worker"
    return f"alter {setting} of the topic on the broker (kafka-configs.sh --alter)"
