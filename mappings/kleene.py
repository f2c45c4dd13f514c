"""Three-valued logic on simpleeval: true, false, and None for what is not known (S. C. Kleene, 1938).

Only the nodes listed here are computed. A number that is known within bounds is a :class:`range` of whole numbers;
a comparison with it is known where all of them give the same answer.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from simpleeval import EvalWithCompoundTypes

Truth = bool | None
ABSENT = ...
"""Stands for the word ``None`` of a condition, which asks whether a value is missing."""


def all_of(truths: Iterable[Truth]) -> Truth:
    """``and``: false where one is false, otherwise unknown where one is.

    >>> all_of([None, False]), all_of([None, True]), all_of([])
    (False, None, True)
    """
    given = list(truths)
    return False if False in given else None if None in given else True


def opposite(truth: Truth) -> Truth:
    """``not``: what is unknown stays so."""
    return None if truth is None else not truth


def any_of(truths: Iterable[Truth]) -> Truth:
    """``or``: true where one is true, otherwise unknown where one is."""
    return opposite(all_of(opposite(truth) for truth in truths))


def known_by(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Truth]:
    """The comparison of values of which some are not known, or only within bounds."""

    def link(left: Any, right: Any) -> Truth:
        if left is None or right is None:
            return None
        answers = {compare(a, b) for a in _possible(left) for b in _possible(right)}
        return answers.pop() if len(answers) == 1 else None

    return link


def _possible(value: Any) -> Iterable[Any]:
    return value if isinstance(value, range) else (value,)


_SAME = known_by(operator.eq)


def _equal(left: Any, right: Any) -> Truth:
    if left is ABSENT or right is ABSENT:
        return (left in (None, ABSENT)) and (right in (None, ABSENT))
    return _SAME(left, right)


def _among(value: Any, listed: Sequence[Any]) -> Truth:
    """Known where every possible value gives the same answer: 1 or 2 is among (1, 2), whichever it is."""
    answers = {any_of(_equal(one, each) for each in listed) for one in _possible(value)}
    return answers.pop() if len(answers) == 1 else None


OPERATORS: Mapping[type, Callable[..., Truth]] = {
    ast.Eq: _equal,
    ast.NotEq: lambda left, right: opposite(_equal(left, right)),
    ast.Lt: known_by(operator.lt),
    ast.LtE: known_by(operator.le),
    ast.Gt: known_by(operator.gt),
    ast.GtE: known_by(operator.ge),
    ast.In: _among,
    ast.NotIn: lambda value, listed: opposite(_among(value, listed)),
    ast.Not: opposite,
}
NODES = (ast.BoolOp, ast.UnaryOp, ast.Compare, ast.Call, ast.Name, ast.Constant, ast.Tuple, ast.List)


class Kleene(EvalWithCompoundTypes):
    """simpleeval without arithmetic, attributes, subscripts and comprehensions, whose truths may be unknown."""

    def __init__(self, name: Callable[[ast.Name], Any], functions: Mapping[str, Callable[..., Any]]) -> None:
        super().__init__(operators=dict(OPERATORS), functions={}, names=name)
        self.functions = dict(functions)
        self.nodes = {kind: self.nodes[kind] for kind in NODES}

    def _eval_boolop(self, node: ast.BoolOp) -> Truth:
        truths = [self._eval(value) for value in node.values]
        return all_of(truths) if isinstance(node.op, ast.And) else any_of(truths)

    def _eval_compare(self, node: ast.Compare) -> Truth:
        """A chain ``a < b < c`` holds where every link does."""
        sides = [self._eval(side) for side in (node.left, *node.comparators)]
        links = zip(sides, node.ops, sides[1:], strict=False)
        return all_of(self.operators[type(op)](left, right) for left, op, right in links)
