"""A connection to an S3 server: who signs, limits of time, what its errors mean.

botocore tries again by itself what may be tried again (a connection that broke, a server that is
busy). An answer that was lost so may hide that what was asked has been done: who writes on a
condition must look (`s3.py`).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    ParamValidationError,
)
from urllib3.exceptions import HTTPError

from connectors.files.base import FilesError, FilesRefused, FilesUnavailable
from connectors.files.s3_access import S3Access
from domain.errors import UsageError

REGION = "us-east-1"  # where neither the settings nor the environment of AWS name one
CONNECT_S, READ_S = 5.0, 60.0
ATTEMPTS = 4
POOL = 16  # connections kept: the steps' threads
SHOWN = 300  # characters of what the server says

MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
TAKEN = frozenset({"412", "PreconditionFailed"})
MEANWHILE = frozenset({"409", "ConditionalRequestConflict", "OperationAborted"})
# Of a server that is there and never will do it.
_FOR_GOOD = frozenset(
    {
        *("400", "BadDigest", "EntityTooLarge", "EntityTooSmall", "InvalidArgument"),
        *("InvalidBucketName", "InvalidRequest", "InvalidURI", "KeyTooLongError"),
        *("MalformedXML", "MethodNotAllowed", "NotImplemented"),
    }
)

Failed = ClientError  # an answer that is no success; `code_of` tells which


def connect(access: S3Access, where: str) -> Any:
    """A client of botocore; nothing is asked yet. Many threads may use it, and all trees of this
    process do: making one takes a third of a second. Raises UsageError."""
    try:
        return _client(access)
    except (BotoCoreError, ValueError) as error:
        raise UsageError(f"{where} can't be opened: {_shown(error)}") from error


@lru_cache(8)
def _client(access: S3Access) -> Any:
    given: dict[str, Any] = {}
    if access.endpoint:
        given["endpoint_url"] = access.endpoint
        # A server that is not AWS's knows its buckets by the path only.
        addressing = {"addressing_style": "path"}
    else:
        addressing = {"addressing_style": "auto"}
    if access.access_key:
        given["aws_access_key_id"] = access.access_key
        given["aws_secret_access_key"] = access.secret_key
    config = Config(
        signature_version="s3v4",
        connect_timeout=CONNECT_S,
        read_timeout=READ_S,
        max_pool_connections=POOL,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        s3=addressing,
        user_agent_appid="sluice",
    )
    session = botocore.session.Session()
    region = access.region or session.get_config_variable("region") or REGION
    return session.create_client("s3", region_name=region, config=config, **given)


def now_ms(said: Mapping[str, Any]) -> int:
    """When the server answered, epoch milliseconds by its own clock, of whole seconds."""
    answered = said["ResponseMetadata"]["HTTPHeaders"]["date"]
    return int(parsedate_to_datetime(answered).timestamp() * 1000)


def code_of(error: ClientError) -> str:
    """What the server calls it: a word of S3, or the status where it has no body."""
    said: Mapping[str, Any] = error.response
    return str(said.get("Error", {}).get("Code", ""))


def status_of(error: ClientError) -> int:
    """The HTTP status of the answer."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@contextmanager
def told(where: str) -> Iterator[None]:
    """Turns what the client raises into what a tree of files raises."""
    try:
        yield
    except ClientError as error:
        raise meant(error, where) from error
    except ParamValidationError as error:
        raise FilesRefused(where, _shown(error)) from error
    except (BotoCoreError, HTTPClientError, HTTPError, OSError) as error:
        raise FilesUnavailable(where, _shown(error)) from error


def meant(error: ClientError, where: str) -> FilesError:
    """An answer that is no success, as an error of a tree of files."""
    code = code_of(error)
    detail = str(error.response.get("Error", {}).get("Message") or code)[:SHOWN]
    if code == "NoSuchBucket":
        return FilesUnavailable(where, "there is no such bucket")
    if code in _FOR_GOOD:
        return FilesRefused(where, detail)
    return FilesUnavailable(where, detail if detail == code else f"{detail} ({code})")


def _shown(error: BaseException) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:SHOWN]
