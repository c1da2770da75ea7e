"""Stores and buckets that are away, or don't let us in."""

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pymysql
import pytest

from tests.app.doctor.kit import doctor, fault, found, wrong

PASSWORD = "a-word-for-tests"


@fault("MongoDB away")
def test_no_mongo(tmp_path: Path, free_port: int) -> None:
    address = f"mongodb://me:{PASSWORD}@127.0.0.1:{free_port}/db"
    ran = doctor(tmp_path, {"SLUICE_DOCUMENTS": address})
    assert "SLUICE_DOCUMENTS" in found(ran, "documents store", f":{free_port}")["todo"]
    assert PASSWORD not in ran.out


@fault("MySQL away")
def test_no_mysql(tmp_path: Path, free_port: int) -> None:
    address = f"mysql://me:{PASSWORD}@127.0.0.1:{free_port}/db"
    ran = doctor(tmp_path, {"SLUICE_NEGATIVES": address})
    assert "SLUICE_NEGATIVES" in found(ran, "negatives store", f":{free_port}")["todo"]
    assert PASSWORD not in ran.out


@pytest.fixture
def reader(mysql_url: str, unique: Callable[[str], str]) -> Iterator[tuple[str, str]]:
    """(address, user) of one who may only read, in a database without our tables."""
    parts = urlsplit(mysql_url)
    user = unique("r").replace("-", "_")
    root = pymysql.connect(
        host=str(parts.hostname), port=int(parts.port or 3306), user=str(parts.username),
        password=parts.password or "",
    )  # fmt: skip
    with root, root.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {user}")
        cursor.execute(f"CREATE USER {user}@'%%' IDENTIFIED BY %s", (PASSWORD,))
        cursor.execute(f"GRANT SELECT ON {user}.* TO {user}@'%'")
        yield f"mysql://{user}:{PASSWORD}@{parts.hostname}:{parts.port}/{user}", user
        cursor.execute(f"DROP DATABASE {user}")
        cursor.execute(f"DROP USER {user}@'%'")


@pytest.mark.mysql
@fault("MySQL table missing, and no right to make it")
@fault("MySQL's password wrong")
@fault("MySQL database missing")
def test_mysql_that_does_not_let_us_work(reader: tuple[str, str], tmp_path: Path) -> None:
    address, user = reader
    ran = doctor(tmp_path, {"SLUICE_NEGATIVES": address})
    assert "CREATE" in found(ran, "negatives store", "CREATE command denied")["todo"]
    ran = doctor(tmp_path, {"SLUICE_NEGATIVES": address.replace(PASSWORD, "another")})
    assert "password" in found(ran, "negatives store", "Access denied")["todo"]
    root = f"mysql://root@{address.partition('@')[2].rpartition('/')[0]}/not_{user}"
    ran = doctor(tmp_path, {"SLUICE_NEGATIVES": root})
    assert "must be there" in found(ran, "negatives store", "Unknown database")["todo"]


@fault("S3 away")
def test_no_s3(tmp_path: Path, free_port: int) -> None:
    given = {"SLUICE_S3_ENDPOINT": f"http://127.0.0.1:{free_port}", "SLUICE_S3_ACCESS_KEY": "k"}
    given |= {"SLUICE_S3_SECRET_KEY": PASSWORD, "SLUICE_ARCHIVE": "s3://b/archive"}
    ran = doctor(tmp_path, given)
    assert "SLUICE_S3_ENDPOINT" in found(ran, "files", "SLUICE_ARCHIVE: s3://b/archive")["todo"]
    assert PASSWORD not in ran.out


@fault("S3 bucket missing")
@fault("S3's keys wrong")
def test_s3_that_does_not_let_us_work(
    s3_url: str, tmp_path: Path, unique: Callable[[str], str]
) -> None:
    parts = urlsplit(s3_url)
    given = {
        "SLUICE_S3_ENDPOINT": f"http://{parts.hostname}:{parts.port}",
        "SLUICE_S3_ACCESS_KEY": str(parts.username),
        "SLUICE_S3_SECRET_KEY": str(parts.password),
        "SLUICE_TABLES_ROOT": f"s3:/{parts.path}/x",
    }
    assert wrong(doctor(tmp_path, given)) == set()
    ran = doctor(tmp_path, given | {"SLUICE_TABLES_ROOT": f"s3://{unique('no')}/x"})
    assert "SLUICE_TABLES_ROOT names" in found(ran, "files", "there is no such bucket")["todo"]
    ran = doctor(tmp_path, given | {"SLUICE_S3_SECRET_KEY": "another"})
    assert "keys may list" in found(ran, "files", "SLUICE_TABLES_ROOT")["todo"]
