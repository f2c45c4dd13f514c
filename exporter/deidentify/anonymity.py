"""k-anonymity of a released tree: how many participants share each combination of what is told of them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..arrays import array
from ..tables import read_tsv

LEAST = 5
"""Groups smaller than this are listed."""

MOST_LISTED = 50
MOST_STEPS = 4
"""How many columns may be given up or made coarser in one offer."""

MOST_LETTERS = 80
MODEL = "device model"
BANDS = (5, 10)
MISSING = "n/a"
NOT_COUNTED = frozenset({"participant_id", "session_id", "acq_time", "days", "injection"})
"""Columns that are no quasi-identifiers here: the certificate says that intervals between visits are not counted."""

AGE = re.compile(r"age(_?years)?( \(visits\))?", re.IGNORECASE)
"""Columns that hold ages in years."""

YEARS = re.compile(r"(\d{1,3})(\D.*)?")
BETWEEN_VISITS = " / "
AFTER_PLACE = ":"
"""In a table a column is called by its place and name, so that any name may stand twice."""


@dataclass(frozen=True, slots=True)
class Quasi:
    """What is told of every participant: one row a participant, one cell a column, as released."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Participants who share all values. It names values and a count, never who they are."""

    values: tuple[str, ...]
    participants: int


@dataclass(frozen=True, slots=True)
class Column:
    """One column on its own: how many values it has, and how many participants share its rarest."""

    name: str
    values: int
    rarest: int


@dataclass(frozen=True, slots=True)
class Offer:
    """A way to larger groups. ``cells`` is how many values it takes away or makes coarser, ``k`` the smallest group
    after it (0 where nobody is left), ``left_small`` how many participants are then still in groups under 5.
    """

    steps: tuple[str, ...]
    cells: int
    k: int
    left_small: int

    @property
    def reaches(self) -> bool:
        """Does it bring every group to 5?"""
        return self.left_small == 0


@dataclass(frozen=True, slots=True)
class Anonymity:
    """k-anonymity over all columns together (Samarati and Sweeney 1998); ``n/a`` is a value like any other.

    ``k`` is the size of the smallest group, 0 where there is no participant. ``small`` holds the smallest groups under
    5, at most fifty of ``n_small``; ``sizes`` counts participants by the size of their group.
    """

    columns: tuple[Column, ...] = ()
    participants: int = 0
    k: int = 0
    groups: int = 0
    n_small: int = 0
    in_small: int = 0
    small: tuple[Group, ...] = ()
    sizes: tuple[tuple[str, int], ...] = ()
    offers: tuple[Offer, ...] = ()


def read_quasi(root: Path, models: Mapping[str, Iterable[str]]) -> Quasi:
    """The quasi-identifiers of a released tree: participants.tsv, clinical columns of visits and tables, device models.

    ``models`` holds the released model names by ``sub-<label>``. The values that a column has over a participant's
    visits count as one value, in the order of the sessions, since all of them are there to be seen.
    """
    path = root / "participants.tsv"
    people = read_tsv(path) if path.exists() else []
    own = [name for name in (people[0] if people else ()) if name not in NOT_COUNTED]
    tables = _phenotype(root)
    visits = {
        row["participant_id"]: _visits(root, row["participant_id"]) | tables.get(row["participant_id"], {})
        for row in people
    }
    clinical = sorted({name for columns in visits.values() for name in columns})
    rows = []
    for row in people:
        subject = row["participant_id"]
        model = " + ".join(sorted(set(models.get(subject, ())))) or MISSING
        rows.append((*(row[c] for c in own), *(visits[subject].get(c, MISSING) for c in clinical), model))
    return Quasi((*own, *(f"{name} (visits)" for name in clinical), MODEL), tuple(rows))


def _visits(root: Path, subject: str) -> dict[str, str]:
    """The clinical columns of one participant's visits, each as one value."""
    path = root / subject / f"{subject}_sessions.tsv"
    rows = sorted(read_tsv(path), key=lambda r: r["session_id"]) if path.exists() else []
    names = [name for name in (rows[0] if rows else ()) if name not in NOT_COUNTED]
    return {name: BETWEEN_VISITS.join(row[name] for row in rows) for name in names}


