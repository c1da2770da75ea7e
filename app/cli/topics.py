"""`sluice topics`: makes the product's topics and shows how they are."""

import argparse
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from app.cli import growing
from app.cli.command import Command, Context, Run, run_chosen
from app.cli.output import Cell
from config.topics import USAGE, Difference, Topic, Topics, differences
from connectors.streams.base import DirectoryLocked, Log, TopicDescription
from domain.errors import UsageError

DAY_MS = 86_400_000
PARTITIONS = "partitions"


class State(NamedTuple):
    """A topic with what is there: None when it is missing. `told`: whether its settings are known,
    which a server of an earlier release doesn't tell.
    """

    topic: Topic
    found: TopicDescription | None
    differences: Sequence[Difference]
    told: bool = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the sub-commands."""
    commands = parser.add_subparsers(metavar="ACTION", required=True)

    def action(name: str, help: str, run: Run) -> None:
        made: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help)
        made.set_defaults(chosen=run)
        made.add_argument("topics", metavar="TOPIC", nargs="*", help="else every topic")

    help = "more partitions for sessions and inputs, while records pour in"
    grow: argparse.ArgumentParser = commands.add_parser("grow", help=help, description=help)
    grow.set_defaults(chosen=growing.run)
    growing.add_arguments(grow)
    action("create", "make the topics that are missing", _create)
    action("describe", "show the topics; exit 1 when one is missing or harmful", _describe)


def chosen(context: Context, names: Sequence[str]) -> list[Topic]:
    """The product's topics of these names, or all. Raises UsageError for another name."""
    known = Topics(context.settings).all()
    prefix = context.settings.topic_prefix
    found = []
    for name in names:
        match = [t for t in known if name in (t.name, t.name.removeprefix(prefix))]
        if not match:
            listed = ", ".join(t.name for t in known)
            raise UsageError(f"{name!r} is no topic of the product; expected one of {listed}")
        found += match
    return found if names else list(known)


def _create(arguments: argparse.Namespace, context: Context) -> int:
    from app.cli.stream import on_stream
    from app.topic_specs import spec_of

    wanted = chosen(context, arguments.topics)

    async def make(log: Log) -> list[bool]:
        found = [await log.ensure_topic(spec_of(topic)) for topic in wanted]
        if not arguments.topics:
            wanted.extend(routes(context, await log.topics(), [USAGE]))
            found += [await log.ensure_topic(spec_of(topic)) for topic in wanted[len(found) :]]
        return found

    made = on_stream(context, make)
    if context.out.json:
        context.out.lines(
            {"topic": topic.name, "partitions": topic.partitions, "created": is_new}
            for topic, is_new in zip(wanted, made, strict=True)
        )
    else:
        rows = [
            [topic.name, "made" if is_new else "was there", topic.purpose]
            for topic, is_new in zip(wanted, made, strict=True)
        ]
        context.out.table(["topic", "", "holds"], rows)
    return 0


def _describe(arguments: argparse.Namespace, context: Context) -> int:
    inputs = [] if arguments.topics else [USAGE]
    states = look(context, chosen(context, arguments.topics), inputs)
    if context.out.json:
        context.out.lines(as_json(state) for state in states)
    else:
        columns = ["topic", "partitions", "policy", "retention", "largest", "timestamps", "state"]
        context.out.table(columns, [row(state) for state in states])
        for state in states:
            for one in state.differences:
                context.out.note(
                    f"{state.topic.name}: {one.setting} is {one.found}, "
                    f"expected {one.expected}: {one.why}"
                )
        if not all(state.told for state in states):
            context.out.note(
                "the stream is open in another process, and the server there tells of partitions "
                "only: stop it, or run its release of sluice, to see the settings"
            )
    harm = any(s.found is None or any(d.harm for d in s.differences) for s in states)
    return 1 if harm else 0


def look(context: Context, wanted: Sequence[Topic], inputs: Sequence[str]) -> list[State]:
    """How the topics are, and what belongs to `inputs`, which are public names.

    Asks the running server where it has the embedded stream open.
    """
    from app.cli.stream import on_stream

    async def describe(log: Log) -> list[State]:
        there = await log.topics()
        every = [*wanted, *(t for t in routes(context, there, inputs) if t.name in there)]
        return [
            state_of(t, await log.describe_topic(t.name) if t.name in there else None)
            for t in every
        ]

    try:
        return on_stream(context, describe)
    except DirectoryLocked:
        return told(context, wanted, inputs)


def told(context: Context, wanted: Sequence[Topic], inputs: Sequence[str]) -> list[State]:
    """As `look`, by what the server tells of its topics."""
    items = context.client.get("/api/topics", {"config": "true"})["items"]
    prefix = context.settings.topic_prefix
    there = {item["name"]: item for item in items}
    counts = {prefix + name: there[name]["partitions"] for name in inputs if name in there}
    states = []
    for topic in [*wanted, *(t for t in routes(context, counts, inputs) if t.name in there)]:
        item = there.get(topic.name.removeprefix(prefix) if topic.public else topic.name)
        if item is None:
            states.append(state_of(topic, None))
        elif item.get("config") is None:
            found = TopicDescription(topic.name, item["partitions"], {})
            known = [d for d in state_of(topic, found).differences if d.setting == PARTITIONS]
            states.append(State(topic, found, known, told=False))
        else:
            found = TopicDescription(topic.name, item["partitions"], item["config"])
            states.append(state_of(topic, found))
    return states


def routes(context: Context, there: Mapping[str, int], inputs: Sequence[str]) -> list[Topic]:
    """The topics that go with the inputs that are there."""
    topics = Topics(context.settings)
    physical = {name: context.settings.topic_prefix + name for name in inputs}
    return [topics.routes(n, there[at]) for n, at in physical.items() if at in there]


def state_of(topic: Topic, found: TopicDescription | None) -> State:
    """The topic compared with what is there."""
    if found is None:
        return State(topic, None, ())
    return State(topic, found, differences(topic, found.partitions, found.config))


def as_json(state: State) -> dict[str, object]:
    """For machines."""
    config = state.found.config if state.found else {}
    return {
        "topic": state.topic.name,
        "exists": state.found is not None,
        "partitions": state.found.partitions if state.found else None,
        "config": {name: config[name] for name in state.topic.config() if name in config},
        "differences": [difference._asdict() for difference in state.differences],
    }


def row(state: State) -> list[Cell]:
    """For people."""
    if state.found is None:
        return [state.topic.name, None, None, None, None, None, "missing"]
    config = state.found.config
    harm = any(difference.harm for difference in state.differences)
    return [
        state.topic.name,
        state.found.partitions,
        config.get("cleanup.policy"),
        age(config.get("retention.ms"), config.get("cleanup.policy", "")),
        size(config.get("max.message.bytes")),
        config.get("message.timestamp.type"),
        "wrong" if harm else "differs" if state.differences else "ok" if state.told else "not told",
    ]


def age(milliseconds: str | None, policy: str) -> Cell:
    """How long records are kept."""
    if milliseconds is None:
        return None
    if milliseconds == "-1" or "delete" not in policy:
        return "for ever"
    return f"{int(milliseconds) / DAY_MS:g} d"


def size(number: str | None) -> Cell:
    """A number of bytes."""
    return None if number is None else f"{int(number) / (1 << 20):.4g} MiB"


COMMAND = Command("topics", "make the product's topics, show them", add_arguments, run_chosen)
