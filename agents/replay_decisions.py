"""What a replay of a dead letter would do under the documents in force: decided like a record that
is routed for the first time, by the same code.

A letter of one aggregator is for that one only. One of none in particular was seen by no
aggregator: all that take records of its topic get it now, and those that refuse it count it and get
a letter of their own.

A letter about campaigns is put on its topic again: what is refused there once more has a letter of
its own then. Commands carry an id and results one of their execution, so a record that a kill sends
twice is applied once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from agents.campaign_route import EVENTS, RESULTS, Unreadable, key_again
from agents.chunks import Chunk
from agents.documents import Refused, read_message
from agents.letters import Letter
from agents.route import Router
from domain.aggregation.flush import to_json
from domain.aggregation.numbers import float_hook
from tables.documents import Documents
from tables.stream import Item

CONFIG = "config"
CAMPAIGNS = (EVENTS, RESULTS)
NOWHERE = -1  # no partition is keyed as this: nothing is the deciding shard's own
ROUTERS = 64  # kept compiled

_decode = msgspec.json.Decoder(float_hook=float_hook).decode


@dataclass(frozen=True)
class Stays:
    """Why a letter can't be applied now either."""

    reason: str
    detail: str
    version: int | None


@dataclass
class Decision:
    """`stays` None: the record goes on as `takes` (shard, chunk with this one record) and, for
    aggregators that had not seen it, `letters`; or it is put on a topic `again` (topic, key,
    value): a control message on `config`, a record about campaigns on its own.
    """

    stays: Stays | None = None
    takes: list[tuple[int, Chunk]] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    again: tuple[str, bytes, bytes] | None = None


class Decider:
    """Decides about letters; not for several tasks at once. `shards` is by how many records are
    routed at the documents' revision.
    """

    def __init__(
        self, documents: Documents, shards: Callable[[], int], max_record_bytes: int
    ) -> None:
        self._documents = documents
        self._shards = shards
        self._max_record_bytes = max_record_bytes
        self._routers: dict[tuple[str, str | None, int], Router] = {}

    @property
    def revision(self) -> int:
        """Of the documents that decide."""
        return self._documents.revision

    def decide(self, letter: Letter, now_ms: int) -> Decision:
        """What replaying the letter does. Timestamps later than `now_ms` count as now."""
        if letter.reason == "refused_document":
            return _control(letter)
        if letter.topic in CAMPAIGNS and letter.aggregator is None:
            return self._about_campaigns(letter)
        router = self._router(letter)
        if isinstance(router, Stays):
            return Decision(router)
        item: Item = (letter.offset, letter.at, None, letter.original or b"", ())
        routed = router.route(letter.partition, [item], now_ms)
        refused = [each for each in routed.letters if each.aggregator in (None, letter.aggregator)]
        if refused:
            why = refused[0]
            return Decision(Stays(why.reason, why.detail, why.version))
        takes = [(shard, chunk) for shard, chunks in routed.chunks.items() for chunk in chunks]
        if letter.aggregator is not None and not takes:
            detail = f"the filter of {letter.aggregator} now in force passes the record over"
            return Decision(Stays(letter.reason, detail, letter.version))
        return Decision(None, takes, routed.letters)

    def _about_campaigns(self, letter: Letter) -> Decision:
        read_by = [
            r.name for r in self._documents.aggregators() if r.document.input == letter.topic
        ]
        lost = self._documents.held(letter.topic, self._documents.revision)
        if lost is not None:
            return Decision(Stays(letter.reason, str(lost), None))
        if read_by:
            detail = f"{read_by[0]} reads {letter.topic} too and would count the record again"
            return Decision(Stays(letter.reason, detail, None))
        original = letter.original or b""
        try:
            key = key_again(letter.topic, original)
        except Unreadable as error:
            return Decision(Stays(error.reason, error.detail, None))
        return Decision(again=(letter.topic, key, original))

    def _router(self, letter: Letter) -> Router | Stays:
        topic, name = letter.topic, letter.aggregator
        lost = self._documents.held(topic, self._documents.revision)
        if lost is not None:  # it would be taken by the others alone
            return Stays(letter.reason, str(lost), letter.version)
        known = self._routers.get((topic, name, self.revision))
        if known is not None:
            return known
        rules = [
            rule
            for rule in self._documents.aggregators()
            if rule.name == name or (name is None and rule.document.input == topic)
        ]
        if not rules:
            detail = (
                f"no aggregator in force takes records of {topic}"
                if name is None
                else f"the aggregator {name} is not in force"
            )
            return Stays(letter.reason, detail, letter.version)
        made = Router(topic, rules, self._shards(), NOWHERE, self._max_record_bytes)
        if len(self._routers) >= ROUTERS:
            self._routers.clear()
        self._routers[topic, name, self.revision] = made
        return made


def _control(letter: Letter) -> Decision:
    """A refused control message is put on `config` again, with the letter that it comes from."""
    original = letter.original or b""
    try:
        kind, name, _, _, _ = read_message(None, original)
    except Refused as refused:
        return Decision(Stays("refused_document", refused.detail, None))
    message: dict[str, Any] = _decode(original)
    value = to_json({**message, "letter": letter.id})
    return Decision(again=(CONFIG, f"{kind}/{name}".encode(), value))
