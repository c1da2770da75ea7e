"""The expression of a calculated metric: metric names, numbers, + - * / and brackets."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from domain.errors import SluiceError

_DEPTH_MAX = 50
_LENGTH_MAX = 1_000


class BadExpression(SluiceError):
    """An expression that can't be read, and what would be right."""


@dataclass(frozen=True)
class Calculated:
    """A document of kind `metric`: a figure worked out from others, with its unit and meaning."""

    kind: ClassVar[str] = "metric"
    name: str
    expression: str
    unit: str = ""
    owner: str = ""
    meaning: str = ""


class Expression:
    """Reads and evaluates one. Raises BadExpression. `metrics` are the names in it, in order;
    `text` is what was read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.metrics: list[str] = []
        if len(text) > _LENGTH_MAX:
            raise BadExpression(f"at most {_LENGTH_MAX} characters")
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise BadExpression(f"{text!r}: metrics, numbers, + - * / and brackets") from None
        self._tree = tree
        self._check(tree, 0)
        if not self.metrics:
            raise BadExpression(f"{text!r} names no metric")

    def _check(self, node: ast.expr, depth: int) -> None:
        if depth > _DEPTH_MAX:
            raise BadExpression("nested too deep")
        if isinstance(node, ast.BinOp) and isinstance(
            node.op, ast.Add | ast.Sub | ast.Mult | ast.Div
        ):
            self._check(node.left, depth + 1)
            self._check(node.right, depth + 1)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            self._check(node.operand, depth + 1)
        elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
            return
        else:
            name = _name(node)
            if name is None:
                raise BadExpression(f"{ast.unparse(node)}: metrics, numbers, + - * / and brackets")
            if name not in self.metrics:
                self.metrics.append(name)

    def value(self, values: Mapping[str, float | None]) -> float | None:
        """None where a metric has no value, or something is divided by nothing."""
        try:
            return self._value(self._tree, values)
        except (ZeroDivisionError, OverflowError):
            return None

    def _value(self, node: ast.expr, values: Mapping[str, float | None]) -> float | None:
        if isinstance(node, ast.Constant):
            number: float = node.value  # type: ignore[assignment]  # checked when it was read
            return number
        if isinstance(node, ast.UnaryOp):
            inner = self._value(node.operand, values)
            return None if inner is None else -inner
        if not isinstance(node, ast.BinOp):
            return values.get(_name(node) or "")
        left, right = self._value(node.left, values), self._value(node.right, values)
        if left is None or right is None:
            return None
        if isinstance(node.op, ast.Add):
            return left + right
        if isinstance(node.op, ast.Sub):
            return left - right
        return left * right if isinstance(node.op, ast.Mult) else left / right


def _name(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = _name(node.value)
        return None if inner is None else f"{inner}.{node.attr}"
    return None
