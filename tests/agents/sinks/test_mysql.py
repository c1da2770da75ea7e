"""The MySQL sink on a real server: killed, locked, restored, and with rows it does not take."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts.house.mysql import MySql
from tests.agents.sinks.world import Lanes, World, totals
from tests.connectors.sinks.database import database

pytestmark = pytest.mark.mysql


def flushed(number: int, total: object = 22) -> dict[str, Any]:
    return {
        "id": f"id-{number}",
        "aggregator": "data",
        "version": 3,
        "sequence": 1,
        "group": {"account": f"X{number}"},
        "values": {"sum_bytes": total},
        "meta": {"count": 2, "flushType": "TIMEOUT", "firstEvent": "2024-09-01T00:00:00.250Z"},
    }


def world(folder: Path, url: str, table: str, **options: Any) -> World:
    """A sink to that table, its address in an environment variable."""
    made = World(folder, environ={"BILLING_DB": url})
    made.apply(name=table, mysql={"url": "BILLING_DB", "table": table.replace("-", "_"), **options})
    return made


def test_rows_are_upserted_by_id_with_types(
    mysql_url: str, unique: Callable[[str], str], tmp_path: Path
) -> None:
    name = unique("flushes")
    here = world(tmp_path, mysql_url, name)
    here.put(0, [flushed(1), flushed(2), {**flushed(1), "version": 4}])
    asyncio.run(here.live())
    with database(mysql_url) as db:
        table = name.replace("-", "_")
        found = db.rows(f"SELECT id, version, records, first_event, group_values FROM {table}")
        assert sorted(found)[0][:3] == ("id-1", 4, 2)
        assert found[0][3].isoformat() == "2024-09-01T00:00:00.250000"
        assert found[0][4] == '{"account":"X1"}'
        assert len(found) == 2
        positions = "SELECT next_offset FROM sluice_sink_positions WHERE sink = %s AND part = 0"
        assert db.rows(positions, name) == [(3,)]


def test_what_does_not_fit_a_column_is_a_letter_and_the_rest_is_in(
    mysql_url: str, unique: Callable[[str], str], tmp_path: Path
) -> None:
    name = unique("narrow")
    table = name.replace("-", "_")
    with database(mysql_url) as db:
        db.rows(f"CREATE TABLE {table} (id VARCHAR(64) PRIMARY KEY, total DECIMAL(6,2) NOT NULL)")
        columns = {"total": {"path": "values.sum_bytes", "type": "number"}}
        here = world(tmp_path, mysql_url, name, columns=columns)
        sums = (1, 12345678, "x", None, 5)
        here.put(0, [flushed(number, total) for number, total in enumerate(sums, 1)])
        asyncio.run(here.live())
        assert db.rows(f"SELECT id FROM {table} ORDER BY id") == [("id-1",), ("id-5",)]
    letters = {letter["record"]: letter for letter in here.letters()}
    assert set(letters) == {"id-2", "id-3", "id-4"}
    assert letters["id-2"]["status"] == 1264
    assert letters["id-4"]["status"] == 1048


def test_a_server_killed_in_the_middle_loses_and_repeats_nothing(
    own_mysql: MySql, tmp_path: Path
) -> None:
    here = world(tmp_path, own_mysql.url, "s", batch={"records": 5, "seconds": 0})
    here.put(0, [flushed(n) for n in range(300)])
    here.put(1, [flushed(n) for n in range(300, 400)])
    kills: list[int] = []
    seen: list[Any] = []

    async def run() -> None:
        restarts: list[asyncio.Task[None]] = []

        def until(lanes: Lanes) -> bool:
            done = totals(lanes, "s").accepted
            idle = not restarts or restarts[-1].done()
            if idle and len(kills) < 3 and done > 60 * (len(kills) + 1):
                kills.append(done)
                work = asyncio.to_thread(own_mysql.restart, hard=True)
                restarts.append(asyncio.ensure_future(work))
            seen[:] = [totals(lanes, "s")]
            return here._delivered(lanes)

        await here.live(until)
        await asyncio.gather(*restarts)

    asyncio.run(run())
    assert len(kills) >= 2
    assert (seen[0].accepted, seen[0].refused) == (400, 0)
    with database(own_mysql.url) as db:
        assert db.rows("SELECT COUNT(*), COUNT(DISTINCT id) FROM s") == [(400, 400)]


def test_a_row_that_somebody_holds_is_waited_for(own_mysql: MySql, tmp_path: Path) -> None:
    here = world(tmp_path, own_mysql.url, "s")
    here.put(0, [flushed(1)])
    asyncio.run(here.live())
    here.put(0, [{**flushed(1), "version": 9}])
    with database(own_mysql.url) as db:
        db.rows("SET GLOBAL innodb_lock_wait_timeout = 1")
        db.rows("BEGIN")
        db.rows("SELECT * FROM s FOR UPDATE")

        def until(lanes: Lanes) -> bool:
            for _, line in lanes.lines():
                if line.trouble is not None and line.trouble.attempts == 1:
                    assert "Lock wait timeout" in line.trouble.detail
                    db.rows("COMMIT")
            return here._delivered(lanes)

        asyncio.run(here.live(until))
        assert db.rows("SELECT version FROM s") == [(9,)]


def test_a_database_put_back_to_an_earlier_day_is_given_what_it_lacks(
    mysql_url: str, unique: Callable[[str], str], tmp_path: Path
) -> None:
    name = unique("restored")
    table = name.replace("-", "_")
    here = world(tmp_path, mysql_url, name)
    here.put(0, [flushed(n) for n in range(4)])
    asyncio.run(here.live())
    with database(mysql_url) as db:
        db.rows(f"DELETE FROM {table} WHERE id IN ('id-2', 'id-3')")
        db.rows("UPDATE sluice_sink_positions SET next_offset = 2 WHERE sink = %s", name)
        here.put(0, [flushed(4)])
        asyncio.run(here.live())
        assert db.rows(f"SELECT COUNT(*) FROM {table}") == [(5,)]


def test_a_wrong_password_is_told_without_it(own_mysql: MySql, tmp_path: Path) -> None:
    with database(own_mysql.url) as db:
        db.rows("CREATE USER billing IDENTIFIED BY 'right'")
    address = own_mysql.url.replace("mysql://root@", "mysql://billing@")
    here = World(tmp_path, environ={"PW": "wr0ng-secret"})
    here.apply(name="s", mysql={"url": address, "password": "PW", "table": "t"})
    here.put(0, [flushed(1)])
    told: list[str] = []

    def until(lanes: Lanes) -> bool:
        told.extend(line.trouble.detail for _, line in lanes.lines() if line.trouble is not None)
        return bool(told)

    asyncio.run(here.live(until))
    assert "Access denied" in told[0]
    assert "wr0ng-secret" not in told[0]
