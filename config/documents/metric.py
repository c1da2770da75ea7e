"""Reads a document of kind `metric`: a calculated one."""

from __future__ import annotations

import re
from collections.abc import Mapping

from config.documents import fields
from config.documents.base import At, DocumentError, Section
from domain.metrics.expression import BadExpression, Calculated, Expression

# With dots and _, as the metrics of sources have them: it is asked for by this name.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")


def load_metric(data: Mapping[str, object]) -> Calculated:
    """The metric that `data` describes. Raises DocumentError with every problem in it."""
    top = Section(data, At())
    top.required("kind", fields.choice((Calculated.kind,)), Calculated.kind)
    name = top.required("name", metric_name, "a name")
    text = top.required("expression", _expression, "an expression over metrics")
    unit = top.optional("unit", fields.text) or ""
    owner = top.optional("owner", fields.text) or ""
    meaning = top.optional("meaning", fields.text) or ""
    top.close()
    if top.at.problems or name is None or text is None:
        raise DocumentError(top.at.problems)
    return Calculated(name, text, unit, owner, meaning)


def metric_name(value: object, at: At) -> str | None:
    """The name of a metric."""
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    at.refuse(value, "a metric's name of letters, digits, `.`, `_` and `-`, at most 100")
    return None


def _expression(value: object, at: At) -> str | None:
    try:
        if isinstance(value, str):
            Expression(value)
            return value
        at.refuse(value, 'text like "salesforce.won / salesforce.leads"')
    except BadExpression as error:
        at.refuse(value, str(error))
    return None
