"""Clinical values on their way out: days moved, columns and texts that name somebody kept back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from trialbids.mappings.identifiers import identifier_rules

from ..clinical.column import ClinicalColumn
from ..clinical.rows import ClinicalRows
from ..deidentify.dates import Shift, parsed
from ..deidentify.forms import fold, words
from ..deidentify.identifiers import Known
from .said import NOT_SAID
from .searches import Searches

LEAST_LETTERS = 3
"""Shorter parts of a name are met in any word list."""

LEAST_ID = 3
LEAST_CELLS = 2
SAMPLE = 2_000
"""So many cells tell what a column holds."""

SHARE = 0.5
"""A column of which so many cells are identifiers of their own subjects holds them."""

IDS, NAMES, BIRTHS = "id", "name", "birth_date"


def cleared(clinical: ClinicalRows, searches: Searches, shift_of: Callable[[str], Shift]) -> ClinicalRows:
    """The values as they may leave, but for what makes them coarser.

    A column of which half the cells are names, ids or birth dates of their own subjects does not leave. Days are moved
    by ``shift_of`` the subject's label; free text leaves where no known identifier stands in it. What was kept back
    stands in ``refused``.
    """
    if not clinical.described:
        return clinical
    named = _named_columns(clinical, _Own(searches.known))
    clinical = clinical.without(named)
    texts = _Texts(clinical, searches, shift_of)
    clinical = clinical.changed([n for n, c in clinical.described.items() if c.kind in ("date", "text")], texts.cell)
    described = {name: texts.column(column) for name, column in clinical.described.items()}
    tables = tuple(replace(p, description=texts.sentence(p.name, p.description)) for p in clinical.phenotype)
    told = (f"the column {name} is refused: its values are names, ids or birth dates of the subjects" for name in named)
    refused = (*clinical.refused, *told, *dict.fromkeys(texts.refused))
    return replace(clinical, described=described, phenotype=tables, refused=refused)


class _Own:
    """By which words each subject alone is known: a cell is one of them, or is none."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._of: dict[str, _Words] = {}

    def is_one(self, subject: str, cell: str) -> bool:
        """Is the cell the subject's name, id or birth date?"""
        if subject not in self._of:
            self._of[subject] = _words_of(self._known, subject)
        own = self._of[subject]
        folded = [w for w in words(fold(cell)) if len(w) >= LEAST_LETTERS and not w.isdigit()]
        is_name = bool(folded) and all(word in own.names for word in folded)
        return is_name or _bare(cell) in own.ids or _day(cell) in own.births


@dataclass(frozen=True, slots=True)
class _Words:
    names: frozenset[str]
    ids: frozenset[str]
    births: frozenset[str]


def _words_of(known: Known, subject: str) -> _Words:
    kinds = identifier_rules().kinds
    own = [i for i in known.of_subject(subject) if kinds[i.kind].whom == "subject"]
    common = identifier_rules().common
    names = {w for i in own if kinds[i.kind].form == "name" for w in words(fold(i.value)) if len(w) >= LEAST_LETTERS}
    ids = {_bare(i.value) for i in own if kinds[i.kind].form == "id"}
    births = {i.value for i in own if i.kind == BIRTHS}
    return _Words(frozenset(names - common), frozenset(i for i in ids if len(i) >= LEAST_ID), frozenset(births))


def _bare(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold().lstrip("0")


def _day(cell: str) -> str:
    day = parsed(cell.replace("-", "")) if len(cell) in (8, 10) else None
    return "" if day is None else f"{day:%Y%m%d}"


def _named_columns(clinical: ClinicalRows, own: _Own) -> list[str]:
    """Columns that give away whom their rows speak of."""
    said: dict[str, int] = {}
    found: dict[str, int] = {}
    for subject, row in clinical.rows():
        for name, cell in row.items():
            if cell != NOT_SAID and said.get(name, 0) < SAMPLE:
                said[name] = said.get(name, 0) + 1
                found[name] = found.get(name, 0) + own.is_one(subject, cell)
    return sorted(name for name, n in found.items() if n >= LEAST_CELLS and n >= SHARE * said[name])


class _Texts:
    """What becomes of days and texts; a text with a known identifier is kept back and told of."""

    def __init__(self, clinical: ClinicalRows, searches: Searches, shift_of: Callable[[str], Shift]) -> None:
        self._kinds: Mapping[str, str] = {name: column.kind for name, column in clinical.described.items()}
        self._searches, self._shift_of = searches, shift_of
        self._shifts: dict[str, Shift] = {}
        self._held: dict[str, bool] = {}
        self.refused: list[str] = []

    def cell(self, subject: str, name: str, cell: str) -> str:
        """A cell as it may leave."""
        if cell == NOT_SAID:
            return cell
        if self._kinds[name] == "date":
            return self._moved(subject, cell)
        if self._is_held(cell):
            self.refused.append(f"sub-{subject}: {name}: a known identifier stands in this text, so it stays back")
            return NOT_SAID
        return cell

    def _moved(self, subject: str, cell: str) -> str:
        if subject not in self._shifts:
            self._shifts[subject] = self._shift_of(subject)
        day = self._shifts[subject].moved(date.fromisoformat(cell))
        return NOT_SAID if day is None else f"{day.year:04d}{day:-%m-%d}"

    def _is_held(self, text: str) -> bool:
        if text not in self._held:
            self._held[text] = bool(self._searches.everybody.in_text(text))
        return self._held[text]

    def column(self, column: ClinicalColumn) -> ClinicalColumn:
        """What is said of a column, without texts that hold a known identifier."""
        levels = {code: self.sentence(column.name, text) or code for code, text in column.levels.items()}
        return replace(
            column,
            levels=levels,
            description=self.sentence(column.name, column.description),
            unit=self.sentence(column.name, column.unit),
            missing=tuple(code for code in column.missing if self.sentence(column.name, code)),
        )

    def sentence(self, name: str, text: str) -> str:
        """A text of the configuration or the codebook, "" where it holds a known identifier."""
        if not text or not self._is_held(text):
            return text
        self.refused.append(f"{name}: a known identifier stands in what is said of this column, so that stays back")
        return ""
