"""A tree of files in a bucket of S3, or below a prefix of it.

A file is put into place by one request on a condition: a small one by its PutObject, a large one
by the end of a multipart upload; before that, nobody sees it. Every write carries a mark of its
own, so that a refusal which follows a lost answer is told from one because of somebody else's file.
The tag of a file is its ETag.
"""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from connectors.files.base import Conflict, FilesRefused, Found, Missing
from connectors.files.s3_access import AS_AWS_DOES, S3Access
from connectors.files.s3_client import (
    MEANWHILE,
    MISSING,
    TAKEN,
    Failed,
    code_of,
    connect,
    status_of,
    told,
)
from connectors.files.s3_streams import MARK, S3Reading, S3Writing

PAGE = 1_000  # files that a listing asks for at a time: the most that S3 gives


class S3Files:
    """See `base.Files`. Nothing is asked before the first use."""

    def __init__(self, bucket: str, prefix: str = "", access: S3Access = AS_AWS_DOES) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._client = connect(access, self.where)

    @property
    def where(self) -> str:
        """See `base.Files`."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def list(self, prefix: str = "", *, without: str = "") -> Iterator[Found]:
        """See `base.Files`."""
        for found in self._list(prefix, ""):
            if without and found.name.startswith(without):
                # The first name that is behind all of the folder's: "0" follows "/".
                yield from self._list(prefix, f"{without.rstrip('/')}0")
                return
            yield found

    def _list(self, prefix: str, begin: str) -> Iterator[Found]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket,
            Prefix=self._prefix + prefix,
            PaginationConfig={"PageSize": PAGE},
            **({"StartAfter": self._prefix + begin} if begin else {}),
        )
        with told(self.where):
            for page in pages:
                for one in page.get("Contents", ()):
                    if not one["Key"].endswith("/"):  # what consoles make for an empty folder
                        yield self._found(one["Key"], one["Size"], one)

    def stat(self, name: str) -> Found | None:
        """See `base.Files`."""
        key = self._key(name)
        with told(self._at(key)):
            try:
                said = self._client.head_object(Bucket=self._bucket, Key=key)
            except Failed as error:
                if code_of(error) in MISSING:
                    return None
                raise
        return self._found(key, said["ContentLength"], said)

    def open(self, name: str, start: int = 0, end: int | None = None) -> S3Reading:
        """See `base.Files`."""
        found = self.stat(name)
        key = self._key(name)
        if found is None:
            raise Missing(self._at(key))
        last = found.size if end is None else min(end, found.size)
        return S3Reading(self._client, self._bucket, key, found.tag, start, last)

    def read(self, name: str) -> tuple[bytes, str] | None:
        """See `base.Files`."""
        key = self._key(name)
        with told(self._at(key)):
            try:
                said = self._client.get_object(Bucket=self._bucket, Key=key)
            except Failed as error:
                if code_of(error) in MISSING:
                    return None
                raise
            return said["Body"].read(), said["ETag"]

    def write(self, name: str) -> S3Writing:
        """See `base.Files`."""
        return S3Writing(self._client, self._bucket, self._key(name), name)

    def swap(self, name: str, content: bytes, tag: str | None) -> str:
        """See `base.Files`."""
        key, mark = self._key(name), uuid4().hex
        only = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
        with told(self._at(key)):
            try:
                said = self._client.put_object(
                    Bucket=self._bucket, Key=key, Body=content, Metadata={MARK: mark}, **only
                )
            except Failed as error:
                if code_of(error) not in TAKEN | MEANWHILE | MISSING:
                    raise
                mine = self._marked(key, mark)
                if mine is None:
                    raise Conflict(self._at(key)) from None
                return mine
            return str(said["ETag"])

    def remove(self, name: str, tag: str | None = None) -> None:
        """See `base.Files`."""
        key = self._key(name)
        only = {} if tag is None else {"IfMatch": tag}
        with told(self._at(key)):
            try:
                self._client.delete_object(Bucket=self._bucket, Key=key, **only)
            except Failed as error:
                if code_of(error) in MISSING:
                    return
                if code_of(error) not in TAKEN | MEANWHILE:
                    raise
                if self.stat(name) is not None:
                    raise Conflict(self._at(key)) from None

    def settle(self) -> None:
        """See `base.Files`: S3 answers a write when it is durable."""

    def sweep(self, prefix: str) -> int:
        """See `base.Files`: what was begun is an upload of parts without an end."""
        swept = 0
        pages = self._client.get_paginator("list_multipart_uploads").paginate(
            Bucket=self._bucket, Prefix=self._prefix + prefix
        )
        with told(self.where):
            for upload in [one for page in pages for one in page.get("Uploads", ())]:
                asked = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
                try:
                    self._client.abort_multipart_upload(Bucket=self._bucket, **asked)
                except Failed as error:
                    if status_of(error) != 404:
                        raise
                    continue  # put into place or given up since it was listed
                swept += 1
        return swept

    def _marked(self, key: str, mark: str) -> str | None:
        """The tag of what is there, if it is the write with that mark."""
        try:
            said = self._client.head_object(Bucket=self._bucket, Key=key)
        except Failed as error:
            if code_of(error) in MISSING:
                return None
            raise
        return str(said["ETag"]) if said["Metadata"].get(MARK) == mark else None

    def _key(self, name: str) -> str:
        if any(part in ("", ".", "..") or "\0" in part for part in name.split("/")):
            raise FilesRefused(self.where, f"{name!r} is no name of a file in it")
        return self._prefix + name

    def _at(self, key: str) -> str:
        return f"s3://{self._bucket}/{key}"

    def _found(self, key: str, size: int, said: Any) -> Found:
        changed_ms = int(said["LastModified"].timestamp() * 1000)
        return Found(key.removeprefix(self._prefix), size, said["ETag"], changed_ms)
