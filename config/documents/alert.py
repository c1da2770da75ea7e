"""Reads a document of kind `alert`: what is told to people, and to whom."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from config.documents import fields, metric_alert, spans
from config.documents.base import MISSING, At, DocumentError, Section, section
from domain.campaigns.document import CampaignAlert
from domain.metrics.alerting import MetricAlert

SILENT_MOST_MS = 7 * 86_400_000
CONDITIONS = ("campaign_failures", "creation_missed", "executor_silent")


def load_alert(data: Mapping[str, object]) -> CampaignAlert | MetricAlert:
    """The alert that `data` describes. Raises DocumentError with every problem in it."""
    top = Section(data, At())
    top.required("kind", fields.choice((CampaignAlert.kind,)), CampaignAlert.kind)
    name = top.required("name", fields.name, "a name")
    to = top.optional("to", fields.once(fields.text, "mail addresses", empty=True)) or ()
    sms = top.optional("sms", fields.once(fields.text, "phone numbers", empty=True)) or ()
    webhook = top.optional("webhook", _webhook)
    conditions = (*CONDITIONS, *metric_alert.CONDITIONS)
    given = [each for each in conditions if top.has(each)]
    if len(given) != 1:
        top.at.refuse(given or MISSING, f"exactly one of {', '.join(conditions)}")
    if any(top.has(each) for each in (*metric_alert.CONDITIONS, *metric_alert.ONLY)):
        told = metric_alert.Told(to, sms, webhook)
        found = metric_alert.read_metric_alert(top, name, told)
        top.close()
        if top.at.problems or found is None:
            raise DocumentError(top.at.problems)
        return found
    over_percent = top.optional("campaign_failures", _over_percent)
    creation_missed = top.optional("creation_missed", _true)
    silent_ms = top.optional("executor_silent", spans.span(1_000, SILENT_MOST_MS))
    top.close()
    if top.at.problems or name is None:
        raise DocumentError(top.at.problems)
    return CampaignAlert(
        name=name,
        over_percent=over_percent,
        creation_missed=creation_missed is True,
        silent_ms=silent_ms,
        to=to,
        sms=sms,
        webhook=webhook,
    )


def _over_percent(value: object, at: At) -> float | None:
    parts = section(value, at, "over_percent")
    if parts is None:
        return None
    found = parts.required("over_percent", _percent, "a number of percent")
    parts.close()
    return found


def _percent(value: object, at: At) -> float | None:
    found = fields.number(value)
    if found is not None and 0 <= found < 100:
        return float(found)
    at.refuse(value, "a number of percent from 0, below 100")
    return None


def _true(value: object, at: At) -> bool | None:
    if value is True:
        return True
    at.refuse(value, "true")
    return None


def _webhook(value: object, at: At) -> str | None:
    parts = urlsplit(value) if isinstance(value, str) else None
    if parts is not None and parts.scheme in ("http", "https") and parts.hostname:
        return str(value)
    at.refuse(value, "an address like https://chat.example/hook")
    return None
