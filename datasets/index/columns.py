"""The clinical columns of one sample: from participants.tsv, sessions.tsv and the tables of ``phenotype/``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ..errors import QueryError, ReadError
from ..files.tables import Row, Table, Value, absent, parse_tsv, typed_table
from ..files.trees import Tree

PHENOTYPE = "phenotype"
PERSON = "participant_id"
IDS: Mapping[str, type] = {"participant_id": str, "session_id": str, "site": str}


@dataclass(frozen=True, slots=True)
class Clinical:
    """One table with rows by participant and session; the session is "" where a row holds for the participant.

    ``repeated`` are those who have several rows under one key, in the words of the table.
    """

    name: str
    table: Table
    repeated: tuple[str, ...] = ()

    def row(self, participant: str, session: str) -> Row:
        """The row of a visit, else that of the participant, else an empty one."""
        rows = self.table.rows
        return rows.get((participant, session)) or rows.get((participant, "")) or {}

    def has_rows_of_people(self) -> bool:
        """Whether it says anything about participants as a whole."""
        return not self.table.rows or any(not key[1] for key in self.table.rows)


def read_phenotype(tree: Tree, problem: Callable[[str, str], None]) -> tuple[Clinical, ...]:
    """The tables ``phenotype/*.tsv`` of a tree, each with ``participant_id`` and perhaps ``session_id``.

    A table of visits is one file a session label (``<table>_ses-<label>.tsv``), and is one table here.
    """
    try:
        files = [name for name in tree.listing(PHENOTYPE).files if name.endswith(".tsv")]
    except FileNotFoundError:
        return ()
    except OSError as error:
        problem(PHENOTYPE, f"the folder cannot be read ({error.strerror})")
        return ()
    parts: dict[str, list[str]] = {}
    for name in files:
        parts.setdefault(name.removesuffix(".tsv").partition("_ses-")[0], []).append(f"{PHENOTYPE}/{name}")
    return tuple(_read(tree, name, paths, problem) for name, paths in parts.items())


def read_rows(tree: Tree, path: str, problem: Callable[[str, str], None]) -> list[dict[str, str]]:
    """The rows of a table of participants, as text; none where it is missing, or cannot be read, which is a problem."""
    try:
        return parse_tsv(path, tree.read(path), PERSON, partial(problem, path))
    except FileNotFoundError:
        return []
    except (OSError, ReadError) as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            problem(path, str(error))
        return []


def _read(tree: Tree, name: str, paths: Sequence[str], problem: Callable[[str, str], None]) -> Clinical:
    given: list[dict[str, str]] = []
    for path in paths:
        rows = read_rows(tree, path, problem)
        named = [row for row in rows if not absent(row[PERSON])]
        if nameless := len(rows) - len(named):
            problem(path, f"{nameless} rows have no {PERSON} and are left out")
        given += named
    for row in given:
        session = row.get("session_id") or ""
        row["session_id"] = "" if session == "n/a" else session
    counted = Counter((row[PERSON], row["session_id"]) for row in given)
    repeated = tuple(" ".join(filter(None, key)) for key, count in counted.items() if count > 1)
    return Clinical(name, typed_table(given, (PERSON, "session_id")), repeated)


class Columns:
    """Every column that a sample can be asked for, by its name, or by ``<table>__<column>``.

    ``kinds`` holds the type of each. With the unit ``participant`` only what is said of participants is there. A name
    that stands in two tables, of which one lies in ``phenotype/``, must be asked for with its table.
    """

    def __init__(self, tables: Sequence[Clinical], unit: str) -> None:
        self.of_people = unit == "participant"
        self.tables = [table for table in tables if not self.of_people or table.has_rows_of_people()]
        self.homes: dict[str, list[Clinical]] = {}
        for table in self.tables:
            for column in table.table.columns:
                if column not in IDS:
                    self.homes.setdefault(column, []).append(table)
        self.kinds: dict[str, type] = {name: IDS[name] for name in IDS if not (self.of_people and name == "session_id")}
        for column, homes in self.homes.items():
            kinds = {table.name: _kind(table.table, column) for table in homes}
            self.kinds[column] = kinds[homes[-1].name]
            if len(homes) > 1:
                self.kinds |= {f"{table}__{column}": kind for table, kind in kinds.items()}

    def check(self, name: str) -> None:
        """Raise :class:`QueryError` where a column cannot be told apart, or gives several values for one sample."""
        homes = self._homes(name)
        if len(homes) > 1 and {table.name for table in homes} != {"participants", "sessions"}:
            ways = " or ".join(f"{table.name}__{name}" for table in homes)
            raise QueryError(f"cohort: the column {name!r} stands in {len(homes)} tables; ask for {ways}")
        for table in homes:
            if table.repeated:
                raise QueryError(
                    f"cohort: the column {name!r} has several values for one sample: {PHENOTYPE}/{table.name}.tsv has "
                    f"more than one row for {', '.join(table.repeated[:5])}"
                )

    def row(self, participant: str, session: str, site: str) -> dict[str, Value]:
        """All columns of one sample; what is not known is None or not there."""
        row: dict[str, Value] = {}
        for table in self.tables:
            cells = table.row(participant, "" if self.of_people else session)
            for column, value in cells.items():
                if column not in IDS:
                    row[column] = value
                    row[f"{table.name}__{column}"] = value
        return {**row, "participant_id": participant, "session_id": session, "site": site or None}

    def values(self, name: str) -> list[Value]:
        """The values of a column in the whole tree."""
        if name in IDS:
            return [row.get(name) for table in self.tables[:1] for row in table.table.rows.values()]
        column = name if name in self.homes else name.partition("__")[2]
        return [row.get(column) for table in self._homes(name) for row in table.table.rows.values()]

    def _homes(self, name: str) -> list[Clinical]:
        if name in self.homes:
            return self.homes[name]
        table, _, column = name.partition("__")
        return [home for home in self.homes.get(column, []) if home.name == table]


def _kind(table: Table, column: str) -> type:
    """The type of a column; one without any value counts as a number."""
    return type(next((row[column] for row in table.rows.values() if row.get(column) is not None), 0.0))
