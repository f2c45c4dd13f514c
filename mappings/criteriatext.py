"""Reading the text of a condition: every node is checked, and what is left is what the engine may compute."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from .imageterms import ImageTerm, Word, read_term
from .kleene import ABSENT

LANGUAGE = "column names, numbers, 'text', None, == != < <= > >= in, and, or, not, has(…), count(…), found('…')"
LONGEST, DEEPEST = 2000, 20
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
CODE = re.compile(r"[A-Z]\d{2}")
FUNCTIONS = ("has", "count", "found", "column")
COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)


class ConditionError(ValueError):
    """A condition that cannot be meant: a sentence with the text, the place in it and what is expected."""


def _has_comment(text: str) -> bool:
    """Whether ``#`` stands outside of quotes: what comes behind it on the line would not be read.

    >>> _has_comment("age >= 18 # adults"), _has_comment("arm == '#1'")
    (True, False)
    """
    return "#" in _QUOTED.sub("", text)


class Reading:
    """What a text says: the checked ``tree``, the ``terms`` that its ``has`` and ``count`` point to, and its words.

    ``asked`` holds the text of each of these calls, ``compared`` the texts that are compared with each column, and
    ``beside`` the columns that stand in one comparison with a column.

    A call ``has(T2w, sag)`` stands in the tree as ``has(0)``: the place of its :class:`ImageTerm` among ``terms``.
    Raises :class:`ConditionError`.
    """

    def __init__(self, text: str) -> None:
        self.line = " ".join(text.split("\n")).strip()
        self.terms: list[ImageTerm] = []
        self.asked: list[str] = []
        self.columns: set[str] = set()
        self.functions: set[str] = set()
        self.words: set[str] = set()
        self.codes: set[str] = set()
        if len(text) > LONGEST:
            raise ConditionError(f"{text[:40]!r}…: the condition is longer than {LONGEST} characters; make it two")
        if _has_comment(text):
            raise ConditionError(
                f"{self.line!r}: a comment (#) has no place in a condition; write it above the criterion"
            )
        try:
            parsed = ast.parse(self.line, mode="eval").body
        except SyntaxError as error:
            raise ConditionError(
                f"{self.line!r} cannot be read at character {error.offset or 1} ({error.msg}); words of Python such as "
                f"'with', and words that begin with a digit, need quotes"
            ) from error
        except (ValueError, RecursionError, MemoryError) as error:
            raise ConditionError(f"{self.line[:40]!r}… cannot be read ({error})") from error
        self.tree: ast.expr = self._condition(parsed, 0)
        self.compared: dict[str, set[str]] = defaultdict(set)
        self.beside: dict[str, set[str]] = defaultdict(set)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Compare):
                self._note(list(_operands(node)))

    def _note(self, operands: Sequence[ast.expr]) -> None:
        """What is compared with what."""
        names = {each.id for each in operands if isinstance(each, ast.Name)}
        texts = {each.value for each in operands if isinstance(each, ast.Constant) and isinstance(each.value, str)}
        for name in names:
            self.compared[name] |= texts
            self.beside[name] |= names - {name}

    def called(self, node: ast.Call) -> str:
        """The text of a call of the tree."""
        assert isinstance(node.func, ast.Name)
        match node.args:
            case [ast.Constant(value=int() as place)] if node.func.id != "found":
                return self.asked[place]
            case _:
                return ast.unparse(node)

    def check_kinds(self, columns: Mapping[str, type]) -> None:
        """Raise :class:`ConditionError` where text is compared with a number."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Compare):
                kinds = {kind for operand in _operands(node) for kind in _kinds(operand, columns)}
                if len(kinds) > 1:
                    raise self._error(
                        node, "this compares text with a number; text stands in quotes, a number does not"
                    )

    def _error(self, node: ast.expr, what: str) -> ConditionError:
        part = ast.get_source_segment(self.line, node) or self.line
        place = len(self.line.encode()[: node.col_offset].decode()) + 1
        return ConditionError(f"{self.line!r}: at character {place}, {part!r}: {what}")

    def _condition(self, node: ast.expr, depth: int) -> ast.expr:
        """A node that is true, false or unknown."""
        if depth > DEEPEST:
            raise self._error(node, f"the condition is nested more than {DEEPEST} deep; make it two")
        match node:
            case ast.BoolOp(values=values):
                node.values = [self._condition(value, depth + 1) for value in values]
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                node.operand = self._condition(operand, depth + 1)
            case ast.Compare():
                self._comparison(node)
            case ast.Call(func=ast.Name(id="has" | "found")):
                return self._call(node)
            case ast.Call(func=ast.Name(id="count")):
                raise self._error(node, "count(…) is a number; compare it, as in count(DWI) >= 2")
            case ast.Call():
                raise self._no_function(node)
            case _:
                raise self._error(node, f"this is not a condition; the language is {LANGUAGE}")
        return node

    def _comparison(self, node: ast.Compare) -> None:
        for op, right in zip(node.ops, node.comparators, strict=True):
            listed = isinstance(op, ast.In | ast.NotIn)
            if not listed and not isinstance(op, COMPARISONS):
                raise self._error(node, f"this is outside the language ({LANGUAGE})")
            if listed != isinstance(right, ast.Tuple | ast.List):
                raise self._error(
                    node, "'in' takes a list such as ('A', 'B'), and every other comparison takes one value"
                )
        node.left = self._operand(node.left)
        node.comparators = [self._operands(each) for each in node.comparators]
        if any(_is_none(side) for side in (node.left, *node.comparators)) and not all(
            isinstance(op, ast.Eq | ast.NotEq) for op in node.ops
        ):
            raise self._error(node, "None is asked for by == or != alone")

    def _operands(self, node: ast.expr) -> ast.expr:
        if isinstance(node, ast.Tuple | ast.List):
            node.elts = [self._operand(each) for each in node.elts]
            return node
        return self._operand(node)

    def _operand(self, node: ast.expr) -> ast.expr:
        """A node that is a value: a column, a constant or a count."""
        match node:
            case ast.Name(id=name):
                self.columns.add(name)
            case ast.Constant(value=None):
                return ast.copy_location(ast.Constant(ABSENT), node)
            case ast.Constant(value=value) if type(value) in (int, float, str):
                pass
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)) if value is not True:
                return ast.copy_location(ast.Constant(-value), node)
            case ast.Call(func=ast.Name(id="count")):
                return self._call(node)
            case ast.Call(func=ast.Name(id="column"), args=[ast.Constant(value=str() as name)], keywords=[]):
                self.columns.add(name)
                return ast.copy_location(ast.Name(name), node)
            case ast.Call(func=ast.Name(id="has" | "found")):
                raise self._error(node, "this is true or false by itself; do not compare it")
            case ast.Call():
                raise self._no_function(node)
            case _:
                raise self._error(node, f"this is outside the language ({LANGUAGE})")
        return node

    def _no_function(self, node: ast.Call) -> ConditionError:
        name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
        if name in FUNCTIONS:
            return self._error(node, "write column('the name') in a comparison")
        guess = get_close_matches(name, FUNCTIONS, n=1)
        return self._error(
            node,
            f"there is no function {name!r}; there are: {' '.join(FUNCTIONS)}"
            + (f"; did you mean {guess[0]!r}?" if guess else ""),
        )

    def _call(self, node: ast.Call) -> ast.expr:
        assert isinstance(node.func, ast.Name)
        self.functions.add(node.func.id)
        words = [self._word(each) for each in node.args]
        if node.func.id == "found":
            arguments = self._codes(node, words)
        else:
            arguments = [self._term(node, words)]
        return ast.copy_location(ast.Call(node.func, [ast.Constant(each) for each in arguments], []), node)

    def _codes(self, node: ast.Call, words: list[Word]) -> list[str]:
        codes = [str(word) for word in words if CODE.fullmatch(str(word))]
        if not codes or len(codes) < len(words) or node.keywords:
            raise self._error(node, "found(…) takes the codes of checks, such as found('G04') or found('G04', 'I01')")
        self.codes.update(codes)
        return codes

    def _term(self, node: ast.Call, words: list[Word]) -> int:
        """Note what an image must be; returns its place among the terms."""
        keywords: dict[str, list[Word]] = {}
        for keyword in node.keywords:
            if keyword.arg is None:
                raise self._error(node, "** is outside the language")
            if keyword.arg in keywords:
                raise self._error(node, f"{keyword.arg} is asked for twice")
            listed = keyword.value.elts if isinstance(keyword.value, ast.Tuple | ast.List) else [keyword.value]
            keywords[keyword.arg] = [self._word(each) for each in listed]
        try:
            self.terms.append(read_term(words, keywords))
            self.asked.append(ast.unparse(node))
        except ValueError as error:
            raise self._error(node, str(error)) from error
        given = [*words, *(word for each in keywords.values() for word in each)]
        self.words.update(str(word) for word in given)
        return len(self.terms) - 1

    def _word(self, node: ast.expr) -> Word:
        match node:
            case ast.Name(id=word):
                return word
            case ast.Constant(value=word) if isinstance(word, str | int | float) and not isinstance(word, bool):
                return word
            case _:
                raise self._error(node, "a word of the vocabulary is expected, bare or in quotes")


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ABSENT


def _operands(node: ast.Compare) -> Iterator[ast.expr]:
    for operand in (node.left, *node.comparators):
        if isinstance(operand, ast.Tuple | ast.List):
            yield from operand.elts
        else:
            yield operand


def _kinds(node: ast.expr, columns: Mapping[str, type]) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield "text" if issubclass(columns[node.id], str) else "number"
    elif isinstance(node, ast.Call):
        yield "number"
    elif isinstance(node, ast.Constant) and node.value is not ABSENT:
        yield "text" if isinstance(node.value, str) else "number"
