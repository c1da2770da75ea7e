"""Lists of numbers: what is in one, and that none takes more than its share of memory."""

import gzip
import io

import pytest

from agents.uploads import number_lists
from agents.uploads.number_lists import TooManyNumbers, numbers_in
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
