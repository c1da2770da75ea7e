"""Both twins of a tree of files for one suite."""

import uuid
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from connectors.files.base import Files
from connectors.files.opening import open_files
from connectors.files.s3_access import AS_AWS_DOES, S3Access


@dataclass(frozen=True)
class Tree:
    """A tree under test: its address and, on S3, how to get at it."""

    address: str
    access: S3Access

    def open(self) -> Files:
        """It, not asked for anything yet."""
        return open_files(self.address, self.access)


def access_of(url: str) -> tuple[S3Access, str]:
    """How to get at the server at http://KEY:SECRET@HOST:PORT/BUCKET, and its bucket."""
    parts = urlsplit(url)
    endpoint = f"{parts.scheme}://{parts.hostname}:{parts.port}"
    access = S3Access(endpoint, "us-east-1", parts.username or "", parts.password or "")
    return access, parts.path.strip("/")


def tree(wanted: pytest.FixtureRequest, folder: Path) -> Tree:
    """An empty one: `folder`, or below a prefix of the server that the fixture gives."""
    if wanted.param == "folder":
        return Tree(str(folder / "tree"), AS_AWS_DOES)
    access, bucket = access_of(wanted.getfixturevalue(wanted.param))
    return Tree(f"s3://{bucket}/t-{uuid.uuid4().hex[:12]}", access)
