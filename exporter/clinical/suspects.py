"""Columns that look as if they named somebody: refused whole, whatever the configuration calls them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trialbids.mappings.clinical import clinical_rules

from .column import ClinicalColumn

SHARE = 0.5
"""So much of a column must look like an identifier that it is one; fewer cells are refused one by one."""

LEAST_ROWS, LEAST_SHORT_ROWS = 2, 5
LEAST_ID = 3
"""Characters of an id; shorter ones are met by chance, so that all rows, and more of them, must have theirs."""

SAMPLE = 2_000
"""So many rows, evenly taken, tell what a column holds."""


def suspicion(column: ClinicalColumn, cells: Sequence[str], subjects: Sequence[str]) -> str:
    """Why a column must stay private, "" where nothing speaks against it. ``subjects`` are the ids of the same rows."""
    if not column.leaves or column.kind == "date":
        return ""
    step = max(1, len(cells) // SAMPLE)
    cells, subjects = cells[::step], subjects[::step]
    filled = {cell for cell in cells if cell and cell.casefold() not in clinical_rules().missing}
    for rule in clinical_rules().values:
        if column.kind in rule.types and _mostly(rule.pattern.fullmatch(cell) is not None for cell in filled):
            return f"its values look like {rule.what}"
    rows = [(cell, subject) for cell, subject in zip(cells, subjects, strict=True) if cell in filled]
    return "its values are the ids of the subjects" if _are_ids(rows) else ""


def _are_ids(rows: Sequence[tuple[str, str]]) -> bool:
    """Are these cells the ids of the subjects beside them?"""
    same = [_bare(cell) == _bare(subject) for cell, subject in rows]
    long = [is_same for is_same, (_, subject) in zip(same, rows, strict=True) if len(_bare(subject)) >= LEAST_ID]
    return (len(long) >= LEAST_ROWS and _mostly(long)) or (len(same) >= LEAST_SHORT_ROWS and all(same))


def _mostly(answers: Iterable[bool]) -> bool:
    said = list(answers)
    return bool(said) and sum(said) >= SHARE * len(said)


def _bare(text: str) -> str:
    """An id without signs, letter case and leading zeros."""
    return "".join(filter(str.isalnum, text)).casefold().lstrip("0")
