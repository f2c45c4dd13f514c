"""Clinical tables: joined to subjects and sessions by the trial's own ids; only the listed columns leave."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain, combinations

from ..plan.visits import Visit
from ..trial.clinical import Clinical, VisitWindow
from .cells import Typed, read_cells, shown
from .codebook import read_codebook
from .collections import FORMS
from .column import ClinicalColumn, settle
from .matching import Ids, baseline_of, ids_of, match_rows
from .numbers import decimals_of
from .rows import NOTHING, ClinicalRows, Phenotype, Value
from .schedule import Schedule, day_of
from .sheet import TYPED, Sheet, read_sheet
from .suspects import suspicion

__all__ = ["NOTHING", "NO_ALIASES", "ClinicalRows", "join_clinical"]

NO_ALIASES: Mapping[tuple[str, str], Sequence[str]] = {}
NO_VISITS: Mapping[str, VisitWindow] = {}


def join_clinical(
    tables: Sequence[Clinical],
    visits: Sequence[Visit],
    aliases: Mapping[tuple[str, str], Sequence[str]] = NO_ALIASES,
    schedule: Mapping[str, VisitWindow] = NO_VISITS,
    baseline: str | None = None,
) -> ClinicalRows:
    """Join the clinical tables to the visits.

    A subject is matched by its id in the trial; a visit by its name in the ``schedule``, by its day, by its session
    label or, where there is no schedule and it is a whole number, by its place in the order of the dates. Days of the
    schedule count from the column ``baseline``, or from a subject's first session. ``aliases`` holds, by subject and
    session, every other id that images of the subject came under. Columns that have one value in all rows of every
    subject describe the participant, if the trial says nothing else.
    Raises ``UsageError`` where a table cannot be read, lacks a column or has two rows for one visit.
    """
    if not tables:
        return replace(NOTHING, schedule=Schedule(schedule))
    ids = ids_of(visits, aliases)
    opened = [_open(table) for table in tables]
    planned, remarks = _schedule(opened, ids, schedule, baseline)
    joined = [_joined(each, ids, planned) for each in opened]
    strangers = {name for each in opened for name in each.sheet[each.table.subject] if name and not ids.get(name)}
    return replace(_together(joined, visits, remarks), without_images=len(strangers), schedule=planned)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A table that is read, with its columns settled."""

    table: Clinical
    sheet: Sheet
    columns: tuple[ClinicalColumn, ...]


@dataclass(frozen=True, slots=True)
class _Joined:
    """A table's rows by session; ``cells`` holds each column's values in the order of ``visits``."""

    table: Clinical
    columns: tuple[ClinicalColumn, ...]
    visits: tuple[Visit, ...]
    cells: Mapping[str, list[Typed]]
    unmatched: tuple[str, ...]
    refused: tuple[str, ...]

    def constant(self, name: str) -> bool:
        """Has the column one value in all rows of every subject?"""
        first: dict[str, Typed] = {}
        return all(
            first.setdefault(v.subject, value) == value for v, value in zip(self.visits, self.cells[name], strict=True)
        )


def _open(table: Clinical) -> _Opened:
    sheet = FORMS[table.form](table.table) if table.form else read_sheet(table.table, table.sheet)
    columns = settle(table, read_codebook(table.codebook) if table.codebook is not None else {})
    if sheet.lines or sheet.columns:
        sheet.need([table.subject, *filter(None, (table.visit, table.date)), *(c.source for c in columns)])
    else:
        sheet = Sheet(sheet.path, {n: [] for n in (table.subject, table.visit, table.date) if n}, (), sheet.remarks)
    return _Opened(table, sheet, columns)


def _schedule(
    opened: Iterable[_Opened], ids: Ids, windows: Mapping[str, VisitWindow], baseline: str | None
) -> tuple[Schedule, tuple[str, ...]]:
    """The schedule with every subject's first day, and sentences on subjects who have none."""
    if baseline is None:
        return Schedule(windows), ()
    for each in opened:
        for column in each.columns:
            if baseline in (column.source, column.name) and column.source in each.sheet.columns:
                subjects = each.sheet[each.table.subject]
                days, form, several = baseline_of(each.sheet[column.source], subjects, ids, column.dates)
                name = f"{each.table.table.name}: {column.source}"
                told = [f"{name}: {form.reason}"] if form.reason else []
                told += [
                    f"{name}: sub-{label} has several days; its visits have no baseline" for label in sorted(several)
                ]
                return Schedule(windows, days), tuple(told)
    return Schedule(windows, {}), (f"baseline: no row has a {baseline}",)


def _joined(opened: _Opened, ids: Ids, schedule: Schedule) -> _Joined:
    """Match rows, then read the cells of those that have a partner, column by column."""
    table, sheet = opened.table, opened.sheet
    matched = match_rows(table, sheet, ids, schedule)
    places = list(dict.fromkeys(matched.rows.values()))
    at = {place: n for n, place in enumerate(places)}
    refused: list[str] = []
    columns = []
    cells: dict[str, list[Typed]] = {}
    signs = _decimal_signs(opened)
    for column in opened.columns:
        whole = sheet.columns.get(column.source, [])
        why = suspicion(column, whole, sheet[table.subject])
        column = column.refused(why) if why else column
        if column.release and column.refusal:
            refused.append(f"{table.table.name}: the column {column.source} is refused: {column.refusal}")
        where = lambda at: f"{table.table.name} line {sheet.lines[places[at]]}"  # noqa: E731
        read = read_cells(column, [whole[place] for place in places], where, whole, signs)
        refused += read.refused if column.leaves or not column.release else ()
        cells[column.name] = [read.values[at[place]] for place in matched.rows.values()]
        columns.append(column)
    return _Joined(table, tuple(columns), tuple(matched.rows), cells, matched.unmatched, tuple(refused))


