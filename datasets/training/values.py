"""What the samples of a cohort are, one value each, and the cohort taken apart by it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from ..cohorts.cohort import Cohort
from ..cohorts.targets import NO_CLASS
from ..errors import CohortError, QueryError, listing


def values(cohort: Cohort, name: str) -> tuple[Any, ...]:
    """One value a sample: of a target what the sample holds (of a ``Categorical`` the class), else a clinical column.

    Raises :class:`QueryError` where there is no such target or column.
    """
    if name in cohort.targets:
        return tuple(sample[name] for sample in cohort)
    return cohort.column(name)


def groups(cohort: Cohort, name: str) -> tuple[Hashable, ...]:
    """One class, site or word a sample. Raises :class:`QueryError` for numbers and lists, which are no groups, and
    :class:`CohortError` naming the samples that have none.
    """
    found = values(cohort, name)
    wrong = next((value for value in found if isinstance(value, float | list | tuple | dict)), None)
    if wrong is not None:
        raise QueryError(
            f"{name!r} holds {wrong!r}: it has no classes; ask for a Categorical target, 'site', or a word"
        )
    gap = NO_CLASS if name in cohort.classes else None
    empty = [n for n, value in enumerate(found) if value is None or value == "" or value == gap]
    if empty:
        names = [cohort.column("sample_id")[n] for n in empty]
        raise CohortError(
            f"{name!r} is empty in {len(empty)} of {len(found)} samples; leave them out:\n{listing(names)}"
        )
    return found


def by_column(cohort: Cohort, name: str) -> dict[Any, Cohort]:
    """The cohort by the value of a column, for instance a cohort a site; in the order of the values.

    >>> {site: len(part) for site, part in by_column(cohort, "site").items()}   # doctest: +SKIP
    {'S01': 3, 'S02': 3}

    Raises :class:`QueryError` and :class:`CohortError` as :func:`groups`.
    """
    positions: dict[Any, list[int]] = {}
    for position, value in enumerate(groups(cohort, name)):
        positions.setdefault(value, []).append(position)
    return {value: cohort[positions[value]] for value in sorted(positions, key=lambda value: (str(type(value)), value))}


def require_train(cohort: Cohort, what: str, *, whole: bool) -> None:
    """Raises :class:`CohortError` unless the cohort is the training part of a split, or all of it and ``whole``.

    What is fitted on samples of validation or test carries them into training (Kapoor & Narayanan, Patterns 2023,
    doi:10.1016/j.patter.2023.100804).
    """
    if not cohort.part and not whole:
        raise CohortError(
            f"{what}: the cohort has not been split, so samples of validation and test are in it; give the training "
            "part, splits[0].train, or say whole=True where all of it is for training."
        )
    if cohort.part and not is_train(cohort.part):
        raise CohortError(
            f"{what}: this is the part {cohort.part!r} of a split; it is fitted on the training part alone."
        )


def is_train(part: str) -> bool:
    """Whether :attr:`Cohort.part` names a training part, such as ``fold1/train``."""
    return part.rpartition("/")[2] == "train"
