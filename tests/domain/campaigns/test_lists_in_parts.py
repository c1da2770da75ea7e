"""A list of numbers comes to the same figures in however many parts it is brought in."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.campaigns.numbers import normalised
from tests.domain.campaigns.kit import Shard, flow, number

TEXTS = (number(0), "9800000000", number(1), number(2), number(7), "x")


def started(count: int = 3) -> Shard:
    """FDDs of numbers 0 and up, of which the first has started and the others wait."""
    shard = Shard(flow(channels=1))
    shard.upload(count)
    shard.until("2025-11-03 10:00")
    (order,) = shard.orders()
    shard.started(order)
    return shard


def bring(shard: Shard, name: str, texts: list[str], size: int, dry: bool) -> list[dict[str, Any]]:
    """Brings a list in by parts of that size, a trial with what repeats; the parts' results."""
    country = None if name == "negatives" else "IN"
    found = [normalised(text, "IN") for text in texts]
    again = [n for n, one in enumerate(found, 1) if one is not None and one in found[: n - 1]]
    results = []
    for first in range(1, max(len(texts), 1) + 1, size):
        rows = texts[first - 1 : first - 1 + size]
        body = {"rows": rows, "first": first, "upload_id": "u", "more": first + size <= len(texts)}
        if country is not None:
            body["country"] = country
        if dry:
            body["again"] = [row for row in again if first <= row < first + size]
        request = {} if name == "negatives" else {"request": ""}
        results.append(shard.command(name, body, **request, dry_run=dry)["result"])
    return results


def figures(results: list[dict[str, Any]], cumulative: bool) -> dict[str, int]:
    told = results[-1:] if cumulative else results
    names = ("rows", "matched", "unknown", "invalid", "distinct")
    found = {name: sum(one[name] for one in told) for name in names}
    for name in ("negative", "already_started"):
        found[name] = sum(one["fdds"][name] for one in told)
    return found


@given(
    st.sampled_from(("negatives", "do_not_call")),
    st.lists(st.sampled_from(TEXTS), max_size=12),
    st.integers(1, 12),
    st.booleans(),
)
def test_parts_come_to_what_the_whole_does(
    name: str, texts: list[str], size: int, dry: bool
) -> None:
    # of a file of negatives that is taken, each part tells the figures up to it
    cumulative = name == "negatives" and not dry
    shard = started()
    in_parts = figures(bring(shard, name, texts, size, dry), cumulative)
    assert in_parts == figures(bring(started(), name, texts, len(texts) or 1, dry), cumulative)
    valid = {one for text in texts if (one := normalised(text, "IN")) is not None}
    assert in_parts["distinct"] == len(valid)
    assert in_parts["already_started"] == (number(0) in valid)
    assert in_parts["negative"] == len(valid & {number(1), number(2)})
    shard.prove()


def test_a_number_that_is_listed_again_after_it_was_withdrawn_is_struck_again() -> None:
    shard = Shard()
    shard.upload(1, days=2)
    body = {"rows": [number(0)], "upload_id": "u"}
    shard.command("negatives", body)
    shard.command("withdraw", {"number": number(0)})
    shard.until("2025-11-04 00:00")
    assert shard.states() == ["NEGATIVE", "CREATED"]
    result = shard.command("negatives", body)["result"]
    assert (result["distinct"], result["fdds"]["negative"]) == (1, 2)
    assert shard.states() == ["NEGATIVE"] * 2
    shard.prove()
