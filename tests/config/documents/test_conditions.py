"""Conditions: how they are read, and how a field's kind decides what it compares with."""

from decimal import Decimal
from typing import Any

import pytest

from config.documents.aggregator import load_aggregator
from domain.aggregation.document import All, Any_, Compare, Condition, Not
from tests.config.documents.samples import document, problems

MOMENT = 1_725_358_507_000
TEXT = "2024-09-03T10:15:07Z"


def read(condition: object, key: str = "conditions") -> Condition | None:
    data = document()
    if key == "filter":
        data["filter"] = condition
        return load_aggregator(data).filter
    data["flush"]["conditions"] = condition
    return load_aggregator(data).flush.conditions


def wrong(condition: object, key: str = "conditions") -> list[str]:
    """Paths within the condition."""

    def spoil(data: dict[str, Any]) -> None:
        (data if key == "filter" else data["flush"])[key] = condition

    prefix = key if key == "filter" else f"flush.{key}"
    return [problem.path.removeprefix(prefix) for problem in problems(spoil)]


def compare(field: str, op: str, *value: object) -> dict[str, object]:
    return {"field": field, "op": op, **({"value": value[0]} if value else {})}


@pytest.mark.parametrize("op", ["==", "!=", ">", ">=", "<", "<="])
@pytest.mark.parametrize("field", ["sum_bytes", "average_price", "count", "meta.count"])
def test_a_number_compares_with_numbers_only(field: str, op: str) -> None:
    assert read(compare(field, op, 5)) == Compare(field, op, 5, "number")  # type: ignore[arg-type]  # text
    assert wrong(compare(field, op, Decimal("1.5"))) == []
    refused: list[object] = ["5", TEXT, True, None, [5], {}]
    for value in refused:
        assert wrong(compare(field, op, value)) == [".value"]


@pytest.mark.parametrize("op", ["==", "!=", ">", ">=", "<", "<="])
def test_an_instant_compares_with_instants_only(op: str) -> None:
    assert read(compare("latest", op, TEXT)) == Compare("latest", op, MOMENT, "instant")  # type: ignore[arg-type]  # text
    for value in (5, MOMENT, "soon", "2024-09-03", True, None):
        assert wrong(compare("latest", op, value)) == [".value"]


@pytest.mark.parametrize("field", ["account", "product.code", "record.a.b", "carry_last_cell"])
def test_elsewhere_the_value_decides(field: str) -> None:
    assert read(compare(field, ">", 5)) == Compare(field, ">", 5, "number")
    assert read(compare(field, "<=", TEXT)) == Compare(field, "<=", MOMENT, "instant")
    assert read(compare(field, "==", TEXT)) == Compare(field, "==", TEXT, "any")
    assert read(compare(field, "!=", True)) == Compare(field, "!=", True, "any")
    assert read(compare(field, "==", "")) == Compare(field, "==", "", "any")
    unordered: list[object] = ["5", "abc", True, None, "2024-09-03", [1]]
    for value in unordered:
        assert wrong(compare(field, ">", value)) == [".value"]
    no_scalars: list[object] = [None, [1], {}]
    for value in no_scalars:
        assert wrong(compare(field, "==", value)) == [".value"]


def test_lists_are_of_the_fields_kind() -> None:
    assert read(compare("count", "in", [1, 2])) == Compare("count", "in", (1, 2), "number")
    assert read(compare("latest", "not_in", [TEXT])) == Compare(
        "latest", "not_in", (MOMENT,), "instant"
    )
    mixed = [1, "1", True]
    assert read(compare("account", "in", mixed)) == Compare("account", "in", (1, "1", True), "any")
    assert wrong(compare("count", "in", [1, "2", 3, None])) == [".value[1]", ".value[3]"]
    assert wrong(compare("latest", "in", ["soon"])) == [".value[0]"]
    assert wrong(compare("account", "in", [[1]])) == [".value[0]"]
    no_lists: list[object] = [[], "abc", 5, None, {}]
    for value in no_lists:
        assert wrong(compare("account", "in", value)) == [".value"]


@pytest.mark.parametrize("op", ["contains", "starts_with"])
def test_text_operators_take_text(op: str) -> None:
    assert read(compare("account", op, "ab")) == Compare("account", op, "ab", "any")  # type: ignore[arg-type]  # text
    for value in ("", 5, None, True, ["ab"]):
        assert wrong(compare("account", op, value)) == [".value"]
    assert wrong(compare("sum_bytes", op, "1")) == [".op"]
    assert wrong(compare("latest", op, "2024")) == [".op"]


