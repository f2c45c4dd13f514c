"""A column of a clinical table, settled: what the trial says of it, completed by the codebook."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from trialbids.mappings import participant
from trialbids.mappings.clinical import clinical_rules, header_words

from ..errors import UsageError
from ..trial.clinical import Clinical, Column
from .codebook import Entry

UNITS = {"months": "M", "month": "M", "weeks": "W", "week": "W", "days": "D", "day": "D"}
"""Words of a column's name or unit that say in which unit its ages are; without one they are years."""

PYTHON_TYPES: Mapping[str, type] = {"number": float, "integer": int, "level": str, "date": float, "text": str}
"""What criteria meet: a date is a number of days since the subject's first session."""

_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_PADDED = re.compile(r"0[0-9]+")
"""Numbers as whoever reads a released table takes them; a code with a zero in front stays text."""


@dataclass(frozen=True, slots=True)
class ClinicalColumn:
    """How one column is read and released: ``source`` is its name in the table, ``name`` that in the released tree.

    ``kind`` is number, integer, level, date or text. ``refusal`` says why a column that was asked for stays private.
    """

    source: str
    name: str
    kind: str
    levels: Mapping[str, str] = field(default_factory=dict)
    unit: str = ""
    description: str = ""
    missing: tuple[str, ...] = ()
    release: bool = True
    dates: str | None = None
    least: float | None = None
    most: float | None = None
    refusal: str = ""

    @property
    def leaves(self) -> bool:
        """Is the column released?"""
        return self.release and not self.refusal

    @property
    def python_type(self) -> type:
        """What criteria meet: levels that are all numbers are numbers, as they are to readers of the released table."""
        if self.kind == "level" and all(_NUMBER.fullmatch(c) and not _PADDED.fullmatch(c) for c in self.levels):
            return float
        return PYTHON_TYPES[self.kind]

    @property
    def oldest(self) -> float:
        """The highest value that may leave: an age that stands for 89 years, else infinity."""
        return min(oldest(f"{name} {self.unit}") for name in (self.source, self.name))

    def refused(self, why: str) -> ClinicalColumn:
        """The column, kept private; one that has its reason keeps that."""
        return self if self.refusal else replace(self, refusal=why)


def oldest(column: str) -> float:
    """The highest value that a number column may hold: an age that stands for 89 years, else infinity.

    A column is an age where ``age`` is a word of its name: ``age``, ``AGE``, ``age_years``, ``AgeAtVisit``.
    """
    words = set(header_words(column))
    if "age" not in words:
        return math.inf
    return participant.highest(next((UNITS[word] for word in sorted(words) if word in UNITS), "Y"))


def settle(table: Clinical, codebook: Mapping[str, Entry]) -> tuple[ClinicalColumn, ...]:
    """The table's columns, each with its type. Raises ``UsageError`` where neither trial nor codebook tells one."""
    return tuple(_settled(table, source, column, codebook) for source, column in table.columns.items())


def _settled(table: Clinical, source: str, column: Column, codebook: Mapping[str, Entry]) -> ClinicalColumn:
    """What the trial says goes before what the codebook says."""
    entry = codebook.get(source)
    if entry is None and column.kind is None:
        raise UsageError(f"{table.codebook}: has no field {source}; give its type in trial.yaml")
    entry = entry or Entry()
    kind = column.kind or entry.kind
    made = ClinicalColumn(
        source=source,
        name=column.name or source,
        kind=kind,
        levels=column.levels or (entry.levels if kind == "level" else {}),
        unit=column.unit or entry.unit,
        description=column.description or entry.description,
        missing=column.missing,
        release=column.release,
        dates=column.dates or table.dates,
        least=entry.least if kind in ("number", "integer") else None,
        most=entry.most if kind in ("number", "integer") else None,
    )
    if entry.refusal:
        return made.refused(f"the codebook says that it {entry.refusal}")
    if kind == "text" and not column.allow_text:
        return made.refused("it is free text; list its levels in trial.yaml, or say type: text and allow_text: true")
    named = clinical_rules().named(source, kind)
    return made.refused(f"its name says that it {named}") if named else made
