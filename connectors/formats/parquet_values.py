"""Values of Arrow arrays as JSON has them, exact. A distinct value is converted once."""

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import repeat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

Values = Callable[[int], Iterable[Any]]
"""Given the number of rows, the value of each."""
Convert = Callable[[Any], Any]

_EPOCH = datetime(1970, 1, 1)
_PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def known_type(kind: "pa.DataType") -> bool:
    """Whether there are JSON values for that type."""
    from pyarrow import types

    if types.is_struct(kind):
        return all(known_type(field.type) for field in kind)
    if types.is_list(kind) or types.is_large_list(kind):
        return known_type(kind.value_type)
    if types.is_dictionary(kind):
        return known_type(kind.value_type)
    return types.is_null(kind) or types.is_boolean(kind) or _leaf(kind) is not None


def values_of(array: "pa.Array") -> Values:
    """The values of an array of a known type."""
    from pyarrow import types

    kind = array.type
    if types.is_null(kind):
        return lambda count: repeat(None, count)
    if types.is_struct(kind) or types.is_list(kind) or types.is_large_list(kind):
        made = _nested(array)
        return lambda _: made
    if types.is_boolean(kind) or (types.is_integer(kind) and array.null_count):
        return lambda _: array.to_pylist()
    if types.is_integer(kind):
        return lambda _: array.to_numpy().tolist()
    encoded = array if types.is_dictionary(kind) else array.dictionary_encode()
    values = _leaves(encoded.dictionary)
    codes = encoded.indices
    if codes.null_count:
        return lambda _: [None if code is None else values[code] for code in codes.to_pylist()]
    return lambda _: map(values.__getitem__, codes.to_numpy().tolist())


def _leaves(array: "pa.Array") -> list[Any]:
    """The values of an array that is neither nested nor a dictionary, each on its own."""
    import pyarrow as pa

    convert = _leaf(array.type)
    if convert is None:
        return list(array.to_pylist())
    if pa.types.is_temporal(array.type):
        width = pa.int32() if array.type.bit_width == 32 else pa.int64()
        array = array.cast(width)
    return [None if value is None else convert(value) for value in array.to_pylist()]


def _nested(array: "pa.Array") -> list[Any]:
    import pyarrow as pa
    from pyarrow import compute

    if pa.types.is_struct(array.type):
        names = [field.name for field in array.type]
        members = [list(values_of(array.field(i))(len(array))) for i in range(len(names))]
        rows = zip(*members, strict=True) if members else repeat((), len(array))
        holes = array.is_null().to_pylist()
        return [
            None if hole else dict(zip(names, row, strict=True))
            for hole, row in zip(holes, rows, strict=True)
        ]
    flat_array = array.flatten()
    flat = list(values_of(flat_array)(len(flat_array)))
    found: list[Any] = []
    at = 0
    for length in compute.list_value_length(array).to_pylist():
        found.append(None if length is None else flat[at : at + length])
        at += length or 0
    return found


def _leaf(kind: "pa.DataType") -> Convert | None:
    """What makes JSON's value of one of `to_pylist` (of its integers, for dates and times)."""
    from pyarrow import types

    if types.is_float64(kind):
        return _shortest
    if types.is_float32(kind) or types.is_float16(kind):
        import numpy as np

        narrow = np.float32 if types.is_float32(kind) else np.float16
        return lambda value: _shortest(narrow(value))
    if types.is_timestamp(kind):
        per_second, suffix = _PER_SECOND[kind.unit], "" if kind.tz is None else "Z"
        return lambda value: _instant(value, per_second) + suffix
    if types.is_date(kind):
        per_day = 1 if types.is_date32(kind) else 86_400_000
        return lambda value: _day(value // per_day)
    if types.is_time(kind):
        per_second = _PER_SECOND[kind.unit]
        return lambda value: _instant(value, per_second).partition("T")[2]
    if types.is_binary(kind) or types.is_large_binary(kind):
        return _text
    if (
        types.is_integer(kind)
        or types.is_decimal(kind)
        or types.is_string(kind)
        or types.is_large_string(kind)
    ):
        return lambda value: value
    return None


def _shortest(value: Any) -> Any:
    """The shortest decimal that means the same floating-point number; text for what is none."""
    text = str(value)
    number = Decimal(text)
    return number if number.is_finite() else text


def _text(value: bytes) -> Any:
    """Text without the mark that it is; what is no text fits nowhere but in a `carry_*`."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return bytearray(value)


def _instant(value: int, per_second: int) -> str:
    """ISO 8601; a fraction only if there is one, of 3, 6 or 9 digits."""
    seconds, fraction = divmod(value, per_second)
    try:
        text = (_EPOCH + timedelta(seconds=seconds)).isoformat()
    except OverflowError:
        return f"{value}/{per_second} s since 1970"  # read as no instant, wherever one is wanted
    if not fraction:
        return text
    nanoseconds = f"{fraction * (1_000_000_000 // per_second):09}"
    digits = 9 if nanoseconds[6:] != "000" else 6 if nanoseconds[3:6] != "000" else 3
    return f"{text}.{nanoseconds[:digits]}"


def _day(days: int) -> str:
    try:
        return (date(1970, 1, 1) + timedelta(days=days)).isoformat()
    except OverflowError:
        return f"{days} days since 1970"