@pytest.mark.parametrize("field", ["sum_bytes", "latest", "account", "record.x", "meta.count"])
def test_exists_takes_no_value(field: str) -> None:
    assert read(compare(field, "exists")) == Compare(field, "exists", None, None)
    for value in (None, True):
        assert wrong(compare(field, "exists", value)) == [".value"]


@pytest.mark.parametrize("op", ["==", ">", "in", "contains"])
def test_other_operators_need_one(op: str) -> None:
    assert wrong(compare("account", op)) == [".value"]


@pytest.mark.parametrize(
    "field", ["sum_byte", "bytes", "timestamp", "record.", "record.a..b", "meta", "", 5, None]
)
def test_a_field_that_names_nothing_is_refused(field: Any) -> None:
    assert wrong(compare(field, "==", 5)) == [".field"]


def test_an_unknown_operator_is_refused_with_the_others() -> None:
    assert wrong(compare("account", "=", 5)) == [".op"]
    assert wrong(compare("nothing", "=~", 5)) == [".field", ".op"]


def test_conditions_combine() -> None:
    leaf, read_leaf = compare("count", ">", 1), Compare("count", ">", 1, "number")
    assert read({"all": [leaf, {"any": [leaf]}]}) == All((read_leaf, Any_((read_leaf,))))
    assert read({"not": {"not": leaf}}) == Not(Not(read_leaf))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({}, [".field", ".op"]),
        ([], [""]),
        ("count > 1", [""]),
        ({"all": []}, [".all"]),
        ({"any": {}}, [".any"]),
        ({"not": []}, [".not"]),
        ({"all": [{"any": [5]}]}, [".all[0].any[0]"]),
        ({"all": [compare("count", ">", 1)], "any": [compare("count", ">", 1)]}, [".any"]),
        ({"not": compare("count", ">", 1), "field": "count"}, [".field"]),
        ({**compare("count", ">", 1), "values": 1}, [".values"]),
    ],
)
def test_a_wrong_shape_is_refused(condition: object, expected: list[str]) -> None:
    assert wrong(condition) == expected


def test_conditions_within_conditions_end_somewhere() -> None:
    condition: dict[str, Any] = compare("count", ">", 1)
    for _ in range(1000):
        condition = {"not": condition}
    assert len(wrong(condition)) == 1


def test_the_fields_of_a_filter_are_paths_of_the_record() -> None:
    assert read(compare("sum_bytes", "==", "x"), "filter") == Compare("sum_bytes", "==", "x", "any")
    assert read(compare("a.b", ">", 5), "filter") == Compare("a.b", ">", 5, "number")
    assert wrong(compare("a..b", ">", 5), "filter") == [".field"]
    assert wrong(compare("a", ">", "5"), "filter") == [".value"]


def test_a_name_of_a_result_and_a_group_field_is_not_guessed() -> None:
    def spoil(data: dict[str, Any]) -> None:
        data["aggregate"][0]["as"] = "account"
        data["flush"]["conditions"]["field"] = "account"

    assert [problem.path for problem in problems(spoil)] == ["flush.conditions.field"]


def test_names_that_were_refused_elsewhere_are_not_told_again() -> None:
    def spoil(data: dict[str, Any]) -> None:
        data["aggregate"][0]["operation"] = "summ"

    assert [problem.path for problem in problems(spoil)] == ["aggregate[0].operation"]


@pytest.mark.parametrize(
    ("given", "meant"), [(1.5, Decimal("1.5")), (0.1, Decimal("0.1")), (2.0, 2)]
)
def test_a_float_of_another_decoder_is_what_was_written(given: float, meant: Decimal) -> None:
    assert read(compare("count", ">", given)) == Compare("count", ">", meant, "number")


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), Decimal("NaN"), 10**1000, Decimal("1e2001")]
)
def test_a_number_beyond_the_limits_is_refused(value: object) -> None:
    assert wrong(compare("count", ">", value)) == [".value"]


def test_comparisons_are_equal_by_json_value() -> None:
    def of(value: object) -> Compare:
        return Compare("a", "==", value, "any")

    assert of(1) == of(Decimal("1.0"))
    assert hash(of(1)) == hash(of(Decimal("1.0")))
    assert len({of(1), of("1"), of(True), of((1,)), of((True,))}) == 5
