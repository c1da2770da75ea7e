"""A client of the HTTP interface for programs in Python, typed by what the interface answers.

    from app.client import Client

    with Client("http://127.0.0.1:6066", token="sluice_…") as sluice:
        sluice.post_api_topics_topic_records("usage", [{"account": "a", "bytes": 1}])
        for row in sluice.get_api_aggregators_name_sessions("data-per-account").items: ...

A method for each operation of `/api/openapi.json`, named by its `operationId`.
"""

from app.cli.http import Refused, RefusedUse, ServerBusy, ServerUnreachable
from app.client.parts import Operations


class Client(Operations):
    """See the module, and `Caller` for what it takes and raises."""

    def __enter__(self) -> "Client":
        return self


__all__ = ["Client", "Refused", "RefusedUse", "ServerBusy", "ServerUnreachable"]
