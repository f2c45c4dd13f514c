"""Clinical tables: joined to subjects and sessions by the trial's own ids; only the listed columns leave."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from trialbids.mappings import participant

from ..errors import UsageError
from ..plan.visits import Visit
from ..tables import read_table
from ..trial import Clinical

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "."})
NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
THOUSANDS_OR_DECIMALS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
LARGEST = 999_999
"""No measurement of a trial needs more, and a date or a telephone number is larger; give large ones in thousands."""

MOST_DIGITS = 8
"""Significant digits that leave: nothing is measured better, and a telephone number has more."""

UNITS = {"months": "M", "month": "M", "weeks": "W", "week": "W", "days": "D", "day": "D"}
"""Words of a column's name that say in which unit its ages are; without one they are years."""


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


NO_ALIASES: Mapping[tuple[str, str], Sequence[str]] = {}
NOTHING = ClinicalRows((), {}, {}, (), ())


def join_clinical(
    config: Clinical | None, visits: Sequence[Visit], aliases: Mapping[tuple[str, str], Sequence[str]] = NO_ALIASES
) -> ClinicalRows:
    """Join the clinical table to the visits.

    A subject is matched by its id in the trial, a visit by its session label or, where it is a whole number, by its
    place in the order of the dates. ``aliases`` holds, by subject and session, every other id that images of the
    subject came under. Columns that have one value in all rows of every subject describe the participant.
    Raises ``UsageError`` where the table lacks a column or has two rows for one visit.
    """
    if config is None:
        return NOTHING
    rows = read_table(config.table)
    needed = [config.subject, *([config.visit] if config.visit else []), *config.columns]
    for name in needed:
        if rows and name not in rows[0]:
            raise UsageError(f"{config.table}: has no column {name}; its columns are {', '.join(rows[0])}")
    by_id: dict[str, list[Visit]] = defaultdict(list)
    ids: dict[str, set[str]] = defaultdict(set)
    for v in visits:
        ids[v.subject] |= {v.subject_key.partition("\0")[2], *aliases.get((v.subject, v.session), ())}
    for v in visits:
        for identity in ids[v.subject]:
            by_id[identity].append(v)
    unmatched: list[str] = []
    refused: list[str] = []
    found: dict[Visit, dict[str, str]] = {}
    for number, row in enumerate(rows, start=2):
        candidates = by_id.get(row[config.subject], [])
        if len({v.subject for v in candidates}) > 1:
            raise UsageError(
                f"{config.table}: line {number}: this id is used at several sites; give the sites in trial.yaml"
            )
        matched = [v for v in candidates if config.visit is None or _is_visit(row[config.visit], v, candidates)]
        if not matched:
            what = "no images of this visit" if candidates else _unknown(row[config.subject], by_id)
            unmatched.append(f"{config.table.name} line {number}: {what}")
            continue
        values = {
            name: _value(row[name], kind, name, f"line {number}: {name}", refused)
            for name, kind in config.columns.items()
        }
        for v in matched:
            if found.setdefault(v, values) is not values:
                raise UsageError(f"{config.table}: line {number}: a second row for the same subject and visit")
    unmatched += [f"sub-{v.subject} ses-{v.session}: no row in {config.table.name}" for v in visits if v not in found]
    return _split(tuple(config.columns), found, tuple(unmatched), tuple(refused))


def _unknown(subject: str, known: Iterable[str]) -> str:
    """Why an id has no images. An id is never matched by its value as a number: 007 and 7 may be two people."""
    bare = subject.lstrip("0")
    if bare and sum(other.lstrip("0") == bare for other in known) == 1:
        return "no images of this subject, but of one whose id differs in leading zeros: they may be lost in the table"
    return "no images of this subject"


def _is_visit(cell: str, visit: Visit, all_of_subject: list[Visit]) -> bool:
    if cell.casefold() in (visit.session.casefold(), f"ses-{visit.session}".casefold()):
        return True
    order = sorted(all_of_subject, key=lambda v: (v.date, v.session))
    return cell.lstrip("0") == str(order.index(visit) + 1)


def _value(cell: str, kind: str | list[str], name: str, where: str, refused: list[str]) -> str:
    """A cell as it leaves: one of the levels, or a number; anything else is refused and becomes n/a."""
    if isinstance(kind, list):
        if cell in kind:
            return cell
        if cell.casefold() not in MISSING:
            refused.append(f"{where}: not one of the levels {', '.join(kind)}")
        return "n/a"
    if cell.casefold() in MISSING:
        return "n/a"
    if THOUSANDS_OR_DECIMALS.fullmatch(cell):
        refused.append(f"{where}: the comma may stand for thousands or for decimals; write 1234 or 1.234")
        return "n/a"
    number = float(cell.replace(",", ".")) if NUMBER.fullmatch(cell) else math.nan
    if not math.isfinite(number):
        refused.append(f"{where}: not a number")
        return "n/a"
    if abs(number) > LARGEST:
        refused.append(f"{where}: larger than {LARGEST:,}, as dates and identifiers are")
        return "n/a"
    return f"{min(number, oldest(name)):.{MOST_DIGITS}g}"


def oldest(column: str) -> float:
    """The highest value that a number column may hold: an age that stands for 89 years, else infinity.

    A column is an age where ``age`` is a word of its name: ``age``, ``AGE``, ``age_years``, ``AgeAtVisit``.
    """
    words = {word.casefold() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", column)}
    if "age" not in words:
        return math.inf
    return participant.highest(next((UNITS[word] for word in sorted(words) if word in UNITS), "Y"))


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
