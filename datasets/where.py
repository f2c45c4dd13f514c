"""Conditions over the clinical tables: a small, safe language of comparisons.

``site != 'S07' and 18 <= age < 90 and not (arm in ('A', 'B'))``: column names, numbers, text, ``None``, the
comparisons, ``in``, ``and``, ``or``, ``not`` and parentheses. Nothing else is accepted and nothing is executed.
A comparison with a value that is not there is neither true nor false, and such a row is not kept (Kleene's
three-valued logic); ``age == None`` finds it.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .errors import QueryError
from .tables import Value

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_LANGUAGE = "column names, numbers, 'text', None, == != < <= > >= in, and, or, not"


class Where:
    """A condition that is checked once against the columns and then asked of rows.

    >>> Where("age >= 18 and site != 'S07'").keeps({"age": 40, "site": "S01"})
    True
    >>> Where("age >= 18").keeps({"age": None})
    False
    """

    def __init__(self, text: str) -> None:
        """Raises :class:`QueryError` where ``text`` is not in the language."""
        self.text = text
        try:
            self._tree = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError) as error:
            raise QueryError(f"where: {text!r} cannot be read ({error})") from error
        _check_condition(self._tree, text)

    @property
    def columns(self) -> set[str]:
        """The columns it reads."""
        return {node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name)}

    def check(self, columns: Mapping[str, type]) -> None:
        """Raise :class:`QueryError` for an unknown column, or text compared with a number."""
        for name in sorted(self.columns - set(columns)):
            raise QueryError(f"where: there is no column {name!r}; there are: {' '.join(sorted(columns))}")
        for node in ast.walk(self._tree):
            if isinstance(node, ast.Compare):
                kinds = {kind for operand in _operands(node) for kind in _kinds(operand, columns)}
                if len(kinds) > 1:
                    raise QueryError(f"where: {ast.unparse(node)!r} compares text with a number")

    def keeps(self, row: Mapping[str, Value]) -> bool:
        """Whether the condition is true for a row."""
        return _truth(self._tree, row) is True


def _check_condition(node: ast.expr, text: str) -> None:
    match node:
        case ast.BoolOp(values=values):
            for value in values:
                _check_condition(value, text)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            _check_condition(operand, text)
        case ast.Compare(ops=ops):
            for op, right in zip(ops, node.comparators, strict=True):
                listed = isinstance(op, ast.In | ast.NotIn)
                if not (listed or type(op) in _COMPARE) or listed != isinstance(right, ast.Tuple | ast.List):
                    raise QueryError(f"where: {ast.unparse(node)!r} is outside the language ({_LANGUAGE})")
            for operand in _operands(node):
                _check_operand(operand, text)
        case _:
            raise QueryError(f"where: {ast.unparse(node)!r} is not a condition; the language is {_LANGUAGE}")


def _check_operand(node: ast.expr, text: str) -> None:
    if isinstance(node, ast.Name) or _is_constant(node):
        return
    raise QueryError(f"where: {ast.unparse(node)!r} is outside the language ({_LANGUAGE})")


def _is_constant(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return isinstance(node.operand, ast.Constant) and type(node.operand.value) in (int, float)
    return isinstance(node, ast.Constant) and type(node.value) in (int, float, str, type(None))


def _operands(node: ast.Compare) -> Iterator[ast.expr]:
    for operand in (node.left, *node.comparators):
        if isinstance(operand, ast.Tuple | ast.List):
            yield from operand.elts
        else:
            yield operand


def _kinds(node: ast.expr, columns: Mapping[str, type]) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield "text" if columns[node.id] is str else "number"
    elif (value := ast.literal_eval(node)) is not None:
        yield "text" if isinstance(value, str) else "number"


def _truth(node: ast.expr, row: Mapping[str, Value]) -> bool | None:
    """True, False, or None where a value that is not there decides."""
    match node:
        case ast.BoolOp(op=op, values=values):
            decisive = isinstance(op, ast.Or)
            truths = [_truth(value, row) for value in values]
            if decisive in truths:
                return decisive
            return None if None in truths else not decisive
        case ast.UnaryOp(operand=operand):
            truth = _truth(operand, row)
            return None if truth is None else not truth
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            operands = [left, *comparators]
            links = [_link(a, op, b, row) for a, op, b in zip(operands, ops, operands[1:], strict=False)]
            if False in links:
                return False
            return None if None in links else True
    raise AssertionError(f"unchecked node {node!r}")


def _link(left: ast.expr, op: ast.cmpop, right: ast.expr, row: Mapping[str, Value]) -> bool | None:
    value = _value(left, row)
    if isinstance(right, ast.Tuple | ast.List):
        if value is None:
            return None
        return (value in [_value(item, row) for item in right.elts]) == isinstance(op, ast.In)
    other = _value(right, row)
    asks_absence = any(isinstance(side, ast.Constant) and side.value is None for side in (left, right))
    if asks_absence and isinstance(op, ast.Eq | ast.NotEq):
        return _COMPARE[type(op)](value, other)
    if value is None or other is None:
        return None
    return _COMPARE[type(op)](value, other)


def _value(node: ast.expr, row: Mapping[str, Value]) -> Value:
    return row.get(node.id) if isinstance(node, ast.Name) else ast.literal_eval(node)
