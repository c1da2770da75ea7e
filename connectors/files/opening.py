"""From an address to a tree of files, or to one file in it."""

from pathlib import Path
from urllib.parse import urlsplit

from config.settings import Settings
from connectors.files.base import Files
from connectors.files.local import LocalFiles
from connectors.files.s3_access import AS_AWS_DOES, S3Access
from domain.errors import UsageError

S3 = "s3://"


def s3_access(settings: Settings) -> S3Access:
    """How the settings say that S3 is to be got at."""
    return S3Access(
        settings.s3_endpoint,
        settings.s3_region,
        settings.s3_access_key,
        settings.s3_secret_key,
    )


def open_files(address: str, s3: S3Access = AS_AWS_DOES) -> Files:
    """The tree at a folder or an s3://bucket/prefix. Nothing is looked at yet; raises UsageError
    for an address without a bucket."""
    if not address.startswith(S3):
        return LocalFiles(Path(address))
    bucket, _, prefix = address.removeprefix(S3).partition("/")
    if not bucket or urlsplit(f"{S3}{bucket}").netloc != bucket:
        raise UsageError(f"{address} names no bucket; expected s3://bucket/prefix")
    from connectors.files.s3 import S3Files  # a third of a second, for those who have S3

    return S3Files(bucket, prefix, s3)


def open_file(address: str, s3: S3Access = AS_AWS_DOES) -> tuple[Files, str]:
    """The tree a file is in, and its name there; raises UsageError for an address of no file."""
    if not address.startswith(S3):
        path = Path(address).absolute()
        return open_files(str(path.parent)), path.name
    folder, _, name = address.removeprefix(S3).rpartition("/")
    if not folder or not name:
        raise UsageError(f"{address} names no file; expected s3://bucket/path/file")
    return open_files(f"{S3}{folder}", s3), name
