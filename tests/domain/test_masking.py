"""Numbers are masked in every form, and nothing else is touched."""

import json
import re
from base64 import b64decode, b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.masking import Masker, digits_of, is_number_field, starred

NUMBER = "+919876543210"
digits = st.from_regex(r"[1-9][0-9]{6,14}", fullmatch=True)
scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=20)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner)
)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"call {NUMBER} now", "call +91********10 now"),
        ("/fdds?number=%2B919876543210&x", "/fdds?number=%2B91********10&x"),
        ("+91 98765-43210", "+91 *****-***10"),
        ("2025-11-03T10:00:00+05:30", "2025-11-03T10:00:00+05:30"),
        ("2025-11-03T10:00:00.000+1000", "2025-11-03T10:00:00.000+1000"),
        ("+12345 of 919876543210", "+12345 of 919876543210"),
        ("+1234567890123456", "+1234567890123456"),
        ("9876543210", "9876543210"),
    ],
)
def test_what_looks_like_e164_is_masked_in_any_text(text: str, masked: str) -> None:
    assert Masker().text(text) == masked


def test_a_field_of_numbers_is_masked_in_any_form_and_wherever_its_digits_stand() -> None:
    text = '{"msisdn":919876543210,"key":"[\\"919876543210\\"]","sum":12.50,"n":919876543211}'
    assert Masker().json(text) == (
        '{"msisdn":"91********10","key":"[\\"91********10\\"]","sum":12.50,"n":919876543211}'
    )


def test_an_escape_hides_no_number() -> None:
    assert json.loads(Masker().json('{"a":"\\u002b919876543210"}'))["a"] == "+91********10"
    assert "987654" not in Masker().json('{"\\u006eumber":"98765 43210"}')


def test_bytes_in_base64_are_looked_into() -> None:
    letter = b64encode(b'{"number":"9876543210","x":1.0}').decode()
    found = json.loads(Masker().json(json.dumps({"original": letter})))
    assert b64decode(found["original"]) == b'{"number":"98******10","x":1.0}'
    odd = b64encode(b"\xff\x00" + NUMBER.encode()).decode()
    found = json.loads(Masker().json(json.dumps({"base64": odd})))
    assert b64decode(found["base64"]) == b"\xff\x00+91********10"


def test_rows_as_they_were_uploaded_show_no_number_in_whatever_form() -> None:
    rows = "98765 43210,2025-11-03,10:00\n09876543210,x,5\n(022) 2345-6789,y,6\n"
    assert Masker().loose(rows) == (
        "98*** ***10,2025-11-03,10:00\n09*******10,x,5\n(022) 2345-6789,y,6\n".replace(
            "022) 2345-6789", "02*) ****-**89"
        )
    )


def test_a_table_is_masked_by_its_header() -> None:
    text = "name,mobile_no\r\nx,98765 43210\r\n9876543210,\r\n"
    assert Masker().csv(text) == "name,mobile_no\r\nx,98*** ***10\r\n98******10,\r\n"


def test_who_may_see_them_gets_them_counted() -> None:
    masker = Masker(only_counts=True)
    assert masker.json(f'{{"a":"{NUMBER}"}}') == f'{{"a":"{NUMBER}"}}'
    assert masker.found == 1


@given(trees)
def test_json_without_numbers_keeps_its_bytes(tree: object) -> None:
    text = json.dumps(tree)
    masker = Masker()
    masked = masker.json(text)
    assert masker.found or masked == text
    json.loads(masked)


@given(digits, st.text(max_size=10), st.text(max_size=10))
def test_no_number_is_left_wherever_it_stands(number: str, before: str, after: str) -> None:
    before, after = before.rstrip("0123456789+%\\"), after.lstrip("0123456789")
    tree = {"a": [f"{before}+{number}{after}"], f"+{number}": {"phone": number}}
    masked = Masker().json(json.dumps(tree))
    assert number not in masked
    assert json.loads(masked)
    assert number not in Masker().text(f"{before}+{number}{after}")


@given(digits)
def test_two_digits_stay_at_either_end(number: str) -> None:
    assert starred(number) == number[:2] + "*" * (len(number) - 4) + number[-2:]
    assert digits_of(number) == number
    assert is_number_field("Mobile-No") and not is_number_field("record_no")


@pytest.mark.parametrize(
    "body",
    [
        {"rows": ["98765 12345", 9876512346, "x"]},
        {"description": {"number_column": "kontakt"}, "rows": [{"kontakt": "09876512345"}]},
        {"number_column": "kontakt", "rows": [{"kontakt": 9876512345, "age": "31"}]},
        {"first": 1, "rows": [["+919876512345", {"note": "x"}, None]]},
    ],
)
def test_rows_of_a_campaigns_command_show_no_number(body: dict[str, object]) -> None:
    event = {"kind": "command", "command": "negatives", "body": body, "sum": 1234567}
    letter = b64encode(json.dumps(event).encode()).decode()
    shown = Masker().json(json.dumps({"records": [{"value": event}], "original": letter}))
    for text in (shown, b64decode(json.loads(shown)["original"]).decode()):
        assert "7651" not in re.sub("[^0-9a-z]", "", text)
        assert '"sum": 1234567' in text
    assert json.loads(shown)["records"][0]["value"]["command"] == "negatives"


def test_rows_of_others_are_no_numbers() -> None:
    text = '{"rows":[["9876512345"],{"kontakt":9876512345}],"command":"x"}'
    assert Masker().json(text) == text


def test_rows_of_a_command_that_is_cut_off_show_no_number() -> None:
    text = '{"command":"negatives","body":{"rows":["9876512345",1.5'
    assert Masker().json(text) == text.replace("9876512345", "98******45")
