"""The stream: whether it answers and lets us work, its topics, and what the workers' beats tell."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from app.cli.command import Context
from app.cli.stream import on_stream
from app.cli.topics import State as TopicState
from app.cli.topics import look
from app.cluster.beat import Beat, decode
from app.doctor import folder
from app.doctor.check import SKEW_S, Check, one_line
from config.clock import system_ms
from config.names import Names
from config.settings import Settings
from config.topics import USAGE, Topic, Topics
from connectors.streams.base import Item, Log, StreamUnavailable
from domain.aggregation.instants import print_instant
from domain.errors import SluiceError, Unreachable

if TYPE_CHECKING:  # a Kafka client is not loaded for the embedded stream
    from app.facade.erasing import Erasing
    from connectors.streams.kafka.rights import Lack

LIVE_MS = 3_000  # a worker beats every two seconds
TAIL = 500  # beats: ten seconds of a hundred workers
SHOWN = 8  # topics named in a sentence


@dataclass
class Told:
    """What the stream knows besides topics."""

    users: bool
    beats: list[Item]
    erasings: list["Erasing"] = field(default_factory=list)


def stream(context: Context, inputs: Sequence[str], *, running: bool) -> Iterator[Check]:
    """Whether the stream answers and its topics are as they should be. `running`: a console
    answers; `inputs`: of the aggregators in force there."""
    settings = context.settings
    wanted = _wanted(settings, inputs)
    embedded = not settings.brokers
    if embedded:
        if not (settings.data_dir / "log" / "log.sqlite").exists():
            yield Check("stream", "ok", "embedded, made at the first start")
            return
        wrong = list(folder.embedded_log(settings, running=running))
        if wrong:
            yield from wrong
            return
    try:
        lacks = [] if embedded else asyncio.run(_lacks(settings, [one.name for one in wanted]))
        hidden = {lack.name for lack in lacks if lack.kind == "Topic"}
        seen = [topic for topic in wanted if topic.name not in hidden]
        states = look(context, seen, [] if lacks else [*inputs, USAGE])
    except Unreachable as error:
        todo = error.remedy or "set SLUICE_STREAM to brokers that run, or start them"
        yield Check("stream", "wrong", f"{error.where}: {error.detail}", todo)
        return
    except StreamUnavailable as error:
        todo = error.remedy or "set SLUICE_STREAM to brokers that run, or start them"
        yield Check("stream", "wrong", f"stream {error.where}: {error.detail}", todo)
        return
    except SluiceError as error:
        yield Check("stream", "wrong", one_line(error), "check SLUICE_STREAM and its log")
        return
    yield Check("stream", "ok", f"{settings.stream} answers")
    yield from _rights(lacks, settings)
    yield from _topics(states)


def _wanted(settings: Settings, inputs: Sequence[str]) -> list[Topic]:
    kinds = Topics(settings)
    topics = {topic.name: topic for topic in kinds.all()}
    for name in inputs:
        topic = kinds.usage_topic(name)
        topics.setdefault(topic.name, topic)
    return list(topics.values())


async def _lacks(settings: Settings, topics: Sequence[str]) -> list["Lack"]:
    from connectors.streams.kafka.connection import client_options
    from connectors.streams.kafka.rights import lacking

    group = Names(settings.app_id, settings.topic_prefix).group
    return await lacking(settings.stream, client_options(settings, "doctor"), topics, group)


def _rights(lacks: Sequence["Lack"], settings: Settings) -> Iterator[Check]:
    user = settings.kafka_sasl_username or "this user"
    together: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for lack in lacks:
        together.setdefault((lack.kind, lack.operations), []).append(lack.name)
    for (kind, operations), names in together.items():
        may = ", ".join(operations)
        detail = f"{user} may not {may} on {kind.lower()} {shortened(names)}"
        todo = f"kafka-acls.sh --add --allow-principal User:… --operation … ({may}) on them"
        yield Check("rights", "wrong", detail, todo)


def _topics(states: Sequence[TopicState]) -> Iterator[Check]:
    missing = [state.topic for state in states if state.found is None]
    if missing:
        names = shortened([topic.name for topic in missing])
        fresh = len(missing) == len(states)
        detail = f"{names}: not made yet" if fresh else f"missing: {names}"
        todo = "`sluice topics create` makes them, and so does the start of a worker"
        if any(topic.compact and not topic.public for topic in missing) and not fresh:
            todo += ". If somebody deleted one with state, restore a backup first"
        yield Check("topics", "warning" if fresh else "wrong", detail, todo)
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


def _repair(setting: str) -> str:
    if setting == "partitions":
        return "set SLUICE_PARTITIONS to what is there, for every worker"
    return f"alter {setting} of the topic on the broker (kafka-configs.sh --alter)"


def shortened(names: Sequence[str]) -> str:
    """Some names, and how many there are besides."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def told(context: Context, *, running: bool) -> Told | None:
    """Whether a user is set up, the beats of the workers, and unless a console runs, which tells of
    them, erasures that are not over; None where that can't be read."""
    settings = context.settings
    if not settings.brokers and not (settings.data_dir / "log" / "log.sqlite").exists():
        return Told(False, [])
    names = Names(settings.app_id, settings.topic_prefix)

    async def read(log: Log) -> Told:
        there = await log.topics()
        users: dict[bytes, bool] = {}
        if names.people in there:
            for item in await _all(log, names.people):
                users[item[2] or b""] = item[3] is not None
        beats: list[Item] = []
        if names.workers in there:
            tp = (names.workers, 0)
            end = (await log.end_offsets([tp]))[tp]
            beats = await _all(log, names.workers, at=max(0, end - TAIL))
        any_users = any(there for key, there in users.items() if key.startswith(b"user/"))
        return Told(any_users, beats, await _erasings(log, names.requests, there, running))

    try:
        return on_stream(context, read)
    except SluiceError:
        return None  # `stream` says why, or a worker has the embedded one and is asked over HTTP


