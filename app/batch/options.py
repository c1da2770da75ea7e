"""What a batch run was asked to do, and what is wrong with that."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from app.cli.document_files import valid
from config.documents.registry import load_document
from connectors.formats.files import Format
from domain.aggregation.document import Aggregator
from domain.aggregation.numbers import canonical
from domain.errors import UsageError


@dataclass(frozen=True)
class Options:
    """The flags of `sluice aggregate`. `now_ms` is None where the clock says it."""

    config: tuple[str, ...]
    files: tuple[str, ...] = ()
    output: str | None = None
    output_format: Format = "jsonl"
    input_format: Format | None = None
    state: Path | None = None
    now_ms: int | None = None
    rejects: str | None = None
    audit: str | None = None
    preview: bool = False
    strict: bool = False
    again: bool = False
    abandon: bool = False


@dataclass(frozen=True)
class Document:
    """One aggregator of the run. `text` is canonical JSON: equal texts say the same."""

    aggregator: Aggregator
    text: bytes


def documents_of(options: Options, stdin: BinaryIO) -> list[Document]:
    """The aggregators of the run, in order. Raises UsageError, DocumentsRefused."""
    if "-" in options.config and "-" in options.files:
        raise UsageError("the document and the records can't both come from standard input")
    documents = []
    for found in valid(options.config, stdin):
        aggregator = load_document(found.body)
        if not isinstance(aggregator, Aggregator):
            raise UsageError(
                f"{found.title} takes no records; expected aggregators ({found.where})"
            )
        documents.append(Document(aggregator, canonical(found.body)))
    check(options, [document.aggregator for document in documents])
    return documents


def check(options: Options, aggregators: Sequence[Aggregator]) -> None:
    """Raises UsageError for what can't go together."""
    if not options.files and options.state is None:
        raise UsageError(
            "missing: FILE", "- is standard input; with --state DIR what is due is flushed without"
        )
    if options.files.count("-") > 1:
        raise UsageError("- is given twice; standard input can be read once")
    if options.abandon and options.state is None:
        raise UsageError("--abandon is about a run that was killed; expected --state DIR with it")
    timed = [each.name for each in aggregators if each.flush.by == "timeout"]
    if timed and options.state is None and not options.preview:
        raise UsageError(
            f"{timed[0]} flushes by timeout, and what is not due has to be kept between runs",
            "expected --state DIR, or --preview to see every session",
        )
    targets = [each for each in (options.output, options.rejects, options.audit) if each]
    if len({Path(target).resolve() for target in targets}) < len(targets):
        raise UsageError("--output, --rejects and --audit name one file; expected a file each")
