"""What must have come of the records on the input topic, worked out anew in plain Python."""

import base64
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cmp_to_key
from typing import Any

from connectors.streams.base import Item

Group = tuple[str, str]
"""(aggregator, its group values and period labels as JSON)"""


def loads(data: bytes) -> Any:
    """JSON with exact numbers."""
    return json.loads(data, parse_float=Decimal)


@dataclass
class Expected:
    """Per group: offsets that count by partition, sums by field, the largest value; per aggregator
    what came in and what was there before; letters as (partition, offset, aggregator, reason).
    """

    offsets: dict[Group, dict[int, list[int]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    sums: dict[Group, dict[str, Fraction]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(Fraction))
    )
    largest: dict[Group, dict[str, Fraction]] = field(default_factory=lambda: defaultdict(dict))
    accepted: Counter[str] = field(default_factory=Counter)
    duplicates: Counter[str] = field(default_factory=Counter)
    letters: set[tuple[int, int, str | None, str]] = field(default_factory=set)


def expected(documents: list[dict[str, Any]], log: dict[int, list[Item]]) -> Expected:
    """What the documents must make of the input topic, by partition.

    Which of several records with one event id counts is open when they are on several partitions:
    such ids must have equal values, or be on one.
    """
    out = Expected()
    seen: set[tuple[Group, str]] = set()
    for partition, items in log.items():
        for offset, _, _, value, _ in items:
            try:
                record = loads(value or b"")
            except ValueError:
                out.letters.add((partition, offset, None, "undecodable"))
                continue
            for document in documents:
                _count(out, document, record, partition, offset, seen)
    return out


def _count(
    out: Expected,
    document: dict[str, Any],
    record: Any,
    partition: int,
    offset: int,
    seen: set[Any],
) -> None:
    name, condition = document["name"], document.get("filter")
    if condition is not None and record.get(condition["field"]) != condition["value"]:
        return
    values = [_at(record, path) for path in document["group"]["fields"]]
    if None in values:
        out.letters.add((partition, offset, name, "missing_group_field"))
        return
    labels = [record[each["field"]][:13] + "Z" for each in document["group"].get("periods", [])]
    numbers = {
        each["field"]: _at(record, each["field"])
        for each in document["aggregate"]
        if each["field"] != "*"
    }
    if any(isinstance(number, str) for number in numbers.values()):
        out.letters.add((partition, offset, name, "not_a_number"))
        return
    group = name, json.dumps([*values, *labels])
    if "event_id" in document:
        if (group, record["id"]) in seen:
            out.duplicates[name] += 1
            return
        seen.add((group, record["id"]))
    out.accepted[name] += 1
    out.offsets[group][partition].append(offset)
    for path, number in numbers.items():
        if number is not None:
            out.sums[group][path] += Fraction(number)
            most = out.largest[group].get(path)
            out.largest[group][path] = max(Fraction(number), most or Fraction(number))


def _at(record: Any, path: str) -> Any:
    for part in path.split("."):
        record = record.get(part)
        if record is None:
            return None
    return record


def group_of(flush: dict[str, Any]) -> Group:
    """The group of a flushed record."""
    labels = [each["label"] for each in flush["periods"].values()] if "periods" in flush else []
    return flush["aggregator"], json.dumps([*flush["group"].values(), *labels])


def check_flushes(
    wanted: Expected,
    flushed: list[Item],
    deleted: Sequence[Item] = (),
    answers: Sequence[Item] = (),
) -> int:
    """Asserts that each record is in exactly one of the flushes, or of the sessions that operators
    deleted; returns how many there are. `answers`: what operators were told of their commands.
    """
    # A command may end a session before records that are in it. Until that instant has passed on
    # every input partition more of them join it, and with those it may meet its condition.
    told = [loads(value or b"") for _, _, _, value, _ in answers]
    moved = {(each["aggregator"], _instant(each["due"])) for each in told if each.get("due")}
    by_group: dict[Group, list[dict[str, Any]]] = defaultdict(list)
    contents: dict[str, bytes] = {}
    for number, (_, timestamp, _, value, _) in enumerate((*flushed, *deleted)):
        flush = loads(value or b"")
        if contents.setdefault(flush["id"], value or b"") != value:
            raise AssertionError(f"two contents: {contents[flush['id']]!r} and {value!r}")
        known = by_group[group_of(flush)]
        flush["deleted"] = number >= len(flushed)
        if all(other["id"] != flush["id"] for other in known):
            known.append(flush)
        explain, how = flush["explain"], flush["meta"]["flushType"]
        if how != "COMMAND" and (flush["aggregator"], _instant(explain["due"])) not in moved:
            assert flush["meta"]["lastEvent"] < explain["due"], flush
        assert how != "TIMEOUT" or _instant(explain["due"]) <= timestamp, flush
    assert by_group.keys() == wanted.offsets.keys(), "groups that are missing, or too many"
    for group, flushes in by_group.items():
        flushes.sort(key=cmp_to_key(_in_order))
        sent = [flush["sequence"] for flush in flushes if not flush["deleted"]]
        assert sent == list(range(1, len(sent) + 1)), group
        _check_sources(group, wanted.offsets[group], flushes)
        _check_values(group, wanted, flushes)
    return len(contents)


def _in_order(one: dict[str, Any], other: dict[str, Any]) -> int:
    """Which of two sessions of a key came first."""
    if one["sequence"] != other["sequence"]:
        return int(one["sequence"] - other["sequence"])
    firsts = {source["partition"]: source["first"] for source in one["explain"]["sources"]}
    for source in other["explain"]["sources"]:
        if source["partition"] in firsts:
            return int(firsts[source["partition"]] - source["first"])
    return int(other["deleted"]) - int(one["deleted"])


def check_answers(answers: list[Item], flushed: list[Item], deleted: list[Item]) -> Counter[str]:
    """Asserts that every command tells exactly the sessions that it flushed or deleted; returns how
    many were touched by each action.
    """
    told: Counter[str] = Counter()
    touched: Counter[str] = Counter()
    records: Counter[str] = Counter()
    contents: dict[str, bytes | None] = {}
    for _, _, _, value, _ in answers:
        answer = loads(value or b"")
        assert contents.setdefault(answer["id"], value) == value, "an answer in two versions"
    for value in contents.values():
        answer = loads(value or b"")
        told[answer["action"]] += answer["touched"]
        if answer["action"] != "set-timeout":
            touched[answer["command_id"]] += answer["touched"]
            records[answer["command_id"]] += answer["counts"]["records"]
    sessions = {loads(item[3] or b"")["id"]: item[3] for item in (*flushed, *deleted)}
    for value in sessions.values():
        session = loads(value or b"")
        if session["meta"]["flushType"] == "COMMAND":
            by = session["explain"]["rule"].removeprefix("command ")
            touched[by] -= 1
            records[by] -= session["meta"]["count"]
    assert not any(touched.values()), touched
    assert not any(records.values()), records
    return told


def _check_sources(
    group: Group, offsets: dict[int, list[int]], flushes: list[dict[str, Any]]
) -> None:
    total = sum(flush["meta"]["count"] for flush in flushes)
    assert total == sum(map(len, offsets.values())), f"{group}: {total} records counted"
    if group[0] == "once":
        return  # which one of equal records counted is open
    left = {partition: list(found) for partition, found in offsets.items()}
    for flush in flushes:
        sources = flush["explain"]["sources"]
        assert sum(source["count"] for source in sources) == flush["meta"]["count"], flush
        for source in sources:
            taken = left[source["partition"]][: source["count"]]
            del left[source["partition"]][: source["count"]]
            assert [taken[0], taken[-1]] == [source["first"], source["last"]], (group, flush, taken)


def _check_values(group: Group, wanted: Expected, flushes: list[dict[str, Any]]) -> None:
    for path, total in wanted.sums[group].items():
        name = f"sum_{path}"
        if name in flushes[0]["values"]:
            got = sum(Fraction(flush["values"][name] or 0) for flush in flushes)
            assert got == total, f"{group} {name}: {got} instead of {total}"
        if f"max_{path}" in flushes[0]["values"]:
            most = max(Fraction(flush["values"][f"max_{path}"]) for flush in flushes)
            assert most == wanted.largest[group][path]
        for parts in (flush["parts"].get(f"average_{path}") for flush in flushes):
            assert parts is None or parts["n"] > 0
        if flushes[0]["parts"]:
            combined = sum(Fraction(flush["parts"][f"average_{path}"]["sum"]) for flush in flushes)
            assert combined == total
    for flush in flushes:
        assert flush["values"].get("count", flush["meta"]["count"]) == flush["meta"]["count"]


def check_letters(wanted: Expected, log: dict[int, list[Item]], letters: list[Item]) -> None:
    """Asserts that exactly what had to be refused was, each with one content."""
    contents: dict[str, bytes] = {}
    found = set()
    by_offset = {p: {item[0]: item[3] for item in items} for p, items in log.items()}
    for _, _, _, value, _ in letters:
        letter = json.loads(value or b"")
        assert contents.setdefault(letter["id"], value or b"") == value, "a letter in two versions"
        at = letter["partition"], letter["offset"]
        assert base64.b64decode(letter["original"]) == by_offset[at[0]][at[1]]
        found.add((*at, letter["aggregator"], letter["reason"]))
    assert found == wanted.letters


def check_totals(
    wanted: Expected, totals: dict[str, dict[str, Any]], deleted: Sequence[Item] = ()
) -> None:
    """Asserts control totals (added up over the shards): balanced, and what came in."""
    check_totals_replayed(wanted, totals, Counter(), deleted)


def check_totals_replayed(
    wanted: Expected,
    totals: dict[str, dict[str, Any]],
    replayed: Counter[str],
    deleted: Sequence[Item] = (),
) -> None:
    """The same when so many letters were replayed: they came in, and are rejected, by the routing,
    of which the shards take them back.
    """
    gone: Counter[str] = Counter()
    for value in {item[3] for item in deleted}:
        session = loads(value or b"")
        gone[session["aggregator"]] += session["meta"]["count"]
    for name, total in totals.items():
        assert total["balanced"], total
        counts = total["count"]
        assert counts["open"] == 0
        assert counts["deleted"] == gone[name], (name, counts)
        assert counts["flushed"] + gone[name] == wanted.accepted[name], (name, counts)
        assert counts["duplicates"] == wanted.duplicates[name], (name, counts)
        assert counts["rejected"] == -replayed[name], (name, counts)
        came_in = wanted.accepted[name] + wanted.duplicates[name] - replayed[name]
        assert counts["in"] == came_in, (name, counts)
        for shown, sums in total["sums"].items():
            path = shown.removeprefix("sum_")
            out = Fraction(sums["flushed"]) + Fraction(sums["deleted"])
            assert Fraction(sums["in"]) == out, (name, shown, sums)
            mine = [found for group, found in wanted.sums.items() if group[0] == name]
            if any(path in found for found in mine):  # else a document before summed it
                came = sum(found[path] for found in mine)
                assert Fraction(sums["in"]) == came, (name, shown, sums)
    assert totals.keys() == wanted.accepted.keys()


def _instant(text: str) -> int:
    from domain.aggregation.instants import parse_instant

    found = parse_instant(text)
    assert found is not None
    return found