def _phenotype(root: Path) -> dict[str, dict[str, str]]:
    """The columns of the tables in ``phenotype/`` by participant, each with its values in the order of the files."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted((root / "phenotype").glob("*.tsv")):
        for row in read_tsv(path):
            for name in row.keys() - NOT_COUNTED:
                found[row["participant_id"]][name].append(row[name])
    return {subject: {n: BETWEEN_VISITS.join(v) for n, v in columns.items()} for subject, columns in found.items()}


def assess(quasi: Quasi, least: int = LEAST) -> Anonymity:
    """The smallest group, the groups under ``least`` and what would bring them there.

    >>> found = assess(Quasi(("sex",), (("F",),) * 6 + (("M",),)))
    >>> found.k, found.in_small, found.offers[0].steps
    (1, 1, ('leave out sex',))
    """
    if not quasi.rows:
        return Anonymity(tuple(Column(name, 0, 0) for name in quasi.columns))
    columns = zip(*quasi.rows, strict=True)
    names = [f"{place}{AFTER_PLACE}{name}" for place, name in enumerate(quasi.columns)]
    table = pa.table({name: array(column, pa.string()) for name, column in zip(names, columns, strict=True)})
    firsts, counts = _groups(table)
    sizes: list[int] = counts.tolist()
    under = sorted((n, *quasi.rows[row]) for row, n in zip(firsts.tolist(), sizes, strict=True) if n < least)
    return Anonymity(
        columns=tuple(_column(table, name) for name in names),
        participants=len(quasi.rows),
        k=min(sizes),
        groups=len(sizes),
        n_small=len(under),
        in_small=sum(n for n, *_ in under),
        small=tuple(Group(tuple(map(_short, values)), n) for n, *values in under[:MOST_LISTED]),
        sizes=_by_size(sizes, least),
        offers=_offers(table, least) if under else (),
    )


def _groups(table: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first of the rows that are alike, and how many these are; without columns all rows are.

    Not by Arrow's own ``group_by``, which takes a quarter of a second to import for a few people.
    """
    if not table.num_columns:
        return np.zeros(1, np.int64), np.array([table.num_rows])
    codes = np.zeros(table.num_rows, np.int64)
    for column in table.columns:
        coded = column.combine_chunks().dictionary_encode()
        codes = np.unique(codes * len(coded.dictionary) + np.from_dlpack(coded.indices), return_inverse=True)[1]
    _, firsts, counts = np.unique(codes, return_index=True, return_counts=True)
    return firsts, counts


def _sizes(table: pa.Table) -> list[int]:
    """How many rows each group has."""
    return _groups(table)[1].tolist()


def _shown(name: str) -> str:
    """The name of a column of a table as the tree has it."""
    return name.partition(AFTER_PLACE)[2]


def _column(table: pa.Table, name: str) -> Column:
    counts = _sizes(table.select([name]))
    return Column(_shown(name), len(counts), min(counts))


def _short(value: str) -> str:
    return value if len(value) <= MOST_LETTERS else f"{value[:MOST_LETTERS]}…"


def _by_size(sizes: Sequence[int], least: int) -> tuple[tuple[str, int], ...]:
    """Participants by the size of their group."""
    bounds = [(1, 1), (2, least - 1), (least, 2 * least - 1), (2 * least, 0)]
    return tuple(
        (_range(low, high), sum(n for n in sizes if n >= low and (not high or n <= high))) for low, high in bounds
    )


def _range(low: int, high: int) -> str:
    return "1" if high == 1 else f"{low} to {high}" if high else f"{low} or more"


@dataclass(frozen=True, slots=True)
class _Step:
    """One change of a table: the column that is left out, or the width in years of the bands of all ages."""

    column: str = ""
    width: int = 0

    @property
    def name(self) -> str:
        return f"age in bands of {self.width} years" if self.width else f"leave out {_shown(self.column)}"

    def applied(self, table: pa.Table) -> pa.Table:
        """The table after the step."""
        if not self.width:
            return table.drop_columns([self.column])
        for at, name in enumerate(table.column_names):
            if AGE.fullmatch(_shown(name)):
                table = table.set_column(at, name, _in_bands(table[name], self.width))
        return table