def _decimal_signs(opened: _Opened) -> frozenset[str]:
    """The decimal signs that the columns of numbers of a text file use for certain; a workbook's numbers have none."""
    if opened.sheet.path.suffix.casefold() in TYPED:
        return frozenset()
    columns = (c.source for c in opened.columns if c.kind == "number")
    return frozenset().union(*(decimals_of(set(opened.sheet.columns.get(name, ()))).certain for name in columns))


def _together(joined: Sequence[_Joined], visits: Sequence[Visit], remarks: tuple[str, ...]) -> ClinicalRows:
    """All tables as one: what leaves, and what criteria ask."""
    participants: dict[str, dict[str, str]] = defaultdict(dict)
    sessions: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    refused = [*remarks, *chain.from_iterable(each.refused for each in joined)]
    columns: list[str] = []
    for each in joined:
        if each.table.phenotype:
            continue
        leaving = [c for c in each.columns if c.leaves]
        columns += [c.name for c in leaving]
        for column in leaving:
            is_constant = each.constant(column.name)
            of_people = is_constant if each.table.into is None else each.table.into == "participants"
            for v, text in zip(each.visits, shown(each.cells[column.name], column), strict=True):
                row = participants[v.subject] if of_people else sessions[v.subject, v.session]
                row[column.name] = text
            if of_people and not is_constant:
                refused += _disagreeing(each, column, participants)
    refused += _alike([*columns, *(name for name in ("age", "sex") if name not in columns)])
    by_subject, by_visit = _for_criteria(joined, visits)
    return ClinicalRows(
        columns=tuple(columns),
        participants=dict(participants),
        sessions=dict(sessions),
        unmatched=tuple(chain.from_iterable(each.unmatched for each in joined)),
        refused=tuple(refused),
        phenotype=tuple(_phenotype(each) for each in joined if each.table.phenotype),
        described={c.name: c for each in joined for c in each.columns if c.leaves},
        values=by_subject,
        visit_values=by_visit,
        kinds={c.name: c.python_type for each in joined for c in each.columns},
        by_visit=frozenset(c.name for each in joined if each.table.has_visits for c in each.columns),
    )


def _disagreeing(each: _Joined, column: ClinicalColumn, participants: Mapping[str, dict[str, str]]) -> list[str]:
    """Subjects whose rows differ in a column that the trial calls one of the participants: they get no value."""
    found: dict[str, set[Typed]] = defaultdict(set)
    for v, value in zip(each.visits, each.cells[column.name], strict=True):
        found[v.subject].add(value)
    several = sorted(subject for subject, values in found.items() if len(values) > 1)
    for subject in several:
        participants[subject][column.name] = "n/a"
    name = each.table.table.name
    return [f"{name}: {column.source}: the rows of sub-{subject} differ, so it has no value" for subject in several]


def _alike(names: Sequence[str]) -> Iterator[str]:
    """Sentences on names of the participants and sessions that differ in letter case alone; the headers' come last."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(names):
        alike[name.casefold()].append(name)
    for same in alike.values():
        for one, other in combinations(same, 2):
            yield f"the columns {one} and {other} both leave and differ in letter case alone: rename one with as"


def _phenotype(each: _Joined) -> Phenotype:
    by_visit = each.table.has_visits
    leaving = [c for c in each.columns if c.leaves]
    texts = [shown(each.cells[c.name], c) for c in leaving]
    names = [c.name for c in leaving]
    rows = {
        (v.subject, v.session if by_visit else ""): dict(zip(names, row, strict=True))
        for v, *row in zip(each.visits, *texts, strict=True)
    }
    return Phenotype(
        each.table.phenotype,
        each.table.description,
        tuple(names),
        by_visit,
        dict(sorted(rows.items())),
    )


def _for_criteria(
    joined: Iterable[_Joined], visits: Iterable[Visit]
) -> tuple[Mapping[str, Mapping[str, Value]], Mapping[tuple[str, str], Mapping[str, Value]]]:
    """Typed values by subject, and by subject and session."""
    first: dict[str, date] = {}
    for v in visits:
        if (day := day_of(v)) is not None:
            first[v.subject] = min(day, first.get(v.subject, day))
    by_subject: dict[str, dict[str, Value]] = defaultdict(dict)
    by_visit: dict[tuple[str, str], dict[str, Value]] = defaultdict(dict)
    for each in joined:
        rows: dict[str, list[Sequence[Value]]] = defaultdict(list)
        plain = [_plain(column, each.visits, each.cells[column.name], first) for column in each.columns]
        for v, *row in zip(each.visits, *plain, strict=True):
            rows[v.subject].append(row)
            by_visit[v.subject, v.session].update(zip(each.cells, row, strict=True))
        for subject, own in rows.items():
            agreed = own[0] if len(own) == 1 else [_agreed(values) for values in zip(*own, strict=True)]
            by_subject[subject].update(zip(each.cells, agreed, strict=True))
    return dict(by_subject), dict(by_visit)


def _plain(
    column: ClinicalColumn, visits: Iterable[Visit], cells: Sequence[Typed], first: Mapping[str, date]
) -> list[Value]:
    """A column's values with days, and levels that are all numbers, as numbers."""
    if column.kind == "level" and column.python_type is float:
        return [None if value is None else float(str(value)) for value in cells]
    return [
        _days_since(value, first.get(v.subject)) if isinstance(value, date) else value
        for v, value in zip(visits, cells, strict=True)
    ]


def _agreed(values: Iterable[Value]) -> Value:
    """The one value that all rows have which have one."""
    filled = {value for value in values if value is not None}
    return filled.pop() if len(filled) == 1 else None


def _days_since(day: date, start: date | None) -> float | None:
    return None if start is None else float((day - start).days)
