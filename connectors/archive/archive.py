"""The archive: fetched pages as files, each page there whole or not at all.

A page is written part by part, and is whole when the last part is in place (see
`domain/metrics/page_names.py`). The metadata of each file has `sluice.page` of `sluice.pages` (the
part, and how many), `sluice.cursor` (JSON: what follows the page), `sluice.source`,
`sluice.number` (the page's) and `sluice.first` (index of the file's first record in it). Blocks:
call it in a thread. Raises what `connectors.files` raises, and Unreadable.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from connectors.archive.avro import Unreadable, decode, encode, metadata_of
from connectors.files.base import Conflict, Files
from domain.errors import Invariant
from domain.metrics import page_names
from domain.metrics.fetched import Cut, Fetched
from domain.metrics.page_names import Joined, Part, Written, read_names, whole

PAGE, PAGES, CURSOR = "sluice.page", "sluice.pages", "sluice.cursor"
SOURCE, NUMBER, FIRST = "sluice.source", "sluice.number", "sluice.first"
JOINED = "sluice.joined"
HEADER_BYTES = 1 << 16  # a header with its cursor; more is read when it has no room
PIECE = 1 << 20
Cursor = dict[str, Any] | None
JoinedPart = tuple[int, int, int, int, int]
"""(page number, epoch, attempt, index of the first record, records): a part in a joined file"""

_encode = msgspec.json.Encoder().encode
_parts = msgspec.json.Decoder(list[JoinedPart]).decode


@dataclass(frozen=True, slots=True)
class Archived:
    """A record of the archive. `version`: of two with one key, the higher counts."""

    version: int
    record: Fetched


class Archive:
    """See the module."""

    def __init__(self, files: Files) -> None:
        self._files = files

    @property
    def where(self) -> str:
        """What people call it."""
        return self._files.where

    def write(self, source: str, of: Written, cursor: Cursor, cuts: Sequence[Cut]) -> None:
        """Writes a page, durable when it returns. Once more writes only what is missing."""
        text = _encode(cursor).decode()
        for cut in cuts:
            metadata = {
                PAGE: str(cut.part), PAGES: str(len(cuts)), CURSOR: text, SOURCE: source,
                NUMBER: str(of.number), FIRST: str(cut.first),
            }  # fmt: skip
            self._put(cut.name, encode(cut.name, cut.records, metadata))
        self._files.settle()

    def _put(self, name: str, content: bytes) -> None:
        writing = self._files.write(name)
        try:
            writing.write(content)
            try:
                writing.place()
            except Conflict as conflict:
                found = self._files.read(name)
                if found is None or found[0] != content:
                    rule = "a file of the archive has one content"
                    raise Invariant(rule, f"{self.where}/{name}") from conflict
        finally:
            writing.drop()

    def has(self, names: Sequence[str]) -> bool:
        """Whether all these files are in place."""
        return all(self._files.stat(name) is not None for name in reversed(names))

    def remove(self, names: Sequence[str]) -> None:
        """Removes those that are there; the last part first, so that the page never looks whole."""
        for name in reversed(names):
            self._files.remove(name)

    def page(self, names: Sequence[str]) -> list[Cut]:
        """A page, read back by the names of its parts."""
        found = []
        for part, name in enumerate(names, 1):
            metadata, records = self._records(name)
            found.append(Cut(name, part, int(metadata[FIRST]), records))
        return found

    def newest(self, source: str) -> tuple[Written, Cursor] | None:
        """The last page of a source that is whole, and the cursor that follows it. Looks through
        all names: only for who has no other memory of the source."""
        best: tuple[Written, str] | None = None
        for found in self._names(source):
            of, name = None, found.name
            if isinstance(found, Part) and found.part == found.parts:
                of = found.of
            elif isinstance(found, Joined):
                of = max(Written(*each[:3]) for each in self._joined(found))
            if of is not None and (best is None or of > best[0]):
                best = of, name
        if best is None:
            return None
        cursor: Cursor = msgspec.json.decode(self._metadata(best[1])[CURSOR])
        return best[0], cursor

    def records(self, source: str) -> Iterator[Archived]:
        """Every record of the pages that are whole, in no order; what is not whole is left out."""
        listed = list(self._names(source))
        counting = self._counting(listed)
        replaced = self._replaced(listed)
        for found in listed:
            if isinstance(found, Part):
                if counting.get(found.of.number) == found.of and found.name not in replaced:
                    metadata, records = self._records(found.name)
                    start = page_names.version_of(found.of.number, int(metadata[FIRST]))
                    for version, record in enumerate(records, start):
                        yield Archived(version, record)
            elif found.name not in replaced:
                yield from self._of_joined(found, counting)

    def sources(self) -> list[str]:
        """The names of the sources that have something here."""
        return sorted({name.name.partition("/")[0] for name in self._files.list()})

    # Joining

    def compact(self, source: str, before_ms: int, least: int = 2) -> int:
        """Joins the files of each hour before that time, and removes what does not count of older
        pages; returns how many files are fewer. A kill
        leaves files beside the one they were joined in: those don't count, and the next call
        removes them. The newest page is left alone: its worker may be at it."""
        listed = list(self._names(source))
        counting, replaced = self._counting(listed), self._replaced(listed)
        newest = max(counting, default=0)
        replaced |= {
            each.name
            for each in listed
            if isinstance(each, Part)
            and each.of.number < newest
            and counting.get(each.of.number) != each.of
        }
        for name in sorted(replaced):
            self._files.remove(name)
        folders: dict[str, list[Part | Joined]] = {}
        for found in listed:
            if found.name not in replaced and page_names.hour_ms(found.folder) < before_ms:
                folders.setdefault(found.folder, []).append(found)
        fewer = len(replaced)
        for folder, found_here in sorted(folders.items()):
            files = [
                each for each in found_here if isinstance(each, Joined) or each.of.number < newest
            ]
            if len(files) >= least:
                self._join(source, folder, files)
                fewer += len(files) - 1
        return fewer

    def _join(self, source: str, folder: str, files: Sequence[Part | Joined]) -> None:
        parts: list[tuple[JoinedPart, Sequence[Fetched]]] = []
        cursors: dict[Written, str] = {}
        turn = 0
        for file in files:
            metadata, records = self._records(file.name)
            if isinstance(file, Part):
                of = file.of
                first = int(metadata[FIRST])
                parts.append(((of.number, of.epoch, of.attempt, first, len(records)), records))
                cursors[of] = metadata[CURSOR]
                continue
            turn = max(turn, file.turn + 1)
            at = 0
            for each in _parts(metadata[JOINED]):
                parts.append((each, records[at : at + each[4]]))
                at += each[4]
            cursors[max(Written(*each[:3]) for each in _parts(metadata[JOINED]))] = metadata[CURSOR]
        parts.sort(key=lambda each: each[0])
        numbers = [each[0][0] for each in parts]
        name = page_names.joined_name(folder, min(numbers), max(numbers), turn)
        metadata = {
            PAGE: "1", PAGES: "1", SOURCE: source, NUMBER: str(max(numbers)),
            FIRST: "0", CURSOR: cursors[max(cursors)],
            JOINED: _encode([each[0] for each in parts]).decode(),
        }  # fmt: skip
        together = [record for each in parts for record in each[1]]
        self._put(name, encode(name, together, metadata))
        self._files.settle()
        for file in files:
            self._files.remove(file.name)

    def _of_joined(self, found: Joined, counting: dict[int, Written]) -> Iterator[Archived]:
        metadata, records = self._records(found.name)
        at = 0
        for number, epoch, attempt, first, count in _parts(metadata[JOINED]):
            if counting.get(number) == Written(number, epoch, attempt):
                start = page_names.version_of(number, first)
                for version, record in enumerate(records[at : at + count], start):
                    yield Archived(version, record)
            at += count

    # Reading

    def _names(self, source: str) -> Iterator[Part | Joined]:
        return read_names(found.name for found in self._files.list(f"{source}/"))

    def _counting(self, listed: Sequence[Part | Joined]) -> dict[int, Written]:
        """By number, the writing of a page that counts: those that are whole."""
        found = whole(each for each in listed if isinstance(each, Part))
        for joined in listed:
            if isinstance(joined, Joined):
                for each in self._joined(joined):
                    of = Written(*each[:3])
                    found[of.number] = max(of, found.get(of.number, of))
        return found

    def _replaced(self, listed: Sequence[Part | Joined]) -> set[str]:
        """Files whose records are in a joined file beside them."""
        inside: dict[str, dict[Written, int]] = {}
        newest: dict[str, Joined] = {}
        for each in listed:
            if isinstance(each, Joined):
                known = newest.get(each.folder)
                newest[each.folder] = each if known is None or each.turn > known.turn else known
        for joined in newest.values():
            held = inside.setdefault(joined.folder, {})
            held.update({Written(*part[:3]): joined.turn for part in self._joined(joined)})
        return {
            each.name
            for each in listed
            if (isinstance(each, Joined) and each is not newest[each.folder])
            or (isinstance(each, Part) and each.of in inside.get(each.folder, {}))
        }

    def _joined(self, file: Joined) -> list[JoinedPart]:
        return _parts(self._metadata(file.name)[JOINED])

    def _metadata(self, name: str) -> dict[str, str]:
        size = HEADER_BYTES
        while True:
            content = self._piece(name, size)
            try:
                return metadata_of(name, content)
            except Unreadable:
                if len(content) < size:
                    raise
                size *= 8

    def _piece(self, name: str, size: int) -> bytes:
        reading = self._files.open(name, 0, size)
        pieces = []
        try:
            while piece := reading.read(PIECE):
                pieces.append(piece)
        finally:
            reading.close()
        return b"".join(pieces)

    def _records(self, name: str) -> tuple[dict[str, str], Sequence[Fetched]]:
        found = self._files.read(name)
        if found is None:
            raise Unreadable(f"{self.where}/{name}", "it is gone")
        return decode(f"{self.where}/{name}", found[0])
