"""What happens when somebody else writes between looking and writing."""

import asyncio
import uuid
from typing import Any

import pytest

from connectors.stores import mongo
from connectors.stores.mongo import MongoDocuments
from tests.contracts.stores import fdd, put, request


@pytest.mark.mongo
@pytest.mark.parametrize("there", [None, 1])
@pytest.mark.parametrize(("ours", "theirs"), [(5, 7), (7, 5)])
def test_a_write_in_between_is_kept_if_it_is_newer(
    mongo_url: str,
    monkeypatch: pytest.MonkeyPatch,
    there: int | None,
    ours: int,
    theirs: int,
) -> None:
    address = f"{mongo_url.rpartition('/')[0]}/t_{uuid.uuid4().hex[:12]}"
    value = fdd(request())
    real = mongo._put

    async def story() -> None:
        store, other = MongoDocuments(address), MongoDocuments(address)
        if there is not None:
            await store.write([put({**value, "reason": str(there)}, there)])

        async def late(*args: Any) -> bool:
            monkeypatch.setattr(mongo, "_put", real)
            await other.write([put({**value, "reason": str(theirs)}, theirs)])
            return await real(*args)

        monkeypatch.setattr(mongo, "_put", late)
        await store.write([put({**value, "reason": str(ours)}, ours)])
        found = await store.fdd(value["id"])
        assert found is not None
        assert found["reason"] == "7"
        await store.close()
        await other.close()

    asyncio.run(story())
