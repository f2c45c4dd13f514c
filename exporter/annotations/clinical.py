"""Clinical tables: joined to subjects and sessions by the trial's own ids; only the listed columns leave."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import UsageError
from ..plan.visits import Visit
from ..tables import read_table
from ..trial import Clinical

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "."})


@dataclass(frozen=True, slots=True)
class ClinicalRows:
    """Clinical values, ready to leave: by subject label, and by (subject, session) where the table has visits.

    ``unmatched`` holds one sentence for every row or subject without a partner, ``refused`` one for every cell that was
    not what the column says; both are private.
    """

    columns: tuple[str, ...]
    participants: Mapping[str, Mapping[str, str]]
    sessions: Mapping[tuple[str, str], Mapping[str, str]]
    unmatched: tuple[str, ...]
    refused: tuple[str, ...]


NOTHING = ClinicalRows((), {}, {}, (), ())


def join_clinical(config: Clinical | None, visits: Sequence[Visit]) -> ClinicalRows:
    """Join the clinical table to the visits.

    A subject is matched by its id in the trial, a visit by its session label or, where it is a whole number, by its
    place in the order of the dates. Columns that have one value in all rows of every subject describe the participant.
    Raises ``UsageError`` where the table lacks a column or has two rows for one visit.
    """
    if config is None:
        return NOTHING
    rows = read_table(config.table)
    needed = [config.subject, *([config.visit] if config.visit else []), *config.columns]
    for name in needed:
        if rows and name not in rows[0]:
            raise UsageError(f"{config.table}: has no column {name}; its columns are {', '.join(rows[0])}")
    by_id: dict[str, list[Visit]] = {}
    for v in visits:
        by_id.setdefault(v.subject_key.partition("\0")[2], []).append(v)
    unmatched: list[str] = []
    refused: list[str] = []
    found: dict[Visit, dict[str, str]] = {}
    for number, row in enumerate(rows, start=2):
        subject = row[config.subject]
        candidates = by_id.get(subject, [])
        if len({v.subject for v in candidates}) > 1:
            raise UsageError(
                f"{config.table}: line {number}: this id is used at several sites; give the sites in trial.yaml"
            )
        matched = [v for v in candidates if config.visit is None or _is_visit(row[config.visit], v, candidates)]
        if not matched:
            what = "no images of this visit" if candidates else "no images of this subject"
            unmatched.append(f"{config.table.name} line {number}: {what}")
            continue
        values = {
            name: _value(row[name], kind, f"line {number}: {name}", refused) for name, kind in config.columns.items()
        }
        for v in matched:
            if found.setdefault(v, values) is not values:
                raise UsageError(f"{config.table}: line {number}: a second row for the same subject and visit")
    unmatched += [f"sub-{v.subject} ses-{v.session}: no row in {config.table.name}" for v in visits if v not in found]
    return _split(tuple(config.columns), found, tuple(unmatched), tuple(refused))


def _is_visit(cell: str, visit: Visit, all_of_subject: list[Visit]) -> bool:
    if cell.casefold() in (visit.session.casefold(), f"ses-{visit.session}".casefold()):
        return True
    order = sorted(all_of_subject, key=lambda v: (v.date, v.session))
    return cell.isdigit() and int(cell) == order.index(visit) + 1


def _value(cell: str, kind: str | list[str], where: str, refused: list[str]) -> str:
    """A cell as it leaves: a number, or one of the levels; anything else is refused and becomes n/a."""
    if cell.casefold() in MISSING:
        return "n/a"
    if isinstance(kind, list):
        if cell in kind:
            return cell
        refused.append(f"{where}: not one of the levels {', '.join(kind)}")
        return "n/a"
    try:
        number = float(cell.replace(",", ".") if cell.count(",") == 1 and "." not in cell else cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        refused.append(f"{where}: not a number")
        return "n/a"
    return f"{number:.10g}"


def _split(
    columns: tuple[str, ...],
    found: Mapping[Visit, Mapping[str, str]],
    unmatched: tuple[str, ...],
    refused: tuple[str, ...],
) -> ClinicalRows:
    """Columns that are constant within every subject go to the participants, the others to the sessions."""
    by_subject: dict[str, list[Mapping[str, str]]] = {}
    for v, values in found.items():
        by_subject.setdefault(v.subject, []).append(values)
    constant = [c for c in columns if all(len({r[c] for r in rows}) == 1 for rows in by_subject.values())]
    return ClinicalRows(
        columns,
        {subject: {c: rows[0][c] for c in constant} for subject, rows in by_subject.items()},
        {(v.subject, v.session): {c: values[c] for c in columns if c not in constant} for v, values in found.items()},
        unmatched,
        refused,
    )
