"""The sources of a worker put together: archive, outbound rules, credentials."""

import os
from collections.abc import Callable

from agents.collect import CollectMeans, Collector
from app.impressions import tables_of
from config.clock import Clock
from config.names import Names
from config.settings import Settings
from connectors.archive.archive import Archive
from connectors.files.opening import open_files, s3_access
from connectors.outbound import Outbound
from connectors.streams.base import Log
from tables.documents import Documents

JITTER_S = 3.0  # sources that are due at one time don't all begin in one moment


def open_archive(settings: Settings) -> Archive:
    """The archive that the settings name."""
    address = settings.archive or str(settings.data_dir / "archive")
    return Archive(open_files(address, s3_access(settings)))


def make_collector(
    settings: Settings,
    log: Log,
    clock: Clock,
    documents: Documents,
    worker: str,
    outbound: Outbound,
    fail: Callable[[BaseException], None],
    on_step: Callable[[int], None],
) -> Collector:
    """Opens nothing yet."""
    return Collector(
        CollectMeans(
            log=log,
            names=Names(settings.app_id, settings.topic_prefix),
            clock=clock,
            documents=documents,
            worker=worker,
            outbound=outbound,
            environ=os.environ,
            archive=open_archive(settings),
            fail=fail,
            on_step=on_step,
            max_record_bytes=settings.max_record_bytes,
            jitter_s=0.0 if clock.is_trial else JITTER_S,
            tables=lambda: tables_of(settings),
        )
    )
