"""The levels of a column by which parts are made alike: values, quantiles of a number, event and time of a survival."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from statistics import fmean, quantiles
from typing import Any

from ..cohorts.cohort import Cohort
from ..cohorts.targets import Categorical, MultiLabel, Survival
from ..errors import QueryError
from .assign import Level

QUANTILES = 4
"""Into how many ranges of equal count a number is cut, where there are enough participants."""
TIMES = 3
"""The same for the time of a survival, apart for those with and without the event."""
FEW = 10
"""A number with no more different values than this is taken value by value."""
EMPTY = "n/a"

Shares = dict[str, dict[Level, float]]
"""By participant, what share of its samples has a level."""


def levels_of(cohort: Cohort, columns: Sequence[str], parts: int) -> Shares:
    """The levels of every participant of a cohort in some columns, each a target or any clinical column.

    A class or word counts by the share of the participant's samples that have it, a number by its mean, a survival by
    its event and the mean of its time. What is empty is a level of its own. Raises :class:`QueryError` for a column
    that is not there.
    """
    people = [str(name) for name in cohort.column("participant_id")]
    found: Shares = {name: {} for name in people}
    for column in dict.fromkeys(columns):
        values = cohort.column(column)
        if all(_empty(value) for value in values):
            raise QueryError(f"split: the column {column!r} is empty for every sample of the cohort")
        for name, levels in _of_column(cohort, column, people, values, parts).items():
            of_person = found[name]
            for word, share in levels.items():
                of_person[column, word] = share
    return found


def _of_column(
    cohort: Cohort, column: str, people: Sequence[str], values: Sequence[Any], parts: int
) -> Mapping[str, Mapping[str, float]]:
    target = cohort.targets.get(column)
    if isinstance(target, MultiLabel | Survival):
        values = [_encoded(target, value) for value in values]
    by_person: dict[str, list[Any]] = {}
    for name, value in zip(people, values, strict=True):
        by_person.setdefault(name, []).append(value)
    if isinstance(target, MultiLabel):
        return {name: _findings(given, target.classes) for name, given in by_person.items()}
    if isinstance(target, Survival):
        return _survival(by_person, parts)
    if not isinstance(target, Categorical) and _is_range(values, len(by_person)):
        means = {name: _mean(given) for name, given in by_person.items()}
        return _ranges(means, _bins(QUANTILES, len(means), parts), "")
    return {name: _words(given) for name, given in by_person.items()}


def _encoded(target: MultiLabel | Survival, value: Any) -> tuple[float, ...]:
    """The target's own reading of what the table gives: one value a column."""
    cells = value if len(target.columns) > 1 else (value,)
    return target.encode(dict(zip(target.columns, cells, strict=True)))


def _empty(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(_empty(item) for item in value)
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _is_range(values: Sequence[Any], people: int) -> bool:
    """Whether a column is a number that is cut into ranges, and not a score of a few values."""
    given = {value for value in values if not _empty(value)}
    if any(isinstance(value, str | bool) for value in given):
        return False
    return len(given) > FEW or 2 * len(given) > people


def _bins(most: int, people: int, parts: int) -> int:
    """So many ranges that each has someone for every part, at least two."""
    return max(2, min(most, people // max(parts, 1)))


def _words(values: Sequence[Any]) -> dict[str, float]:
    if len(values) == 1:
        return {_word(values[0]): 1.0}
    shares: dict[str, float] = {}
    for value in values:
        word = _word(value)
        shares[word] = shares.get(word, 0.0) + 1 / len(values)
    return shares


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value or EMPTY
    if _empty(value):
        return EMPTY
    return f"{value:g}" if isinstance(value, float) else str(value)


def _findings(values: Sequence[Any], classes: Sequence[Any]) -> dict[str, float]:
    """Every finding of several is a level; a sample without any is one too, and one of which that is not known."""
    shares: dict[str, float] = {}
    for value in values:
        words = [str(name) for name, flag in zip(classes, value, strict=True) if not _empty(flag) and flag]
        for word in words or [EMPTY if any(map(_empty, value)) else "none"]:
            shares[word] = shares.get(word, 0.0) + 1 / len(values)
    return shares


def _mean(values: Sequence[Any]) -> float | None:
    given = [float(value) for value in values if not _empty(value)]
    return fmean(given) if given else None


def _survival(by_person: Mapping[str, Sequence[Any]], parts: int) -> Mapping[str, Mapping[str, float]]:
    found: dict[str, Mapping[str, float]] = {}
    of_event: dict[str, dict[str, float | None]] = {}
    for name, given in by_person.items():
        whole = [(time, event) for time, event in given if not (_empty(time) or _empty(event))]
        if not whole:
            found[name] = {EMPTY: 1.0}
            continue
        word = "event" if any(event for _, event in whole) else "censored"
        of_event.setdefault(word, {})[name] = fmean(float(time) for time, _ in whole)
    for word, times in of_event.items():
        found.update(_ranges(times, _bins(TIMES, len(times), parts), f"{word} "))
    return found


def _ranges(values: Mapping[str, float | None], bins: int, before: str) -> dict[str, dict[str, float]]:
    """The range of every value between quantiles, in words: ``≤ 34``, ``34–51``, ``> 51``."""
    given = sorted(value for value in values.values() if value is not None)
    edges = sorted(set(quantiles(given, n=bins, method="inclusive"))) if len(set(given)) > 1 else []
    edges = [edge for edge in edges if edge < given[-1]]
    words = [_range(edges, n) for n in range(len(edges) + 1)]
    return {
        name: {before + words[bisect_left(edges, value)] if value is not None else EMPTY: 1.0}
        for name, value in values.items()
    }


def _range(edges: Sequence[float], n: int) -> str:
    if not edges:
        return "any"
    if n == 0:
        return f"≤ {edges[0]:.4g}"
    return f"> {edges[-1]:.4g}" if n == len(edges) else f"{edges[n - 1]:.4g}–{edges[n]:.4g}"
