"""The stores that the settings name."""

from pathlib import Path

from connectors.stores.base import Documents, Negatives
from connectors.stores.mongo import MongoDocuments
from connectors.stores.mysql import MysqlNegatives
from connectors.stores.sqlite_documents import SqliteDocuments
from connectors.stores.sqlite_negatives import SqliteNegatives

DOCUMENTS_FILE = "documents.sqlite"
NEGATIVES_FILE = "negatives.sqlite"


def open_documents(address: str, data_dir: Path) -> Documents:
    """The store at SLUICE_DOCUMENTS; without an address a file in the data directory. Asks nothing
    of a server yet. Raises UsageError for an address that is none."""
    return MongoDocuments(address) if address else SqliteDocuments(data_dir / DOCUMENTS_FILE)


def open_negatives(address: str, data_dir: Path) -> Negatives:
    """The store at SLUICE_NEGATIVES; as `open_documents`."""
    return MysqlNegatives(address) if address else SqliteNegatives(data_dir / NEGATIVES_FILE)
