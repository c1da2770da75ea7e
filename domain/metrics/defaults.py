"""What each connector of the product gives without being told: keys and metrics."""

from __future__ import annotations

from dataclasses import dataclass

from domain.metrics.document import Metric, MetricType


@dataclass(frozen=True)
class Default:
    """`key`: paths that make a record the same one; a document's own take their place. `always`:
    paths behind them that no document takes away, such as the time of a snapshot."""

    key: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    metrics: tuple[Metric, ...] = ()


def _metrics(prefix: str, kind: MetricType, by: str, **paths: str) -> tuple[Metric, ...]:
    """Metrics `prefix.NAME{DIMENSION}`; `by` is `DIMENSION=path`."""
    name, _, path = by.partition("=")
    dimensions = ((name, path),) if name else ()
    return tuple(Metric(f"{prefix}.{k}", value, kind, dimensions) for k, value in paths.items())


_REQUESTS = (("bucket", "bucket"), ("key", "key"), ("status", "status"))
# connector -> what it gives
DEFAULTS: dict[str, Default] = {
    "http_json": Default(),
    "github": Default(
        ("full_name",),
        ("kind", "at"),
        (
            *_metrics(
                "github", "gauge", "repo=full_name",
                stars="stargazers_count", forks="forks_count", watchers="subscribers_count",
                pulls="open_pulls",
            ),
            *_metrics(
                "github.traffic", "counter", "repo=full_name",
                views="views", visitors="visitors", clones="clones", cloners="cloners",
            ),
        ),
    ),
    "github_webhook": Default(
        ("delivery",),
        (),
        (Metric("github.events", 1, "counter", (("event", "event"), ("repo", "repo"))),),
    ),
    "salesforce": Default(("Id",)),
    # the dimensions, their day among them, are of the document: see `Source.mapping`
    "google_analytics": Default(),
    "youtube": Default(
        ("channel",),
        ("kind", "at"),
        (
            *_metrics(
                "youtube", "gauge", "channel=channel",
                subscribers="subscriberCount", views="viewCount", videos="videoCount",
            ),
            *_metrics(
                "youtube.day", "counter", "channel=channel",
                views="views", minutes="estimatedMinutesWatched", likes="likes",
                comments="comments", shares="shares", subscribers_gained="subscribersGained",
                subscribers_lost="subscribersLost",
            ),
        ),
    ),
    "linkedin": Default(
        ("organization",),
        ("at",),
        _metrics(
            "linkedin", "counter", "organization=organization",
            impressions="impressionCount", unique_impressions="uniqueImpressionsCount",
            clicks="clickCount", likes="likeCount", comments="commentCount", shares="shareCount",
        ),
    ),
    "twitter": Default(
        ("username",),
        ("at",),
        _metrics(
            "twitter", "gauge", "username=username",
            followers="followers_count", following="following_count", tweets="tweet_count",
            listed="listed_count",
        ),
    ),
    "meltwater": Default(
        ("id",),
        (),
        (
            Metric("meltwater.mentions", 1, "counter", (("search", "search"),)),
            Metric("meltwater.reach", "reach", "counter", (("search", "search"),)),
        ),
    ),
    "pro_rankings": Default(),
    "impressions": Default(
        ("id",),
        (),
        (
            *_metrics(
                "impressions", "counter", "campaign=campaign",
                rows="rows", unmatched="unmatched", viewing_sum="sum", viewing_squares="squares",
            ),
            *_metrics(
                "impressions", "gauge", "campaign=campaign",
                viewing_percentage="mean", viewing_deviation="stddev",
            ),
            *_metrics("impressions", "counter", "", loads="loads", rejected="rejected"),
        ),
    ),
    "s3_access_logs": Default(
        ("request_id",),
        (),
        (
            Metric("s3.requests", 1, "counter", _REQUESTS),
            Metric("s3.bytes", "bytes", "counter", _REQUESTS),
        ),
    ),
}  # fmt: skip


def default_of(connector: str) -> Default:
    """What a connector gives; nothing of another package's."""
    return DEFAULTS.get(connector, Default())
