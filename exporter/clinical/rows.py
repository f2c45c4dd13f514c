"""What the clinical tables say, joined: as criteria ask it, and as it may leave."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from .column import ClinicalColumn
from .schedule import Schedule

Value = str | int | float | None


@dataclass(frozen=True, slots=True)
class Phenotype:
    """One table of ``phenotype/``: rows by subject and session labels, the session "" where the table has no visits."""

    name: str
    description: str
    columns: tuple[str, ...]
    by_visit: bool
    rows: Mapping[tuple[str, str], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class ClinicalRows:
    """Clinical values, ready to leave: by subject label, and by (subject, session) where the table has visits.

    Days are still those of the source here: they are moved before they leave. ``unmatched`` holds one sentence for
    every row or subject without a partner, ``refused`` one for every cell or column that was not what the trial says;
    both are private. ``phenotype`` are the tables that go to files of their own, ``described`` what is known of every
    released column, by its name.

    ``values`` and ``visit_values`` are for criteria, and private: typed (``kinds``), of all columns, released or not,
    by subject, and by subject and session; a day is a number, in days since the subject's first session. A subject's
    value is None where its filled rows do not agree; those of a visit stand in ``visit_values``. ``by_visit`` are the
    columns of tables that have a visit or a date. ``without_images`` counts the ids of the tables that no image came
    under. ``schedule`` holds the trial's visits with the days from which they count.
    """

    columns: tuple[str, ...]
    participants: Mapping[str, Mapping[str, str]]
    sessions: Mapping[tuple[str, str], Mapping[str, str]]
    unmatched: tuple[str, ...]
    refused: tuple[str, ...]
    phenotype: tuple[Phenotype, ...] = ()
    described: Mapping[str, ClinicalColumn] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    visit_values: Mapping[tuple[str, str], Mapping[str, Value]] = field(default_factory=dict)
    kinds: Mapping[str, type] = field(default_factory=dict)
    by_visit: frozenset[str] = frozenset()
    without_images: int = 0
    schedule: Schedule = field(default_factory=Schedule)

    def rows(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Every row that may leave, with its subject's label."""
        yield from self.participants.items()
        yield from ((subject, row) for (subject, _), row in self.sessions.items())
        yield from ((subject, row) for table in self.phenotype for (subject, _), row in table.rows.items())

    def changed(self, columns: Collection[str], cell: Callable[[str, str, str], str]) -> ClinicalRows:
        """The same with the cells of these columns that may leave made others: ``cell(subject, column, text)``."""
        if not columns:
            return self

        def row(subject: str, cells: Mapping[str, str]) -> dict[str, str]:
            return {**cells, **{name: cell(subject, name, cells[name]) for name in columns if name in cells}}

        return self._with(row)

    def without(self, columns: Collection[str]) -> ClinicalRows:
        """The same without these columns in what may leave."""
        if not columns:
            return self
        kept = self._with(lambda _, cells: {name: text for name, text in cells.items() if name not in columns})
        return replace(
            kept,
            columns=tuple(name for name in self.columns if name not in columns),
            phenotype=tuple(
                replace(table, columns=tuple(name for name in table.columns if name not in columns))
                for table in kept.phenotype
            ),
            described={name: column for name, column in self.described.items() if name not in columns},
        )

    def _with(self, row: Callable[[str, Mapping[str, str]], dict[str, str]]) -> ClinicalRows:
        return replace(
            self,
            participants={subject: row(subject, cells) for subject, cells in self.participants.items()},
            sessions={key: row(key[0], cells) for key, cells in self.sessions.items()},
            phenotype=tuple(
                replace(table, rows={key: row(key[0], cells) for key, cells in table.rows.items()})
                for table in self.phenotype
            ),
        )


NOTHING = ClinicalRows((), {}, {}, (), ())
