"""Requests to S3 signed as AWS has it (Signature Version 4), for reading."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from urllib.parse import quote, urlsplit

EMPTY = sha256(b"").hexdigest()


def signed(
    url: str,
    params: Mapping[str, str],
    access_key: str,
    secret_key: str,
    region: str,
    now: datetime,
) -> tuple[str, dict[str, str]]:
    """The whole URL of a GET, and its headers. `url` has its path encoded; `now` is in UTC."""
    parts = urlsplit(url)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    query = "&".join(
        f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
        for name, value in sorted(params.items())
    )
    headers = {"host": parts.netloc, "x-amz-content-sha256": EMPTY, "x-amz-date": stamp}
    names = ";".join(sorted(headers))
    listed = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = "\n".join(["GET", parts.path or "/", query, listed, names, EMPTY])
    scope = f"{day}/{region}/s3/aws4_request"
    digest = sha256(request.encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, digest])
    key = f"AWS4{secret_key}".encode()
    for word in (day, region, "s3", "aws4_request"):
        key = hmac.new(key, word.encode(), sha256).digest()
    signature = hmac.new(key, text.encode(), sha256).hexdigest()
    credential = f"Credential={access_key}/{scope}"
    sent = {
        "x-amz-content-sha256": EMPTY,
        "x-amz-date": stamp,
        "Authorization": f"AWS4-HMAC-SHA256 {credential}, "
        f"SignedHeaders={names}, Signature={signature}",
    }
    return f"{url}?{query}" if query else url, sent
