"""Lists of numbers: what is in one, and that none takes more than its share of memory."""

import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.uploads import number_lists
from agents.uploads.number_lists import TooManyNumbers, numbers_in, parts_of, repeats
from connectors.formats import csv_rows


def test_a_list_is_its_column_row_by_row() -> None:
    text = b"name,number\nann,+919800000001\nbob\n,12\n"
    assert numbers_in(io.BytesIO(text)) == ["+919800000001", "", "12"]


def test_a_list_of_too_many_is_refused_as_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(number_lists, "ROWS_MAX", 3)
    assert len(numbers_in(io.BytesIO(b"number\n1\n2\n3\n"))) == 3
    for content in (b"number\n1\n2\n3\n4\n", b"number\n" + b"1\n" * 1_000_000):
        for body in (content, gzip.compress(content)):
            file = io.BytesIO(body)
            with pytest.raises(TooManyNumbers, match="send it in several"):
                numbers_in(file)


def test_long_texts_are_kept_no_longer_than_they_are_shown() -> None:
    text = b"number\n" + b"0" * 50_000 + b"\n" + b" " * 50_000 + b"+919800000001\n"
    found = numbers_in(io.BytesIO(text))
    assert found == ["0" * csv_rows.VALUE_CHARS, "+919800000001"]


FORMS = ("+9198000000{}", "98000000{}", " 098000000{} ", "+91 98000 000{}")


@given(
    st.lists(st.tuples(st.integers(10, 14), st.sampled_from((*FORMS, "x{}"))), max_size=20),
    st.integers(1, 5),
)
def test_each_part_is_told_which_of_its_rows_come_again(
    made: list[tuple[int, str]], size: int
) -> None:
    texts = [form.format(n) for n, form in made]
    again = [
        row
        for row, (n, form) in enumerate(made, 1)
        if form in FORMS and any(n == m and other in FORMS for m, other in made[: row - 1])
    ]
    assert repeats(texts, "IN") == again
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(number_lists, "PART_ROWS", size)
        parts = parts_of(texts, "n.csv", again)
    assert [text for part in parts for text in part["rows"]] == texts
    assert [row for part in parts for row in part.get("again", ())] == again
    for part in parts:
        last = part["first"] + len(part["rows"]) - 1
        assert all(part["first"] <= row <= last for row in part.get("again", ()))
