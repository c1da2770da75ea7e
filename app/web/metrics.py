"""The metrics of the product: every name with its type, its unit and what it tells.

The registry is the one place where a metric is named; samples of other names are refused.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

from aiohttp import web

from app.shapes import Sample
from domain.errors import SluiceError

MetricName = Literal[
    "sluice_info",
    "sluice_records_in_total",
    "sluice_records_out_total",
    "sluice_unmatched_records_total",
    "sluice_dead_letters_total",
    "sluice_flushes_total",
    "sluice_open_sessions",
    "sluice_overdue_sessions",
    "sluice_next_due_timestamp_seconds",
    "sluice_lag_records",
    "sluice_lag_seconds",
    "sluice_effective_now_timestamp_seconds",
    "sluice_control_count",
    "sluice_control_sum",
    "sluice_control_balanced",
    "sluice_document_version",
    "sluice_batches_total",
    "sluice_batch_seconds_total",
    "sluice_outbox_records",
    "sluice_recovery_records_left",
    "sluice_standby_age_seconds",
    "sluice_standby_records_left",
    "sluice_state_bytes",
    "sluice_state_memory_bytes",
    "sluice_campaign_records_total",
    "sluice_campaign_timers_total",
    "sluice_campaign_commits_total",
    "sluice_campaign_late_seconds",
    "sluice_campaign_held_seconds",
    "sluice_campaign_state_bytes",
    "sluice_campaign_orders_posted_total",
    "sluice_sink_records_total",
    "sluice_sink_waiting_records",
    "sluice_sink_failing",
    "sluice_source_pages_total",
    "sluice_source_records_total",
    "sluice_source_failing",
    "sluice_impressions_rows",
    "sluice_impressions_files",
    "sluice_impressions_mean",
    "sluice_impressions_stddev",
    "sluice_impressions_unmatched_rows",
    "sluice_impressions_rejected_rows",
    "sluice_impressions_waiting",
    "sluice_impressions_missing_days",
    "sluice_workers",
    "sluice_event_loop_lag_seconds",
    "sluice_http_requests_total",
    "sluice_http_request_seconds_total",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
]


@dataclass(frozen=True)
class Metric:
    """`unit` "" is a plain number. `help`: what it counts, when it moves, what to do."""

    type: Literal["counter", "gauge"]
    unit: Literal["", "records", "rows", "sessions", "seconds", "bytes", "requests"]
    help: str
    labels: tuple[str, ...] = ()


METRICS: Final[Mapping[MetricName, Metric]] = {
    "sluice_info": Metric("gauge", "", "always 1; the version is a label", ("version",)),
    "sluice_records_in_total": Metric(
        "counter", "records", "records taken from input topics", ("topic",)
    ),
    "sluice_records_out_total": Metric(
        "counter", "records", "records sent to output topics and acknowledged", ("topic",)
    ),
    "sluice_unmatched_records_total": Metric(
        "counter",
        "records",
        "records that no aggregator takes; an input or a filter is off",
        ("topic",),
    ),
    "sluice_dead_letters_total": Metric(
        "counter", "records", "records that could not be applied", ("aggregator", "reason")
    ),
    "sluice_flushes_total": Metric(
        "counter", "sessions", "sessions flushed, by flush type", ("aggregator", "flush_type")
    ),
    "sluice_open_sessions": Metric("gauge", "sessions", "sessions open now", ("aggregator",)),
    "sluice_overdue_sessions": Metric(
        "gauge", "sessions", "sessions due but not flushed; above 0 for long: a worker is behind"
    ),
    "sluice_next_due_timestamp_seconds": Metric(
        "gauge", "seconds", "when the next session is due, seconds since 1970"
    ),
    "sluice_lag_records": Metric(
        "gauge", "records", "records on a topic that wait to be applied", ("topic", "partition")
    ),
    "sluice_lag_seconds": Metric(
        "gauge", "seconds", "age of the oldest record that waits to be applied"
    ),
    "sluice_effective_now_timestamp_seconds": Metric(
        "gauge", "seconds", "the time a partition's timeouts compare with", ("partition",)
    ),
    "sluice_control_count": Metric(
        "gauge",
        "records",
        "control totals of the count, part by part",
        ("aggregator", "part"),
    ),
    "sluice_control_sum": Metric(
        "gauge", "", "control totals of a sum", ("aggregator", "result", "part")
    ),
    "sluice_control_balanced": Metric(
        "gauge", "", "1 while the control totals balance; 0: stop billing and look", ("aggregator",)
    ),
    "sluice_document_version": Metric(
        "gauge", "", "version of a document in force on this worker", ("kind", "name")
    ),
    "sluice_batches_total": Metric("counter", "", "batches applied", ("shard",)),
    "sluice_batch_seconds_total": Metric("counter", "seconds", "time spent in batches", ("shard",)),
    "sluice_outbox_records": Metric(
        "gauge", "records", "outputs decided and not yet acknowledged", ("shard",)
    ),
    "sluice_recovery_records_left": Metric(
        "gauge", "records", "changelog records still to read before a shard serves", ("shard",)
    ),
    "sluice_standby_age_seconds": Metric(
        "gauge",
        "seconds",
        "how old the standby copy of a shard is; above 10 for long: see the worker's log",
        ("table", "shard"),
    ),
    "sluice_standby_records_left": Metric(
        "gauge", "records", "changelog records still to read by a standby copy", ("table", "shard")
    ),
    "sluice_state_bytes": Metric("gauge", "bytes", "state on disk", ("shard",)),
    "sluice_state_memory_bytes": Metric(
        "gauge", "bytes", "memory that holds state: write buffers, caches, indexes", ("shard",)
    ),
    "sluice_campaign_records_total": Metric(
        "counter", "records", "records about campaigns that were applied", ("shard",)
    ),
    "sluice_campaign_timers_total": Metric(
        "counter", "", "timers and pages of jobs that were worked on", ("shard",)
    ),
    "sluice_campaign_commits_total": Metric("counter", "", "commits of campaign state", ("shard",)),
    "sluice_campaign_late_seconds": Metric(
        "gauge",
        "seconds",
        "age of the oldest timer; above 1 for long: a worker is behind",
        ("shard",),
    ),
    "sluice_campaign_held_seconds": Metric(
        "gauge",
        "seconds",
        "how long a shard has waited for a store; look at MongoDB and MySQL",
        ("shard",),
    ),
    "sluice_campaign_state_bytes": Metric("gauge", "bytes", "campaign state on disk", ("shard",)),
    "sluice_campaign_orders_posted_total": Metric(
        "counter", "", "orders and cancels that endpoints of flows took or refused"
    ),
    "sluice_sink_records_total": Metric(
        "counter",
        "records",
        "records of a sink's topic by what became of them: accepted, refused, passed over, "
        "repeated, missed (deleted before their turn); sent: handed to the target",
        ("sink", "part"),
    ),
    "sluice_sink_waiting_records": Metric(
        "gauge", "records", "records on a sink's topic that it has not come to yet", ("sink",)
    ),
    "sluice_sink_failing": Metric(
        "gauge",
        "",
        "partitions whose target does not take what it is given; above 0 for long: look at it",
        ("sink",),
    ),
    "sluice_source_pages_total": Metric(
        "counter", "", "pages of a source that are in the archive", ("source",)
    ),
    "sluice_source_records_total": Metric(
        "counter", "records", "records of a source that are in the archive", ("source",)
    ),
    "sluice_source_failing": Metric(
        "gauge",
        "",
        "1 while the last fetch of a source failed; look at its last_error",
        ("source",),
    ),
    "sluice_impressions_rows": Metric("gauge", "rows", "rows of a table in force", ("table",)),
    "sluice_impressions_files": Metric("gauge", "", "files of a table in force", ("table",)),
    "sluice_impressions_mean": Metric("gauge", "", "mean of viewing_percentage", ("table",)),
    "sluice_impressions_stddev": Metric(
        "gauge", "", "standard deviation of viewing_percentage, of the population", ("table",)
    ),
    "sluice_impressions_unmatched_rows": Metric(
        "gauge", "rows", "rows whose campaign is not in the dimension; give it to it", ("table",)
    ),
    "sluice_impressions_rejected_rows": Metric(
        "gauge", "rows", "rows refused in the loads in force; the rejects files say why", ("table",)
    ),
    "sluice_impressions_waiting": Metric(
        "gauge", "", "loads and dimensions that run or wait; above 0 for long: look at the page"
    ),
    "sluice_impressions_missing_days": Metric(
        "gauge", "", "days whose file has not come; above 0: ask whoever delivers it"
    ),
    "sluice_workers": Metric("gauge", "", "workers heard of lately, by state", ("state",)),
    "sluice_event_loop_lag_seconds": Metric(
        "gauge", "seconds", "how late the event loop runs; above 1: the worker is overloaded"
    ),
    "sluice_http_requests_total": Metric(
        "counter", "requests", "HTTP requests answered", ("method", "route", "status")
    ),
    "sluice_http_request_seconds_total": Metric(
        "counter", "seconds", "time spent answering them", ("method", "route")
    ),
    "process_cpu_seconds_total": Metric("counter", "seconds", "processor time used"),
    "process_resident_memory_bytes": Metric("gauge", "bytes", "memory held"),
}
NAMES: Final = frozenset(get_args(MetricName))


class UnknownMetric(SluiceError):
    """A sample whose name or labels the registry does not have: a fault of the product."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        super().__init__(
            f"metric {sample.name!r} with labels {sorted(sample.labels)} is not registered"
        )


