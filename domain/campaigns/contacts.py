"""The cap on contacts of one number in a day: what contact policies say.

A contact is an order. Days are those of the campaign's zone. The contacts of a number are kept by
one shard, its home, whatever flows call it. Where the home is elsewhere the FDD is left in its
state, out of the queue, with a channel kept for it, while a question goes to the home and comes
back (records of kind `contact` on `campaign-events`). The home writes a contact down before it
says yes; who can't use a yes any more gives it back. So a cap is never exceeded, and what was
never ordered does not count.

Each question has a number of its own: an answer that is sent again after a kill answers no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from domain.campaigns import days
from domain.campaigns.keys import Ref, flow_of_request, key, ref_of_id
from domain.campaigns.rows import Asked, Campaign, Fdd, decoder, encode
from domain.campaigns.work import Work, read
from domain.errors import Reject

EVENTS = "campaign-events"
KIND = "contact"
ASK, NOTE, BACK, ANSWER = "ask", "note", "back", "answer"
_KEPT_MS = 3 * 86_400_000  # longer than a day is in any zone

_decode_row = decoder(int | list[str]).decode  # type: ignore[arg-type]  # a union is no class


class Contact(msgspec.Struct, tag_field="kind", tag=KIND):
    """What shards say to each other of the contacts of a number; the product's own.

    `ask` and its `answer` are about the next order of `fdd_id`; `note` writes
    down one that no policy holds back, `back` takes one off. `day` is `YYYYMMDD`.
    """

    step: str
    number: str
    day: str
    fdd_id: str
    question: int = 0
    yes: bool = False


def _cap(work: Work, flow: str) -> int | None:
    caps = [each.per_day for each in work.flows.policies() if each.covers(flow)]
    return min(caps, default=None)


def _row(number: str, day: str) -> bytes:
    return key("p", number, day)


def _today(work: Work, campaign: Campaign) -> str:
    return days.day_of(campaign.flow.timezone, work.now_ms)


def _ident(fdd_id: str, question: int) -> str:
    return f"{fdd_id}/{question}"


# At the home


def _contacts(work: Work, row_key: bytes) -> list[str]:
    raw = work.book.get(row_key)
    found: int | list[str] = [] if raw is None else _decode_row(raw)
    # rows of before had a count alone
    return [""] * found if isinstance(found, int) else found


def _write(work: Work, number: str, day: str, ident: str) -> None:
    row_key = _row(number, day)
    found = _contacts(work, row_key)
    if ident in found:
        return
    work.book.put(row_key, encode([*found, ident]))
    if not found:
        work.wake(work.now_ms + _KEPT_MS, row_key)


def told(work: Work, event: Mapping[str, Any]) -> Answered | None:
    """Applies one event of kind `contact`; what an answer says, for the dispatch to go on with.
    Raises Reject."""
    try:
        said = msgspec.convert(event, Contact)
    except msgspec.ValidationError as error:
        raise Reject("bad_event", f"contact: {error}") from error
    ref = ref_of_id(said.fdd_id)
    if ref is None:
        raise Reject("bad_event", f"contact: fdd_id {said.fdd_id!r}, expected one of an FDD")
    if said.step == ANSWER:
        return _answered(work, ref, said)
    row_key, ident = _row(said.number, said.day), _ident(said.fdd_id, said.question)
    if said.step == NOTE:
        _write(work, said.number, said.day, ident)
    elif said.step == BACK:
        left = [each for each in _contacts(work, row_key) if each != ident]
        work.book.put(row_key, encode(left))
    elif said.step == ASK:
        found, cap = _contacts(work, row_key), _cap(work, flow_of_request(ref.request_id))
        yes = ident in found or cap is None or len(found) < cap
        if yes:
            _write(work, said.number, said.day, ident)
        _say(work, ref, ANSWER, said.number, said.day, said.question, yes)
    else:
        raise Reject("bad_event", f"contact: step {said.step!r}, expected ask, note, back, answer")
    return None


def forget(work: Work, row: bytes) -> None:
    """Drops a row whose day is over."""
    work.book.delete(row)


# At the flow's shard


class Answered:
    """The home's answer to the question that an FDD waits for."""

    __slots__ = ("day", "number", "question", "ref", "yes")

    def __init__(self, ref: Ref, said: Contact) -> None:
        self.ref, self.number, self.day = ref, said.number, said.day
        self.question, self.yes = said.question, said.yes


def _say(
    work: Work, ref: Ref, step: str, number: str, day: str, question: int, yes: bool = False
) -> None:
    event = {
        "kind": KIND,
        "step": step,
        "number": number,
        "day": day,
        "fdd_id": ref.id,
        "question": question,
        "yes": yes,
    }
    work.book.send(EVENTS, f"{ref.request_id}/{number}".encode(), event)


def _asked_key(ref: Ref) -> bytes:
    return b"g" + ref.key[1:]


def may_contact(work: Work, campaign: Campaign, ref: Ref, fdd: Fdd) -> bool | None:
    """Whether one more contact is within every policy of the flow, and if so writes it down; None
    when the home of the number is asked: `told` gives its answer."""
    if not work.flows.policies():
        return True
    day, cap = _today(work, campaign), _cap(work, campaign.flow.name)
    if work.flows.keeps(fdd.number):
        found = _contacts(work, _row(fdd.number, day))
        if cap is not None and len(found) >= cap:
            return False
        _write(work, fdd.number, day, _ident(ref.id, len(fdd.attempts)))
        return True
    asked = read(work.book, _asked_key(ref), Asked) or Asked()
    if asked.day:
        return None  # it came back to the queue meanwhile; its question is still under way
    asked = _next(work, ref)
    if cap is None:
        _say(work, ref, NOTE, fdd.number, day, asked.question)
        return True
    asked.day = day
    work.book.put(_asked_key(ref), encode(asked))
    work.channels(campaign.flow.name).asking += 1
    _say(work, ref, ASK, fdd.number, day, asked.question)
    return None


def _next(work: Work, ref: Ref) -> Asked:
    asked = read(work.book, _asked_key(ref), Asked) or Asked()
    asked.question += 1
    work.book.put(_asked_key(ref), encode(asked))
    return asked


def _answered(work: Work, ref: Ref, said: Contact) -> Answered | None:
    asked = read(work.book, _asked_key(ref), Asked)
    if asked is None or not asked.day or asked.question != said.question:
        return None  # said before
    work.book.put(_asked_key(ref), encode(Asked(asked.question)))
    work.channels(flow_of_request(ref.request_id)).asking -= 1
    return Answered(ref, said)


def give_back(work: Work, answer: Answered) -> None:
    """A yes that is not made use of."""
    if answer.yes:
        _say(work, answer.ref, BACK, answer.number, answer.day, answer.question)
