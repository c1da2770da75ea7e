"""Sources of the backend in memory."""

from collections.abc import Mapping, Sequence

from app.source_shapes import BadSignature, Fetch, FetchRefused, Rebuild, Receipt, SourceStatus

STARS = SourceStatus(
    "stars", "github", {"etags": {}}, 1_700_000_000_000, None, 1_700_000_900_000, False, 4_987
)
DEALS = SourceStatus(
    "data-per-account",
    "salesforce",
    None,
    None,
    "answered 503: busy, 6 times",
    1_700_000_900_000,
    True,
)


class FakeSources:
    """Answers at once. A fetch is done when it is asked for a second time."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[SourceStatus] = [DEALS, STARS]
        self.fetches: list[tuple[str, int | None, int | None, bool]] = []

    async def metric_sources(self) -> Sequence[SourceStatus]:
        return self.sources

    async def fetch_source(
        self, name: str, from_ms: int | None, to_ms: int | None, *, trial: bool
    ) -> Fetch | None:
        if all(source.name != name for source in self.sources):
            return None
        if from_ms is not None and name == "stars":
            raise FetchRefused("connector github has no history to fetch by time")
        self.fetches.append((name, from_ms, to_ms, trial))
        return Fetch("f-1", name, "waiting")

    async def fetch_of_source(self, name: str, fetch_id: str, wait_s: float) -> Fetch | None:
        if fetch_id == "nope":
            return None
        sample = [{"key": "1", "ts_ms": 1_700_000_000_000, "attributes": {"id": 1}}]
        return Fetch(fetch_id, name, "done", pages=1, records=1, sample=sample)

    async def rebuild_source(self, name: str) -> Rebuild | None:
        known = any(source.name == name for source in self.sources)
        return Rebuild("r-1", name, "running") if known else None

    async def rebuild_of_source(self, name: str, rebuild_id: str, wait_s: float) -> Rebuild | None:
        if rebuild_id == "nope":
            return None
        return Rebuild(rebuild_id, name, "done", "", 4, 1, 0, 6)

    async def receive_hook(
        self, name: str, headers: Mapping[str, str], body: bytes
    ) -> Receipt | None:
        if name != "stars":
            return None
        if headers.get("X-Hub-Signature-256") != "sha256=good":
            raise BadSignature(name)
        return "repeated" if headers.get("X-GitHub-Delivery") == "seen" else "taken"