def exposition(samples: Iterable[Sample]) -> str:
    """The samples in Prometheus's text format. Raises UnknownMetric."""
    by_name: dict[str, list[str]] = {}
    for sample in samples:
        metric = METRICS.get(sample.name)  # type: ignore[call-overload]  # any text is a fair question
        if metric is None or set(sample.labels) != set(metric.labels):
            raise UnknownMetric(sample)
        labels = ",".join(f'{name}="{_escaped(sample.labels[name])}"' for name in metric.labels)
        line = f"{sample.name}{{{labels}}}" if labels else sample.name
        by_name.setdefault(sample.name, []).append(f"{line} {_number(sample.value)}")
    lines = []
    for name, metric in METRICS.items():
        if name in by_name:
            lines += [f"# HELP {name} {metric.help}", f"# TYPE {name} {metric.type}"]
            lines += by_name[name]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(float(value))


class Traffic:
    """Counts HTTP answers by method, route and status."""

    def __init__(self) -> None:
        # (method, route, status) -> answers
        self._answers: dict[tuple[str, str, int], int] = {}
        # (method, route) -> seconds
        self._seconds: dict[tuple[str, str], float] = {}

    def add(self, method: str, route: str, status: int, seconds: float) -> None:
        """One answer; `route` is the pattern, so that there are few of them."""
        key = (method, route, status)
        self._answers[key] = self._answers.get(key, 0) + 1
        self._seconds[key[:2]] = self._seconds.get(key[:2], 0.0) + seconds

    def samples(self) -> list[Sample]:
        """The counts as samples."""
        found = [
            Sample(
                "sluice_http_requests_total",
                count,
                {"method": method, "route": route, "status": str(status)},
            )
            for (method, route, status), count in self._answers.items()
        ]
        found += [
            Sample("sluice_http_request_seconds_total", spent, {"method": method, "route": route})
            for (method, route), spent in self._seconds.items()
        ]
        return found


TRAFFIC: Final = web.AppKey[Traffic]("traffic")
