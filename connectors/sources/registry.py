"""Every connector, one line each; those of other packages are found as entry points."""

from importlib import import_module
from importlib.metadata import entry_points

from connectors.sources.base import Connector
from connectors.sources.errors import CallFailed

GROUP = "sluice.sources"
# connector -> where its class is
CONNECTORS: dict[str, str] = {
    "github": "connectors.sources.github:Github",
    "github_webhook": "connectors.sources.github_webhook:GithubWebhook",
    "google_analytics": "connectors.sources.google_analytics:GoogleAnalytics",
    "http_json": "connectors.sources.http_json:HttpJson",
    "impressions": "connectors.sources.impressions:Impressions",
    "linkedin": "connectors.sources.linkedin:LinkedIn",
    "meltwater": "connectors.sources.meltwater:Meltwater",
    "pro_rankings": "connectors.sources.pro_rankings:ProRankings",
    "s3_access_logs": "connectors.sources.s3_access_logs:S3AccessLogs",
    "salesforce": "connectors.sources.salesforce:Salesforce",
    "twitter": "connectors.sources.twitter:Twitter",
    "youtube": "connectors.sources.youtube:YouTube",
}


def connector_class(name: str) -> type[Connector]:
    """The class of a connector. Raises CallFailed when there is none of that name here."""
    place = CONNECTORS.get(name)
    if place is not None:
        module, _, attribute = place.partition(":")
        found: type[Connector] = getattr(import_module(module), attribute)
        return found
    for entry in entry_points(group=GROUP, name=name):
        loaded: type[Connector] = entry.load()
        return loaded
    raise CallFailed(
        f"connector {name!r} is not installed on this worker; it would be an entry point of "
        f"group {GROUP}"
    )
