"""The schema of topics whose messages are batches: the value passes as it is, undecoded."""

from collections.abc import Awaitable, Callable
from typing import Any

import faust
from faust.types import AppT, EventT
from faust.types.tuples import Message

Decode = Callable[..., Awaitable[EventT[Any]]]


class BatchSchema(faust.Schema[Any, Any]):
    """Makes one event of one batch: `event.value` is `list[Item]`, `event.key` None.

    Decoding belongs to the agent: a record that can't be decoded must not cost its whole batch,
    and Faust acknowledges what its decoder refuses (faust-streaming 0.15.3, conductor).
    """

    def __init__(self) -> None:
        super().__init__(key_serializer="raw", value_serializer="raw")

    def compile(self, app: AppT, **_: Any) -> Decode:
        """The function by which the conductor turns a message into an event; never raises."""
        create_event = app.create_event

        async def decode(message: Message, *, propagate: bool = False) -> EventT[Any]:
            return create_event(None, message.value, None, message)

        return decode
