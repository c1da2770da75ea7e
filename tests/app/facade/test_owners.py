"""Answers about shards put together from several workers."""

from app.facade.owners import owned, page


def answer(epoch: int, *rows: bytes, reached: bytes | None = None) -> dict[str, object]:
    return {"epoch": epoch, "rows": [[row] for row in rows], "reached": reached}


def test_of_two_that_tell_of_a_shard_the_one_that_claimed_it_last_is_believed() -> None:
    told = owned({"old": {0: answer(1, b"a"), 1: answer(5, b"b")}, "new": {0: answer(2, b"c")}})
    assert [told[0][0], told[1][0]] == ["new", "old"]


def test_rows_of_all_shards_are_put_in_order() -> None:
    told = owned({"w": {0: answer(1, b"a", b"d"), 1: answer(1, b"b", b"c")}})
    rows, reached = page(told, 10)
    assert [row[0] for _, _, row in rows] == [b"a", b"b", b"c", b"d"]
    assert reached is None


def test_a_page_goes_only_as_far_as_every_shard_was_looked_through() -> None:
    told = owned({"w": {0: answer(1, b"a", b"x"), 1: answer(1, b"b", reached=b"m")}})
    rows, reached = page(told, 10)
    assert [row[0] for _, _, row in rows] == [b"a", b"b"]
    assert reached == b"m"


def test_a_full_page_goes_on_behind_its_last_row() -> None:
    told = owned({"w": {0: answer(1, b"a", b"c"), 1: answer(1, b"b", b"d", reached=b"d")}})
    rows, reached = page(told, 3)
    assert [row[0] for _, _, row in rows] == [b"a", b"b", b"c"]
    assert reached == b"c"
