"""Documents from files for `sluice config`: read, validated, all of them or none."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from config.documents.base import DocumentError, Problem
from config.documents.policies import among
from config.documents.reading import parse_documents, read_documents
from config.documents.registry import load_document
from domain.errors import SluiceError, UsageError


class Found(NamedTuple):
    """A valid document and its place, "file:line"."""

    kind: str
    name: str
    body: Mapping[str, Any]
    where: str

    @property
    def title(self) -> str:
        """kind/name."""
        return f"{self.kind}/{self.name}"


class Refusal(NamedTuple):
    """A problem and the place of its document. `detail` is the whole sentence; `value` is JSON
    text, None when the key is missing or not known."""

    where: str
    path: str
    detail: str
    value: str | None = None
    expected: str | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.detail}"


def refusal(where: str, problem: Problem) -> Refusal:
    """A problem of the document at `where`."""
    told = problem.as_json()
    return Refusal(where, problem.path, str(problem), told["value"], told["expected"])


class DocumentsRefused(SluiceError):
    """Some documents are wrong (exit 1): every problem of every file, a line each."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        self.refusals = tuple(refusals)
        super().__init__("\n".join(map(str, self.refusals)))


def examine(files: Sequence[str], stdin: BinaryIO) -> tuple[list[Found], list[Refusal]]:
    """The valid documents of all files and everything that is wrong in them.

    Raises UsageError for a file that is not there.
    """
    found: list[Found] = []
    refusals: list[Refusal] = []
    places: dict[str, str] = {}
    for file in files:
        try:
            documents = list(_read(file, stdin))
        except DocumentError as error:
            refusals += (refusal(error.where or file, problem) for problem in error.problems)
            continue
        for body, where in documents:
            try:
                document = load_document(body)
            except DocumentError as error:
                refusals += (refusal(where, problem) for problem in error.problems)
                continue
            one = Found(document.kind, document.name, body, where)
            if one.title in places:
                expected = f"each document once; {one.title} is also at {places[one.title]}"
                refusals.append(refusal(where, Problem("name", one.name, expected)))
            places[one.title] = where
            found.append(one)
    refusals += _together(found)
    return found, refusals


def _together(found: Sequence[Found]) -> Iterator[Refusal]:
    """What is wrong with documents of some files beside each other."""
    documents = [load_document(one.body) for one in found]
    for one, document in zip(found, documents, strict=True):
        for problem in among(document, documents):
            yield refusal(one.where, problem)


def valid(files: Sequence[str], stdin: BinaryIO) -> list[Found]:
    """The documents of all files. Raises DocumentsRefused when one is wrong, UsageError."""
    found, refusals = examine(files, stdin)
    if refusals:
        raise DocumentsRefused(refusals)
    return found


def _read(file: str, stdin: BinaryIO) -> Iterator[tuple[dict[str, Any], str]]:
    if file == "-":
        try:
            text = stdin.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            value = error.object[error.start : error.end].hex()
            raise DocumentError([Problem("", value, "UTF-8 text")], "stdin") from error
        yield from parse_documents(text, "stdin")
        return
    path = Path(file)
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is not there"
        raise UsageError(f"{file}: {what}; expected a YAML or JSON file with documents")
    yield from read_documents(path)
