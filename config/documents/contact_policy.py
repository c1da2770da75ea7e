"""Reads a document of kind `contact_policy`: a cap on contacts of one number in a day."""

from __future__ import annotations

from collections.abc import Mapping

from config.documents import fields
from config.documents.base import At, DocumentError, Section, section
from domain.campaigns.document import ContactPolicy

PER_DAY_MAX = 1000


def load_contact_policy(data: Mapping[str, object]) -> ContactPolicy:
    """The policy that `data` describes. Raises DocumentError with every problem in it."""
    top = Section(data, At())
    top.required("kind", fields.choice((ContactPolicy.kind,)), ContactPolicy.kind)
    name = top.required("name", fields.name, "a name")
    per_day = top.required("per_number", _per_number, "an object with per_day")
    flows = top.defaulted("flows", fields.once(_flow, "flows"), ("*",))
    top.close()
    if top.at.problems or name is None or per_day is None:
        raise DocumentError(top.at.problems)
    return ContactPolicy(name=name, per_day=per_day, flows=flows)


def _per_number(value: object, at: At) -> int | None:
    parts = section(value, at, "per_day")
    if parts is None:
        return None
    per_day = parts.required("per_day", fields.whole(1, PER_DAY_MAX), "a whole number of contacts")
    parts.close()
    return per_day


def _flow(value: object, at: At) -> str | None:
    return "*" if value == "*" else fields.name(value, at)
