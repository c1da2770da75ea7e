"""Bytes to and from one object of S3, piece by piece."""

from typing import Any
from uuid import uuid4

from botocore.exceptions import (
    BotoCoreError,
    HTTPClientError,
)
from urllib3.exceptions import HTTPError

from connectors.files.base import Conflict, FilesUnavailable, Found, Missing
from connectors.files.s3_client import MEANWHILE, MISSING, TAKEN, Failed, code_of, now_ms, told

MARK = "sluice-write"  # metadata of an object: which write it is of
# A part is at least 5 MiB, and there are at most 10,000 of them. With parts that double every
# 1,000, a file of 5 TB (S3's own limit) fits, and memory follows the file's size only there.
PART_BYTES, PARTS_OF_A_SIZE = 8 << 20, 1_000
MENDS = 5  # broken connections in a row without a byte in between


class S3Reading:
    """See `base.Reading`. One request for the whole range, another one where it breaks."""

    def __init__(self, client: Any, bucket: str, key: str, tag: str, start: int, end: int) -> None:
        self._client, self._bucket, self._key, self._tag = client, bucket, key, tag
        self._next, self._end = start, end
        self._body: Any = None

    def read(self, size: int, /) -> bytes:
        """See `base.Reading`."""
        for _ in range(MENDS):
            if self._next >= self._end or size <= 0:
                return b""
            try:
                piece: bytes = self._opened().read(min(size, self._end - self._next))
            except (BotoCoreError, HTTPClientError, HTTPError, OSError):
                piece = b""
            if piece:
                self._next += len(piece)
                return piece
            self.close()  # it broke: the next turn asks for the rest
        raise FilesUnavailable(self._where, f"the connection broke {MENDS} times at {self._next}")

    def close(self) -> None:
        """See `base.Reading`."""
        if self._body is not None:
            self._body.close()
            self._body = None

    @property
    def _where(self) -> str:
        return f"s3://{self._bucket}/{self._key}"

    def _opened(self) -> Any:
        if self._body is not None:
            return self._body
        rest = f"bytes={self._next}-{self._end - 1}"
        with told(self._where):
            try:
                said = self._client.get_object(
                    Bucket=self._bucket, Key=self._key, Range=rest, IfMatch=self._tag
                )
            except Failed as error:
                if code_of(error) in TAKEN:
                    raise Conflict(self._where) from None
                if code_of(error) in MISSING:
                    raise Missing(self._where) from None
                raise
        self._body = said["Body"]
        return self._body


class S3Writing:
    """See `base.Writing`. Holds one part in memory; what fits into one needs no upload of parts."""

    def __init__(self, client: Any, bucket: str, key: str, name: str) -> None:
        self._client, self._at = client, {"Bucket": bucket, "Key": key}
        self._where, self._name = f"s3://{bucket}/{key}", name
        self._mark, self._held = uuid4().hex, bytearray()
        self._upload = ""
        self._parts: list[dict[str, Any]] = []
        self._size = 0

    def write(self, piece: bytes | memoryview, /) -> None:
        """See `base.Writing`."""
        rest = memoryview(piece).cast("B")
        while rest:
            room = self._part_bytes - len(self._held)
            self._held += rest[:room]
            rest = rest[room:]
            if len(self._held) == self._part_bytes:
                self._send()

    def place(self) -> Found:
        """See `base.Writing`."""
        with told(self._where):
            try:
                said = self._complete() if self._upload else self._put()
            except Failed as error:
                if code_of(error) not in TAKEN | MEANWHILE | {"NoSuchUpload"}:
                    raise
                found = self._placed()
                if found is None:
                    self.drop()
                    raise Conflict(self._where) from None
                return found  # the first answer was lost on the way
        self._upload = ""
        return Found(self._name, self._size, said["ETag"], now_ms(said))

    def drop(self) -> None:
        """See `base.Writing`."""
        self._held.clear()
        if not self._upload:
            return
        with told(self._where):
            try:
                self._client.abort_multipart_upload(**self._at, UploadId=self._upload)
            except Failed as error:
                if code_of(error) not in MISSING | {"NoSuchUpload"}:
                    raise
        self._upload = ""

    @property
    def _part_bytes(self) -> int:
        return int(PART_BYTES << (len(self._parts) // PARTS_OF_A_SIZE))

    def _send(self) -> None:
        number = len(self._parts) + 1
        with told(self._where):
            if not self._upload:
                begun = self._client.create_multipart_upload(
                    **self._at, Metadata={MARK: self._mark}
                )
                self._upload = begun["UploadId"]
            said = self._client.upload_part(
                **self._at, UploadId=self._upload, PartNumber=number, Body=bytes(self._held)
            )
        self._parts.append({"PartNumber": number, "ETag": said["ETag"]})
        self._size += len(self._held)
        self._held = bytearray()

    def _put(self) -> Any:
        self._size = len(self._held)
        return self._client.put_object(
            **self._at, Body=bytes(self._held), Metadata={MARK: self._mark}, IfNoneMatch="*"
        )

    def _complete(self) -> Any:
        if self._held:
            self._send()
        return self._client.complete_multipart_upload(
            **self._at,
            UploadId=self._upload,
            MultipartUpload={"Parts": self._parts},
            IfNoneMatch="*",
        )

    def _placed(self) -> Found | None:
        """The file in place, if it is this one."""
        try:
            said = self._client.head_object(**self._at)
        except Failed as error:
            if code_of(error) in MISSING:
                return None
            raise
        if said["Metadata"].get(MARK) != self._mark:
            return None
        changed_ms = int(said["LastModified"].timestamp() * 1000)
        self._upload = ""
        return Found(self._name, said["ContentLength"], said["ETag"], changed_ms)
