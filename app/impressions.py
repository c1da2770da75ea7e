"""Where the tables of impressions and their files are, for commands, workers and the console."""

from agents.impressions.incoming import Incoming
from agents.impressions.source import Source
from config.settings import Settings
from connectors.files.base import Files
from connectors.files.opening import S3, open_file, open_files, s3_access

TABLES = "tables/"


def _root(settings: Settings) -> str:
    return settings.tables_root or str(settings.data_dir / "impressions")


def tables_of(settings: Settings) -> Files:
    """The tree below which `tables/` is: SLUICE_TABLES_ROOT, else in the data directory."""
    return open_files(_root(settings), s3_access(settings))


def source_at(address: str, settings: Settings) -> Source:
    """The file at an address, which is told by its whole path."""
    files, name = open_file(address, s3_access(settings))
    return Source(files, name, f"{files.where}/{name}")


def incoming_of(settings: Settings) -> Incoming:
    """Where new files are looked for: SLUICE_IMPRESSIONS_INCOMING, else beside `tables/`."""
    address = settings.impressions_incoming or _root(settings)
    without = "" if settings.impressions_incoming else TABLES
    files = open_files(address, s3_access(settings))
    return Incoming(files, without, settled=address.startswith(S3))
