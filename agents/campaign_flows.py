"""Flows, contact policies and alerts in force, of the documents that this worker knows."""

import json

from agents.campaign_route import home_of
from config.documents.base import DocumentError
from config.documents.registry import load_stored
from domain.campaigns.document import CampaignAlert, ContactPolicy, Flow, Flows
from tables.documents import Documents
from tables.in_force import out_of_service
from tables.out_of_service import OutOfService

ALL = "*"
"""In place of the names of flows: every one."""
Known = Flow | ContactPolicy | CampaignAlert


class FlowsOfShard:
    """`Flows` of one shard: which numbers' contacts it keeps."""

    def __init__(self, flows: Flows, number: int, shards: int) -> None:
        self._number, self._shards = number, shards
        self.policies, self.alerts, self._flow = flows.policies, flows.alerts, flows

    def __call__(self, name: str) -> Flow | None:
        """See `Flows`."""
        return self._flow(name)

    def halted(self, name: str) -> bool:
        """See `Flows`."""
        return self._flow.halted(name)

    def keeps(self, number: str) -> bool:
        """See `Flows`."""
        return home_of(number, self._shards) == self._number


class FlowsInForce:
    """`Flows` of the rules. Each version is read once. Of a document that is out of service the
    newest version that can be read stands in, and what it is about is halted.
    """

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._read: dict[tuple[str, str], tuple[int, Known]] = {}
        self._posted = (-1, False)
        self._halted: tuple[int, frozenset[str]] = (-1, frozenset())
        self._policies: tuple[int, tuple[ContactPolicy, ...]] = (-1, ())
        self._alerts: tuple[int, tuple[CampaignAlert, ...]] = (-1, ())

    def __call__(self, name: str) -> Flow | None:
        """The flow of that name, the newest; None when it was removed or never was."""
        found = self._load("flow", name)
        return found if isinstance(found, Flow) else None

    def policies(self) -> tuple[ContactPolicy, ...]:
        """Every contact policy, by name."""
        revision = self._documents.revision
        if self._policies[0] != revision:
            found = self._all("contact_policy")
            self._policies = (revision, tuple(p for p in found if isinstance(p, ContactPolicy)))
        return self._policies[1]

    def alerts(self) -> tuple[CampaignAlert, ...]:
        """Every alert about campaigns, by name."""
        revision = self._documents.revision
        if self._alerts[0] != revision:
            found = self._all("alert")
            self._alerts = (revision, tuple(a for a in found if isinstance(a, CampaignAlert)))
        return self._alerts[1]

    def posted(self) -> bool:
        """Whether the orders of any flow are posted to an endpoint."""
        revision = self._documents.revision
        if self._posted[0] != revision:
            names = [name for kind, name in self._documents.history if kind == "flow"]
            flows = [self(name) for name in names]
            self._posted = (revision, any(f is not None and f.executor == "http" for f in flows))
        return self._posted[1]

    def halted(self, name: str) -> bool:
        """Whether the flow, or a contact policy over it, is out of service."""
        revision = self._documents.revision
        if self._halted[0] != revision:
            lost = out_of_service(self._documents) if self._documents.history else []
            found = {one.name for one in lost if one.kind == Flow.kind}
            for one in lost:
                if one.kind == ContactPolicy.kind:
                    found |= self._flows_of(one)
            self._halted = (revision, frozenset(found))
        return name in self._halted[1] or ALL in self._halted[1]

    def _flows_of(self, policy: OutOfService) -> set[str]:
        """The flows that a policy which can't be read may be about."""
        version = self._documents.latest(policy.kind, policy.name)
        said = json.loads(version.document or "{}") if version is not None else {}
        flows = said.get("flows") if isinstance(said, dict) else None
        return set(map(str, flows)) if isinstance(flows, list) else {ALL}

    def keeps(self, number: str) -> bool:
        """Of no shard in particular, it keeps none: see `FlowsOfShard`."""
        return False

    def _all(self, wanted: str) -> list[Known | None]:
        names = sorted(name for kind, name in self._documents.history if kind == wanted)
        return [self._load(wanted, name) for name in names]

    def _load(self, kind: str, name: str) -> Known | None:
        version = self._documents.latest(kind, name)
        if version is None or version.document is None:
            return None
        known = self._read.get((kind, name))
        if known is None or known[0] != version.version:
            found = self._newest(kind, name)
            if found is None:
                return None
            known = self._read[kind, name] = (version.version, found)
        return known[1]

    def _newest(self, kind: str, name: str) -> Known | None:
        """The newest version that can be read, since the document was last removed."""
        for version in reversed(self._documents.history[kind, name]):
            if version.document is None:
                return None
            try:
                loaded = load_stored(json.loads(version.document))
            except DocumentError:
                continue
            return loaded if isinstance(loaded, Known) else None
        return None
