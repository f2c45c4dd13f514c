"""From a cohort and a design to the table of parts, new or continued."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..cohorts.cohort import Cohort
from ..errors import LeakError, SplitError, listing
from .assign import Bundle, Level
from .bundles import Tie, bundles_of, together
from .design import Design
from .division import Task, divide
from .strata import levels_of
from .table import Table, ordered

NOBODY = Table((), {})


def make_table(
    cohort: Cohort, design: Design, declared: Sequence[Tie], before: Table | None
) -> tuple[Table, list[str]]:
    """The parts of everybody, and what to know about them.

    Who is in ``before`` keeps all parts, also who is not in the cohort any more. Raises :class:`SplitError`, and
    :class:`LeakError` where participants that belong together stand in two parts of ``before``.
    """
    before = before or NOBODY
    present = dict.fromkeys(str(name) for name in cohort.column("participant_id"))
    away = frozenset(before.words.keys() - present.keys())
    everybody = ordered({*present, *before.words})
    bundle_of = bundles_of(everybody, [*declared, *before.ties()])
    _check_enough(design, len(set(bundle_of.values())))
    values = _values(cohort, design.leave, bundle_of)
    task = Task(
        design=design,
        bundles=_bundles(levels_of(cohort, design.stratify, design.parts), bundle_of),
        values={name: given[0] for name, given in values.items()},
        before=_by_bundle(before, bundle_of),
    )
    divided = divide(task)
    names = tuple(divided)
    words = {
        person: tuple(divided[name].get(bundle_of[person]) or _kept(before, person, name) for name in names)
        for person in everybody
    }
    if before.names and design.leave is None and names != before.names:
        raise SplitError(
            f"The earlier split has the folds {', '.join(before.names)}, and {', '.join(names)} are asked for; ask for "
            "the same, or make a new split without previous=."
        )
    _check_kept(before, names, words, present)
    members = together(bundle_of)
    groups = {person: bundle for person, bundle in bundle_of.items() if len(members[bundle]) > 1}
    gone = [f"{name}: is gone, and keeps its parts for the case that it comes back" for name in ordered(away)]
    wide = [
        f"{' and '.join(people)}: left out with each of {', '.join(v)}" for v, people in values.values() if len(v) > 1
    ]
    return Table(names, words, groups, away), [*gone, *wide]


def _check_enough(design: Design, bundles: int) -> None:
    """More folds than there is anybody to fill them are refused before any of them is made."""
    for name, folds in {"k": design.k or 0, "nested": design.nested or 0}.items():
        if folds > bundles:
            raise SplitError(
                f"{bundles} participants (or groups that stay together) cannot fill {folds} parts ({name}="
                f"{folds}); ask for fewer folds or parts."
            )


def _bundles(levels: Mapping[str, Mapping[Level, float]], bundle_of: Mapping[str, str]) -> list[Bundle]:
    """The bundles of those who are in the cohort."""
    sizes: dict[str, int] = {}
    sums: dict[str, dict[Level, float]] = {}
    for person in sorted(levels):
        bundle = bundle_of[person]
        sizes[bundle] = sizes.get(bundle, 0) + 1
        total = sums.setdefault(bundle, {})
        for level, share in levels[person].items():
            total[level] = total.get(level, 0.0) + share
    return [Bundle(name, size, sums[name]) for name, size in sizes.items()]


def _values(cohort: Cohort, column: str | None, bundle_of: Mapping[str, str]) -> dict[str, tuple[list[str], list[str]]]:
    """Of every bundle the values of the column that is left out by value, and its participants."""
    if column is None:
        return {}
    found: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    empty: dict[str, None] = {}
    for person, value in zip(cohort.column("participant_id"), cohort.column(column), strict=True):
        if value is None or value == "":
            empty[str(person)] = None
            continue
        if isinstance(value, tuple | list):
            raise SplitError(f"leave_one_out({column!r}): the column has several values a sample; take a plain one.")
        values, people = found.setdefault(bundle_of[str(person)], ({}, {}))
        values[" ".join(str(value).split())] = None
        people[str(person)] = None
    if empty:
        raise SplitError(
            f"leave_one_out({column!r}): {len(empty)} participants have no value; fill it in, or leave them out by "
            f"where={column + ' != None'!r}:\n{listing(list(empty))}"
        )
    return {name: (ordered(values), ordered(people)) for name, (values, people) in found.items()}


def _by_bundle(before: Table, bundle_of: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The earlier parts by fold and bundle. Raises :class:`LeakError` where a bundle has two."""
    found: dict[str, dict[str, str]] = {}
    first: dict[str, str] = {}
    lines: dict[str, str] = {}
    for number, name in enumerate(before.names):
        words = found.setdefault(name, {})
        for person, word in before.fold(number).items():
            bundle = bundle_of[person]
            first.setdefault(bundle, person)
            if words.setdefault(bundle, word) != word:
                lines.setdefault(bundle, f"{first[bundle]} is {words[bundle]}, {person} is {word} in {name}")
    if lines:
        raise LeakError(
            "Participants that belong together stand in different parts of the earlier split, and nobody is moved; "
            f"leave one of them out by where=, or make a new split without previous=:\n{listing(list(lines.values()))}"
        )
    return found


def _kept(before: Table, person: str, name: str) -> str:
    """The part of somebody who is away; a fold that is new has no say about who is not there."""
    return before.words[person][before.names.index(name)] if name in before.names else "train"


def _check_kept(
    before: Table, names: Sequence[str], words: Mapping[str, tuple[str, ...]], present: Mapping[str, object]
) -> None:
    """Nobody moves. That can only be so where the value that is left out has changed for somebody."""
    lines: list[str] = []
    for person in before.words.keys() & present.keys():
        for number, name in enumerate(before.names):
            now = words[person][names.index(name)] if name in names else None
            if now is not None and now != before.words[person][number]:
                lines.append(f"{person}: was {before.words[person][number]} in {name!r}, would be {now}")
    if lines:
        raise SplitError(
            "The earlier split cannot be continued: what is left out has changed for participants of it; correct the "
            f"column, or make a new split without previous=:\n{listing(ordered(lines))}"
        )
