"""What the state of a batch knows besides its sessions: runs, files and documents.

Kept in the store of the shard, under keys of its own, and written with the sessions that it is
about, in one write batch:

    br              Run: the run under way, or the last one
    bl              [Listed, ...]: the files of the run under way
    bf <digest>     File: how often a file was taken, and how far by which aggregator
    bd <name>\\0<version>   a version of a document, canonical JSON
    p <row key>     an open session that ends with its file or with the run
"""

from collections.abc import Iterable
from dataclasses import replace

import msgspec

from app.batch.options import Document
from config.documents.registry import load_stored
from connectors.formats.records import Position
from domain.aggregation.document import Aggregator, Output
from domain.aggregation.operations import exact_json
from domain.aggregation.rule import Rule, compile_rule
from domain.errors import Invariant
from tables.store import KeyedStore

RUN, FILES, FILE, DOCUMENT, ENDING = b"br", b"bl", b"bf", b"bd", b"p"
SHOWN_REFUSALS = 5  # rejected records told on standard error; --rejects has all of them


class Run(msgspec.Struct, array_like=True):
    """`now`: its broker timestamp. `started`: what was due at its beginning is flushed. `over`:
    everything is out. `reasons`: rejected records by reason, `shown` the first of them.
    """

    now: int
    started: bool = False
    over: bool = False
    records: int = 0
    files: int = 0
    reasons: dict[str, int] = {}
    shown: list[str] = []
    filtered: dict[str, int] = {}


class Taken(msgspec.Struct, array_like=True):
    """How far one aggregator is with a file; `take` counts how often it was taken, from 1."""

    take: int
    line: int = 0
    offset: int = 0
    done: bool = False

    @property
    def position(self) -> Position:
        return Position(self.line, self.offset)


class Listed(msgspec.Struct, array_like=True, frozen=True):
    """A file of a run."""

    digest: bytes
    take: int
    name: str


class File(msgspec.Struct, array_like=True):
    """`names`: what the file was called at each take. `taken` is by aggregator."""

    names: list[str] = []
    taken: dict[str, Taken] = {}


encode = msgspec.msgpack.Encoder().encode
_run = msgspec.msgpack.Decoder(Run).decode
_file = msgspec.msgpack.Decoder(File).decode
_listed = msgspec.msgpack.Decoder(list[Listed]).decode


def topic_of(digest: bytes, take: int) -> str:
    """The name that positions in a file have in the state: the file's bytes and which take."""
    return f"{digest.hex()}#{take}"


class Ledger:
    """See the module. It reads the store; what it wants written it gives to the caller."""

    def __init__(self, store: KeyedStore) -> None:
        self._store = store
        self._texts: dict[tuple[str, int], bytes] = {}
        self._rules: dict[tuple[str, int], Rule] = {}
        self._names: dict[str, str] = {}
        for key, text in store.scan(DOCUMENT, DOCUMENT + b"\xff"):
            name, _, version = key[len(DOCUMENT) :].partition(b"\0")
            self._texts[name.decode(), int(version)] = text
        run, files = store.get_many([RUN, FILES])
        self.run: Run | None = None if run is None else _run(run)
        self.listed: list[Listed] = [] if files is None else _listed(files)

    # Documents

    def latest(self, name: str) -> int:
        """The newest version of a document, 0 for one that is not known."""
        return max((version for known, version in self._texts if known == name), default=0)

    def newest_rule(self, name: str) -> Rule:
        return self.rule(name, self.latest(name))

    def adopt(self, documents: Iterable[Document]) -> dict[bytes, bytes]:
        """Makes each document the newest version of its name, if it says something new; returns
        what to write."""
        kept = {}
        for document in documents:
            name = document.aggregator.name
            version = self.latest(name)
            if self._texts.get((name, version)) != document.text:
                self._texts[name, version + 1] = document.text
                kept[DOCUMENT + f"{name}\0{version + 1:09d}".encode()] = document.text
        return kept

    def rule(self, name: str, version: int) -> Rule:
        """The compiled version of an aggregator."""
        found = self._rules.get((name, version))
        if found is None:
            text = self._texts.get((name, version))
            aggregator = None if text is None else load_stored(exact_json(text))
            if not isinstance(aggregator, Aggregator):
                raise Invariant("a session's document is known", f"{name} version {version}")
            found = self._rules[name, version] = compile_rule(_for_files(aggregator), version)
        return found

    # Files

    def file(self, digest: bytes) -> File:
        """What is known of the file with that digest."""
        (data,) = self._store.get_many([FILE + digest])
        return File() if data is None else _file(data)

    def source_name(self, topic: str) -> str:
        """What people call the file that a position is in."""
        name = self._names.get(topic)
        if name is None:
            digest, _, take = topic.partition("#")
            names = self.file(bytes.fromhex(digest)).names
            name = self._names[topic] = names[int(take) - 1]
        return name

    def begin(self, topic: str, name: str) -> None:
        """What people call a file from now on."""
        self._names[topic] = name

    @property
    def killed(self) -> bool:
        """Whether the last run did not come to its end."""
        return self.run is not None and not self.run.over


def file_record(digest: bytes, file: File) -> tuple[bytes, bytes]:
    """What to write of a file."""
    return FILE + digest, encode(file)


def listed_record(listed: Iterable[Listed]) -> tuple[bytes, bytes]:
    """What to write of the files of a run."""
    return FILES, encode(list(listed))


def ending_key(row_key: bytes) -> bytes:
    """The key of an open session among those that end with their file or the run."""
    return ENDING + row_key


def ending_range(name: str) -> tuple[bytes, bytes]:
    """First and last of those of one aggregator."""
    return ENDING + name.encode() + b"\0", ENDING + name.encode() + b"\1"


def _for_files(aggregator: Aggregator) -> Aggregator:
    """No producer's key and no topic matters where there are none."""
    return replace(aggregator, keyed_by=(), output=Output(envelope=aggregator.output.envelope))
