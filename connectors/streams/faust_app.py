"""The Faust app of a worker, with the settings under which Faust keeps what it promises."""

from typing import Any

import faust
from yarl import URL

from config.settings import Settings
from connectors.streams.base import TP, Log
from connectors.streams.faust_transport import register
from domain.clock import Clock

# A worker that takes longer than this to finish its batches is put out of the group.
_REBALANCE_TIMEOUT_S = 30.0
# A join waits for the slowest member, so a request may take longer than a rebalance.
_REQUEST_TIMEOUT_S = 40.0
# Faust leaves the group when nothing was fetched for this long: also behind back-pressure, so it
# is longer than any batch takes.
_MAX_IDLE_S = 3600.0


class App(faust.App):
    """A Faust app that knows the log, the settings and the clock it was made with."""

    sluice_log: Log
    sluice_settings: Settings
    sluice_clock: Clock

    async def on_first_start(self) -> None:
        """Makes the data directory: Faust makes its own folder in it, but not the way there."""
        self.conf.datadir.mkdir(parents=True, exist_ok=True)
        await super().on_first_start()


def make_app(
    settings: Settings,
    log: Log,
    clock: Clock,
    *,
    group: str,
    instance_id: str | None = None,
    **options: Any,
) -> App:
    """An app of consumer group `group` on the stream of the settings; it isn't started.

    `log` must be started before the app, and stopped after it. `instance_id` makes the worker a
    static member: a restart within the session timeout costs no rebalance. `options` override
    Faust's settings, for tests.
    """
    register()
    app = App(
        group,
        **{
            "broker": broker_urls(settings),
            "datadir": settings.data_dir / "faust",
            "store": "memory://",
            "key_serializer": "raw",
            "value_serializer": "raw",
            "topic_partitions": settings.partitions,
            "topic_replication_factor": settings.replication,
            # no leader topic: nothing of ours runs on "the leader"
            "topic_disable_leader": True,
            # no table of Faust's: its assignor says who stands by for the partitions of a topic
            "table_standby_replicas": settings.standby,
            # an agent that raised must not go on with the next batch
            "agent_supervisor": "mode.supervisors.CrashingSupervisor",
            "broker_commit_interval": settings.commit_interval_s,
            "broker_session_timeout": settings.session_timeout_s,
            # ten chances to be heard within a session; a rebalance is noticed within one
            "broker_heartbeat_interval": settings.session_timeout_s / 10,
            "broker_rebalance_timeout": _REBALANCE_TIMEOUT_S,
            "broker_request_timeout": max(_REQUEST_TIMEOUT_S, settings.session_timeout_s),
            "broker_max_poll_interval": _MAX_IDLE_S,
            "consumer_auto_offset_reset": "earliest",
            "consumer_max_fetch_size": settings.batch_bytes,
            # topics made or widened by others are noticed within this time
            "consumer_metadata_max_age_ms": 30_000,
            "consumer_group_instance_id": instance_id,
            # Faust's own pages would show state to anyone; the product has its own
            "web_enabled": False,
            "web_tables_enabled": False,
            "web_router_enabled": False,
            **options,
        },
    )
    app.sluice_log = log
    app.sluice_settings = settings
    app.sluice_clock = clock
    return app


def standbys_of(app: App) -> set[TP]:
    """The partitions that this worker stands by for, as of the last assignment."""
    return {(tp.topic, tp.partition) for tp in app.assignor.assigned_standbys()}


def broker_urls(settings: Settings) -> list[URL]:
    """`kafka://a:9092,b:9092` and `embedded://` as URLs of our transports."""
    if not settings.brokers:
        return [URL("sluice-embedded://local")]
    return [URL(f"sluice-kafka://{broker}") for broker in settings.brokers]
