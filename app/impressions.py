"""Where the tables of impressions are, for commands, workers and the console alike."""

from config.settings import Settings
from connectors.files.base import Files
from connectors.files.opening import open_files, s3_access


def tables_of(settings: Settings) -> Files:
    """The tree below which `tables/` is: SLUICE_TABLES_ROOT, else in the data directory."""
    address = settings.tables_root or str(settings.data_dir / "impressions")
    return open_files(address, s3_access(settings))
