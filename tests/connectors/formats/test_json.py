"""Many records decoded at once are what each of them is alone."""

import json
from decimal import Decimal

from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.formats.json import JsonDecoder
from domain.errors import Reject

DIGITS = st.text("0123456789", min_size=1, max_size=120)
EXPONENTS = st.integers(-1_100, 1_100).map(lambda n: f"e{n}") | st.just("")
NUMBERS = st.builds(lambda a, b, e: f"{int(a)}.{b}{e}", DIGITS, DIGITS, EXPONENTS)
RECORDS = NUMBERS.map(lambda n: f'{{"a":{n}}}') | st.sampled_from(
    ["[]", "", '{"a":1}', '{"a":tru', '{"specversion":"1.0","a":0.5}']
)


def shown(view: object) -> object:
    """What a decoder said of a record."""
    if isinstance(view, Reject):
        return view.reason, view.detail
    value = getattr(view, "f0", None)
    return value.as_tuple() if isinstance(value, Decimal) else value


@settings(deadline=None)
@given(st.lists(RECORDS, max_size=8))
@example(['{"a":1e-2000}', '{"a":0e-300}', '{"a":0e5000}', '{"a":1.5}'])
def test_views_and_refusals_are_those_of_each_record(records: list[str]) -> None:
    decoder = JsonDecoder({"a": "any"})
    values = [record.encode() for record in records]

    def alone(value: bytes) -> object:
        try:
            return decoder.decode(value)
        except Reject as refused:
            return refused

    views, odd = decoder.decode_many(values)
    assert list(map(shown, views)) == [shown(alone(value)) for value in values]
    assert odd or not any(isinstance(view, Reject) for view in views)


@settings(deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=8))
def test_a_block_is_read_as_its_lines_or_not_at_all(numbers: list[str]) -> None:
    decoder = JsonDecoder({"a": "any"})
    text = "\n".join(json.dumps({"a": 0}).replace("0", number) for number in numbers).encode()
    views = decoder.decode_block(text)
    if views is not None:
        lines = text.split(b"\n")
        assert list(map(shown, views)) == [shown(decoder.decode(line)) for line in lines]
