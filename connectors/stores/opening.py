"""The stores that the settings name. Drivers of servers are loaded by those who have one."""

from pathlib import Path

from connectors.stores.base import Documents, Negatives
from connectors.stores.sqlite_documents import SqliteDocuments
from connectors.stores.sqlite_negatives import SqliteNegatives

DOCUMENTS_FILE = "documents.sqlite"
NEGATIVES_FILE = "negatives.sqlite"


def open_documents(address: str, data_dir: Path) -> Documents:
    """The store at SLUICE_DOCUMENTS; without an address a file in the data directory. Asks nothing
    of a server yet. Raises UsageError for an address that is none."""
    if not address:
        return SqliteDocuments(data_dir / DOCUMENTS_FILE)
    from connectors.stores.mongo import MongoDocuments

    return MongoDocuments(address)


def open_negatives(address: str, data_dir: Path) -> Negatives:
    """The store at SLUICE_NEGATIVES; as `open_documents`."""
    if not address:
        return SqliteNegatives(data_dir / NEGATIVES_FILE)
    from connectors.stores.mysql import MysqlNegatives

    return MysqlNegatives(address)
