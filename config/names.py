"""Names of topics and groups: what is public carries the prefix, what is ours the app id."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Names:
    """Physical names for one installation; two with other ids and prefixes share a broker."""

    app_id: str
    prefix: str = ""

    def topic(self, name: str) -> str:
        """The physical name of the public topic `name`."""
        return self.prefix + name

    def public(self, physical: str) -> str:
        """The inverse of `topic`; a name without the prefix is returned as it is."""
        return physical.removeprefix(self.prefix)

    @property
    def group(self) -> str:
        """The consumer group of the workers."""
        return self.app_id

    @property
    def sessions_in(self) -> str:
        """Records routed to the partition that owns their session."""
        return f"{self.app_id}-sessions-in"

    @property
    def campaigns_in(self) -> str:
        """Records about campaigns, on the partition that owns their flow."""
        return f"{self.app_id}-campaigns-in"

    @property
    def retrigger_in(self) -> str:
        """Retriggers, on their way to that partition."""
        return f"{self.app_id}-retrigger-in"

    @property
    def insight_in(self) -> str:
        """Funnel and usage events, on the partition that owns their customer."""
        return f"{self.app_id}-insight-in"

    @property
    def deliveries(self) -> str:
        """What was pushed to sources, on the partition of their lane, by source."""
        return f"{self.app_id}-deliveries-in"

    @property
    def workers(self) -> str:
        """Heartbeats of the workers, by worker id."""
        return f"{self.app_id}-workers"

    @property
    def processes(self) -> str:
        """What each worker does and how it is, by worker id."""
        return f"{self.app_id}-processes"

    @property
    def requests(self) -> str:
        """Idempotency keys and the answers given to them."""
        return f"{self.app_id}-requests"

    @property
    def people(self) -> str:
        """Users, tokens and sign-ins, by kind and name."""
        return f"{self.app_id}-people"

    @property
    def audit(self) -> str:
        """Changes that people and programs made by way of the console."""
        return f"{self.app_id}-audit"

    def changelog(self, table: str) -> str:
        """The compacted topic that `table` is recovered from."""
        return f"{self.app_id}-{table}-changelog"

    def is_internal(self, physical: str) -> bool:
        """Whether a topic is the product's own state, not for people to produce to."""
        own = {self.sessions_in, self.campaigns_in, self.retrigger_in}
        own |= {self.insight_in, self.deliveries, self.workers, self.processes, self.requests}
        own |= {self.people, self.audit}
        changelog = physical.startswith(f"{self.app_id}-") and physical.endswith("-changelog")
        return changelog or physical in own