async def _erasings(
    log: Log, topic: str, there: Mapping[str, int], running: bool
) -> list["Erasing"]:
    from app.facade.erasing import PREFIX
    from app.facade.erasing import decode as erasing

    found: dict[bytes, Erasing] = {}
    for partition in range(0 if running else there.get(topic, 0)):
        for _, _, key, value, _ in await _all(log, topic, partition):
            if key is not None and key.startswith(PREFIX):
                found.pop(key, None)
                if value is not None:
                    found[key] = erasing(value)
    return list(found.values())


def erasures(erasings: Sequence["Erasing"]) -> Iterator[Check]:
    """Accounts that are not erased yet, though nobody is at it; no values are told."""
    for each in erasings:
        fields = ", ".join(sorted(each.asked["group"]))
        detail = (
            f"an account of {each.aggregator} is not erased yet: command {each.id} (by {fields}) "
            f"was begun at {print_instant(each.at)}, and no console answers that would go on"
        )
        todo = "start a worker with the role console, and those of role aggregate"
        yield Check("erasure-unfinished", "wrong", detail, todo)


async def _all(log: Log, topic: str, partition: int = 0, at: int = 0) -> list[Item]:
    tp = (topic, partition)
    end = (await log.end_offsets([tp]))[tp]
    at, found = max(at, (await log.begin_offsets([tp]))[tp]), list[Item]()
    while at < end:
        piece = await log.read(topic, partition, at)
        found += piece.items
        if piece.next_offset <= at:
            break
        at = piece.next_offset
    return found


def workers(beats: Sequence[Item], *, trial: bool) -> Iterator[Check]:
    """What the live workers' beats tell: clocks that are off the broker's, and two that are taken
    for one. Under a trial clock the broker's is not in the records."""
    latest: dict[str, tuple[int, Beat]] = {}
    for _, at_ms, key, value, _ in beats:
        name = (key or b"").decode("utf-8", "replace")
        if value is None:
            latest.pop(name, None)
            continue
        try:
            latest[name] = at_ms, decode(value)
        except msgspec.DecodeError:
            continue  # of another version; that worker says so in its log
    newest_ms = max((at_ms for at_ms, _ in latest.values()), default=0)
    live = [pair for pair in latest.values() if newest_ms - pair[0] <= LIVE_MS]
    if not trial:
        yield from _clocks(live, newest_ms)
    yield from _twins([beat for _, beat in live])


def _clocks(live: Sequence[tuple[int, Beat]], newest_ms: int) -> Iterator[Check]:
    todo = "run NTP on the workers' and the brokers' machines"
    for at_ms, beat in live:
        # the broker's clock when the beat came, and the worker's when it was sent
        seconds = abs(at_ms - beat.real_ms) / 1000
        if seconds > SKEW_S:
            way = "behind" if beat.real_ms < at_ms else "ahead of"
            detail = f"the clock of worker {beat.id} is {seconds:,.0f} s {way} the broker's"
            yield Check("time", "wrong", detail, todo)
    seconds = (newest_ms - system_ms()) / 1000
    if seconds > SKEW_S:
        yield Check("time", "wrong", f"this machine is {seconds:,.0f} s behind the broker", todo)


def _twins(live: Sequence[Beat]) -> Iterator[Check]:
    for name, ids in _shared([(beat.member, beat.id) for beat in live]):
        detail = (
            f"workers {' and '.join(ids)} are both member {name} of the group: they take the "
            "partitions from each other again and again"
        )
        todo = "give each a SLUICE_INSTANCE and a data directory of its own, never a copy"
        yield Check("identity", "wrong", detail, todo)
    for name, ids in _shared([(beat.url, beat.id) for beat in live]):
        detail = f"workers {' and '.join(ids)} both say that they answer at {name}"
        todo = "give each a SLUICE_WEB_HOST that only it has, or a host name of its own"
        yield Check("identity", "wrong", detail, todo)


def _shared(pairs: Sequence[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    """Names that more than one has, with those who have them."""
    by: dict[str, list[str]] = {}
    for name, id in pairs:
        by.setdefault(name, []).append(id)
    yield from ((name, ids) for name, ids in by.items() if name and len(ids) > 1)
