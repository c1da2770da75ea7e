"""What is said about a run on standard error: control totals, rejected records, odd headers."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from app.batch.ledger import Run
from app.cli.output import Output
from domain.aggregation.flush import to_json
from domain.aggregation.numbers import plain
from domain.aggregation.rule import Rule
from domain.aggregation.totals import PLACES, Totals


def speaker(*, json: bool, color: bool) -> Output:
    """Standard error, as the place of a result."""
    return Output(json=json, color=color, stdout=sys.stderr)


def tell_missing(name: str, paths: Sequence[str], out: Output) -> None:
    """Says what a file has no column for: it may be meant so, or be another file."""
    if paths and out.json:
        out.document({"file": name, "no_column": list(paths)})
    elif paths:
        out.text(f"{name} has no column {', '.join(paths)}")


def tell(
    run: Run, totals: Mapping[str, Totals], rules: Mapping[str, Rule], written: int, out: Output
) -> None:
    """Says how the run went; `written` are flushed records. With `--json` a document a line: totals
    as in the API."""
    told = [_as_json(name, totals[name], rules.get(name)) for name in sorted(totals)]
    if out.json:
        for each in told:
            out.raw(to_json(each))
        if run.reasons:
            out.document({"rejected": sum(run.reasons.values()), "reasons": run.reasons})
        return
    for each in told:
        sums = each["sums"]
        rows = [
            [place, each["count"][place], *(_shown(sums[name].get(place)) for name in sums)]
            for place in PLACES
        ]
        out.table([each["aggregator"], "records", *sums], rows)
    filtered = "".join(f", {n:,} filtered out by {name}" for name, n in run.filtered.items() if n)
    files = "1 file" if run.files == 1 else f"{run.files:,} files"
    out.text(f"{run.records:,} records of {files}{filtered}; {written:,} flushed records written")
    if run.reasons:
        reasons = ", ".join(f"{number:,} {name}" for name, number in sorted(run.reasons.items()))
        count = sum(run.reasons.values())
        out.text(f"{count:,} rejected ({reasons}), the first: {run.shown[0]}")


def _shown(value: Any) -> object:
    return value if value is None or isinstance(value, int) else plain(value)


def _as_json(name: str, totals: Totals, rule: Rule | None) -> dict[str, Any]:
    names = {} if rule is None else dict(_sum_names(rule))
    return totals.as_json(name, names)


def _sum_names(rule: Rule) -> list[tuple[str, str]]:
    return [
        (operation.field, operation.name)
        for operation in reversed(rule.document.aggregate)
        if operation.operation == "sum"
    ]
