"""Writes FDDs to a SQLite store until it is killed, and tells each acknowledged write:
`python -m tests.contracts.store_writer FOLDER REQUEST`."""

import asyncio
import sys
from pathlib import Path

from connectors.stores.opening import open_documents
from tests.contracts.stores import attempt, fdd, put

SOME = 20


async def main(folder: Path, request_id: str) -> None:
    """Each call writes `SOME` FDDs of one more version, all with an attempt more."""
    store = open_documents("", folder)
    version = 0
    while True:
        version += 1
        attempts = [attempt(f"2025-11-03T12:00:{n % 60:02}Z", n) for n in range(version)]
        values = [fdd(request_id, n, attempts=attempts) for n in range(SOME)]
        await store.write([put(value, version) for value in values])
        print(version, flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
