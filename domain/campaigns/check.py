"""The invariants of figures, coded; and the figures counted anew, as proof."""

from __future__ import annotations

from domain.campaigns.book import Book, every
from domain.campaigns.fdds import all_places, count, count_key, prefix_of
from domain.campaigns.keys import key
from domain.campaigns.lifecycle import day_row
from domain.campaigns.rows import Campaign, Counts, Fdd, decode
from domain.campaigns.work import Invariant, pending_of, read


def slots_of(book: Book, campaign: Campaign, day: str) -> dict[str, Counts]:
    """Slot -> figures of a day, for every slot that it has or had."""
    prefix = key("z", campaign.request_id, day) + b"/"
    rows = book.scan(prefix, b"", 10_000)
    return {raw_key[len(prefix) :].decode(): decode(Counts, raw) for raw_key, raw in rows}


def total(counts: list[Counts]) -> Counts:
    """The sum of figures."""
    found = Counts()
    for each in counts:
        found.expected += each.expected
        found.created += each.created
        found.remade += each.remade
        found.reached += each.reached
        for name, more in each.states.items():
            count(found, name, more)
        for name, more in each.not_created.items():
            found.not_created[name] = found.not_created.get(name, 0) + more
    return found


def check(book: Book, request_id: str, day: str) -> None:
    """Raises Invariant when figures of a campaign and day (`YYYYMMDD`) contradict each other."""
    campaign = read(book, key("c", request_id), Campaign)
    if campaign is None:
        return
    where = f"{request_id} {day}"
    slots = slots_of(book, campaign, day)
    for slot, counts in slots.items():
        negative = [name for name, n in {**counts.states, **counts.not_created}.items() if n < 0]
        if negative:
            raise Invariant(where, f"slot {slot}: {negative} below zero")
        if sum(counts.states.values()) != counts.created:
            raise Invariant(where, f"slot {slot}: {counts.states} of {counts.created} created")
        if counts.created + sum(counts.not_created.values()) != counts.expected:
            raise Invariant(
                where,
                f"slot {slot}: created {counts.created} + not created {counts.not_created} "
                f"is not {counts.expected}",
            )
        if not 0 <= counts.reached <= counts.created:
            raise Invariant(where, f"slot {slot}: {counts.reached} reached")
    all_ = total(list(slots.values()))
    row = day_row(campaign, day)
    if campaign.slots and row is not None:
        records = row.done if row.state == "creating" else campaign.accepted
        expected = records * row.slots + all_.remade
        if all_.expected != expected:
            raise Invariant(where, f"{all_.expected} looked at, expected {expected}")
    attempted = sum(n for name, n in all_.states.items()) - pending_of(all_)
    if attempted + pending_of(all_) != all_.created:
        raise Invariant(where, f"attempted {attempted} + pending is not {all_.created}")


def recount(book: Book, request_id: str, day: str) -> dict[str, Counts]:
    """Slot -> figures counted from the FDDs of a day themselves.

    What leaves no FDD (`expected`, `not_created`, `remade`) is taken from the kept figures.
    """
    campaign = read(book, key("c", request_id), Campaign)
    if campaign is None:
        return {}
    found = {
        slot: Counts(kept.expected, 0, kept.remade, 0, {}, dict(kept.not_created))
        for slot, kept in slots_of(book, campaign, day).items()
    }
    for place in all_places(campaign):
        if place[0] != day:
            continue
        counts = found.setdefault(place[1], Counts())
        for _, raw in every(book, prefix_of(request_id, place)):
            fdd = decode(Fdd, raw)
            counts.created += 1
            counts.reached += any(each.started_ms is not None for each in fdd.attempts)
            count(counts, count_key(fdd.state, fdd.reason), 1)
    return found
