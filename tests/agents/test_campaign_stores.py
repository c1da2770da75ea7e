"""What a commit tells the stores comes to the same, whole or as a change of many."""

import asyncio
import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.campaign_stores import CampaignStores
from connectors.stores.sqlite_documents import SqliteDocuments
from connectors.stores.sqlite_negatives import SqliteNegatives
from domain.campaigns.leases import ids_of, leased
from domain.campaigns.made import OF_EACH, documents_of
from tables.ledger import last_of
from tables.ledger_book import Write
from tests.contracts.stores import fdd

OF = "f-0000000000000000.20251103.1000_1200.1."
ATTEMPT = {"attempt": 1, "started_at": None}
ids = st.integers(1, 3)
steps = st.one_of(
    st.tuples(st.just("fdds"), ids, st.sampled_from(["QUEUED", "STARTED"])),
    st.tuples(st.just("leases"), st.sets(ids, min_size=1), st.just("")),
)


def whole(record_no: int, state: str) -> dict[str, Any]:
    return {**fdd("f-0000000000000000", record_no), "id": f"{OF}{record_no}", "state": state}


def written(step: tuple[str, Any, str]) -> Write:
    what, which, state = step
    if what == "fdds":
        return ("fdds", f"{OF}{which}", json.dumps(whole(which, state)).encode())
    change = {"of": OF, "records": sorted(which), "attempt": ATTEMPT}
    return ("leases", f"{OF}{min(which)}", json.dumps(change).encode())


def made(records: set[int]) -> Write:
    some = sorted(records)
    shared = {name: each for name, each in whole(1, "CREATED").items() if name not in OF_EACH}
    change = {"of": OF, "request_id": "f-0000000000000000", "shared": shared, "records": some,
              "numbers": [whole(n, "")["number"] for n in some]}  # fmt: skip
    return ("made", f"{OF}{some[0]}", json.dumps(change).encode())


@given(st.lists(st.lists(steps, max_size=6), min_size=1, max_size=4), st.sets(ids), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_commit_leaves_what_its_steps_leave(
    tmp_path_factory: Any, commits: list[list[tuple[str, Any, str]]], alike: set[int], joined: bool
) -> None:
    """`alike`: made at once; `joined`: in the commit that changes them."""
    wanted = {f"{OF}{n}": whole(n, "CREATED") for n in (1, 2, 3)}
    folder: Path = tmp_path_factory.mktemp("stores")

    async def story() -> dict[str, Any]:
        negatives = SqliteNegatives(folder / "negatives")
        stores = CampaignStores(SqliteDocuments(folder / "documents"), negatives)
        first = [written(("fdds", n, "CREATED")) for n in (1, 2, 3) if n not in alike]
        first += [made({n}) for n in alike if n == 2]
        first += [made(alike - {2})] if alike - {2} else []
        if not joined:
            await stores.deliver(first, 1)
        for version, commit in enumerate(commits, 2):
            before = first if joined and version == 2 else []
            writes = last_of([*before, *map(written, commit)])
            for what, ident, data in writes:
                value = json.loads(data or b"")
                if what == "made":
                    wanted.update((each["id"], each) for each in documents_of(value))
                if what == "fdds":
                    wanted[ident] = value
                for each in ids_of(value) if what == "leases" else ():
                    wanted[each] = leased(wanted[each], each, value)
            for _ in range(2):  # once more, as after a kill
                await stores.deliver(writes, version)
        found = {ident: await stores.documents.fdd(ident) for ident in wanted}
        await stores.close()
        return found

    assert asyncio.run(story()) == wanted