def _steps(table: pa.Table) -> list[_Step]:
    """What can be done to a table, the mildest first."""
    banded = (
        [_Step(width=width) for width in BANDS]
        if any(AGE.fullmatch(_shown(name)) for name in table.column_names)
        else []
    )
    return [
        *(step for step in banded if _cost(table, step.applied(table))),
        *(_Step(column=name) for name in table.column_names),
    ]


def _cost(before: pa.Table, after: pa.Table) -> int:
    """How many cells said something and now say nothing, or something coarser."""
    cells = 0
    for name in before.column_names:
        if name in after.column_names:
            differs = pc.not_equal(before[name], after[name])  # pyright: ignore[reportAttributeAccessIssue]
            cells += before.filter(differs).num_rows
        else:
            cells += before.num_rows - before[name].to_pylist().count(MISSING)
    return cells


def _offers(table: pa.Table, least: int) -> tuple[Offer, ...]:
    """Each single step with what it comes to, the best first; a row of steps where no single one is enough."""
    sizes = _sizes(table)
    few = sum(n for n in sizes if n < least)
    what = f"leave out the {few} participant{'s' if few != 1 else ''} in groups under {least}"
    leave = Offer((what,), few * table.num_columns, min((n for n in sizes if n >= least), default=0), 0)
    if table.num_rows < least:
        return (leave,)
    singles = [_judged(table, (step,), least) for step in _steps(table)]
    rows = () if any(o.reaches for o in singles) else _row_of_steps(table, least)
    order = sorted(singles, key=lambda o: (not o.reaches, o.left_small, o.cells, o.steps))
    return (*rows, leave, *order) if not any(o.reaches for o in singles) else (*order, leave)


def _judged(table: pa.Table, steps: Sequence[_Step], least: int) -> Offer:
    """What steps, one after the other, come to."""
    after = table
    for step in steps:
        after = step.applied(after)
    sizes = _sizes(after)
    names = tuple(step.name for step in steps)
    return Offer(names, _cost(table, after), min(sizes), sum(n for n in sizes if n < least))


def _row_of_steps(table: pa.Table, least: int) -> tuple[Offer, ...]:
    """Steps one after the other, each the one that leaves the fewest participants in small groups, without those that
    the later ones made needless; nothing where four are not enough."""
    taken: list[_Step] = []
    while len(taken) < MOST_STEPS:
        now = table
        for step in taken:
            now = step.applied(now)
        tried = {step: _judged(now, (step,), least) for step in _steps(now)}
        if not tried:
            return ()
        taken.append(min(tried, key=lambda step: (tried[step].left_small, tried[step].cells)))
        if tried[taken[-1]].reaches:
            break
    for step in tuple(taken):
        fewer = [other for other in taken if other != step]
        if _judged(table, fewer, least).reaches:
            taken = fewer
    offer = _judged(table, taken, least)
    return (offer,) if offer.reaches else ()


def _in_bands(ages: pa.ChunkedArray, width: int) -> pa.Array:
    """A column of ages, or of ages at all visits, in bands: each distinct one is worked out once."""
    coded = ages.combine_chunks().dictionary_encode()
    told = [
        BETWEEN_VISITS.join(band(a, width) for a in age.split(BETWEEN_VISITS)) for age in coded.dictionary.to_pylist()
    ]
    return pa.DictionaryArray.from_arrays(coded.indices, array(told, pa.string())).cast(pa.string())


def band(age: str, width: int) -> str:
    """An age in whole years, or a narrower band, as a band of ``width`` years; other text as it is.

    >>> band("63", 5), band("60-64", 10), band("60-69", 5), band("89", 5), band("n/a", 5)
    ('60-64', '60-69', '60-69', '85-89', 'n/a')
    """
    found = YEARS.fullmatch(age)
    if not found:
        return age
    low = int(found.group(1)) // width * width
    ends = [int(number) for number in re.findall(r"\d+", age)]
    return f"{low}-{low + width - 1}" if max(ends) < low + width else age
