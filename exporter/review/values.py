"""Cells as people and spreadsheets leave them: read into the vocabulary, compared in spite of a program's changes."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from trialbids.mappings.record import check_value, format_cell
from trialbids.mappings.vocabulary import Attribute, vocabulary

DECISION = "decision"
DECISIONS = ("keep", "quarantine", "exclude")
EMPTY = frozenset({"", "n/a", "na", "nan", "#n/a", "null"})
"""What programs write into a cell that holds nothing."""

MOST_INDEX = 9_999
MOST_SECONDS = 86_400
MOST_BVALUE = 99_999

NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?")
SHOWN_DIGITS = 5e-6
"""Half a unit of the sixth digit, relative: spreadsheets show long numbers with six."""


def editable() -> tuple[str, ...]:
    """The columns of the plan that a person may change."""
    return (DECISION, *vocabulary())


def clean(cell: str) -> str:
    """The cell without blanks around it; "" for every way to say that it is empty."""
    bare = " ".join(cell.split())
    return "" if bare.casefold() in EMPTY else bare


def number(cell: str) -> float | None:
    """The number in a cell, with a decimal point or comma; None where it holds no finite number."""
    if not NUMBER.fullmatch(cell):
        return None
    value = float(cell.replace(",", "."))
    return value if math.isfinite(value) else None


def same(before: str, after: str) -> bool:
    """Whether a cell still says what it said: leading zeros, decimal commas and cut digits are a program's doing.

    >>> same("01", "1"), same("12.5", "12,5"), same("123456789012", "1.23457E+11"), same("T1w", "T2w")
    (True, True, True, False)
    """
    if before == after:
        return True
    before, after = clean(before), clean(after)
    if before.casefold() == after.casefold():
        return True
    one, other = number(before), number(after)
    return one is not None and other is not None and math.isclose(one, other, rel_tol=SHOWN_DIGITS)


def canonical(name: str, cell: str) -> str:
    """The cell as the plan itself would write it.

    >>> canonical("sequence", " t2W "), canonical("derived", "mip, sub"), canonical("phase_time_s", "12,50")
    ('T2w', 'sub mip', '12.5')

    Raises ``ValueError`` with the legal values.
    """
    text = clean(cell)
    if name == DECISION:
        return _word(text, DECISIONS)
    attribute = vocabulary().get(name)
    if attribute is None:
        raise ValueError(f"this cannot be edited; what can be is {', '.join(editable())}")
    value = _value(attribute, text)
    check_value(name, value, attribute.kind, attribute.values)
    return format_cell(value)


def _value(attribute: Attribute, text: str) -> Any:
    match attribute.kind:
        case "word":
            legal = [v for v in attribute.values if v != "multi"]
            return "" if not text and attribute.name == "phase_time_source" else _word(text, legal)
        case "words":
            parts = [] if text in ("-", "none") else [p for p in re.split(r"[\s,;]+", text) if p]
            found = {_word(part, attribute.values) for part in parts}
            return tuple(w for w in attribute.values if w in found)
        case "index":
            value = number(text) if text else None
            if text and (value is None or not 1 <= value <= MOST_INDEX or value != int(value)):
                raise ValueError(
                    f"{_short(text)} is no index; it takes a whole number, 1 to {MOST_INDEX:,}, or nothing"
                )
            return None if value is None else int(value)
        case "number":
            return _up_to(MOST_SECONDS, text) if text else None
        case _:
            return tuple(_of_list(part) for part in re.split(r"\s*;\s*|,?\s+", text) if part)


def _word(text: str, legal: Sequence[str]) -> str:
    found = [word for word in legal if word.casefold() == text.casefold()]
    if text in legal:
        return text
    if len(found) == 1:
        return found[0]
    said = f"{text!r} is not one of its values" if text else "the cell is empty"
    raise ValueError(f"{said}; it takes {', '.join(legal)}")


def _up_to(most: int, text: str) -> float:
    value = number(text)
    if value is None or not 0 <= value <= most:
        raise ValueError(f"{_short(text)} is no number from 0 to {most:,}")
    return value


def _short(text: str) -> str:
    """The cell in quotes, cut where it is long."""
    return repr(text if len(text) <= 40 else f"{text[:40]}…")


def _of_list(text: str) -> float:
    """One number of a list. A comma could part two numbers or two halves of one: it is not guessed which."""
    if "," in text:
        raise ValueError(f"{text!r} can be read in two ways; part the numbers by blanks, such as 50 800")
    return _up_to(MOST_BVALUE, text)
