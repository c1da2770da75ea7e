"""Rows that are put together are those that are encoded, and no other row is taken for one."""

from hypothesis import given
from hypothesis import strategies as st

from domain.campaigns.alike import Alike, untouched
from domain.campaigns.rows import CREATED, LEASED, QUEUED, Attempt, Fdd, encode
from tests.domain.campaigns.kit import number

instants = st.sampled_from([0, 1, 127, 128, 1_762_164_000_000])
numbers = st.one_of(
    st.from_regex(r"\+[0-9]{1,15}", fullmatch=True), st.text(max_size=40), st.just(number(7))
)
fdds = st.builds(
    Fdd,
    numbers,
    st.sampled_from([CREATED, QUEUED]),
    st.none(),
    instants,
    instants,
    st.booleans(),
    tries=st.integers(0, 1),
    marks=st.sampled_from([(), ("negative_after_start",)]),
    attempts=st.lists(st.builds(Attempt, st.just(1), instants), max_size=1),
    trace=st.sampled_from([[], [(1, "negative", "pass", None)]]),
)


@given(fdds, instants)
def test_a_row_is_taken_for_what_it_is(fdd: Fdd, due_ms: int) -> None:
    found = untouched(due_ms).number_of(encode(fdd))
    same = fdd == Fdd(fdd.number, CREATED, None, due_ms)
    plain = fdd.number[:1] == "+" and fdd.number[1:].isascii() and fdd.number[1:].isdigit()
    assert found == (fdd.number.encode() if same and plain and len(fdd.number) < 32 else None)


@given(fdds, numbers)
def test_a_row_put_together_is_the_one_encoded(fdd: Fdd, name: str) -> None:
    fdd.number = name
    assert Alike(fdd).row(name) == encode(fdd)


@given(instants, fdds)
def test_a_row_becomes_another(due_ms: int, fdd: Fdd) -> None:
    made = Fdd(number(1), CREATED, None, due_ms)
    fdd.number, fdd.state = made.number, LEASED
    assert untouched(due_ms).becomes(Alike(fdd))(encode(made)) == encode(fdd)
