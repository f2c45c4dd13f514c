"""What criteria read, checked before any is asked: names that are there, texts that can be meant."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from types import MappingProxyType

from trialbids.mappings.criteria import Condition, ConditionError

from ..errors import UsageError
from ..trial.eligibility import Criterion
from .facts import IMAGE_LEVELS, header_names, image_names, keywords, legal_names, plan_names

NONE: Mapping[str, Mapping[str, type]] = MappingProxyType({})
MOST_LABELS = 20


@lru_cache(1024)
def condition_of(text: str) -> Condition:
    """The condition, read once in a process."""
    return Condition(text)


def names_read(criteria: Sequence[Criterion]) -> frozenset[str]:
    """Every name that a criterion reads."""
    return frozenset(name for c in criteria for name in condition_of(c.text).columns)


def asks_checks(criteria: Sequence[Criterion]) -> bool:
    """Whether a criterion asks what a check of quality has found: only then the checks have to be run."""
    return any(condition_of(c.text).codes for c in criteria)


def check_names(
    criteria: Sequence[Criterion],
    columns: Mapping[str, type],
    codes: Collection[str],
    more: Mapping[str, Mapping[str, type]] = NONE,
    later: Mapping[str, Mapping[str, type]] = NONE,
) -> None:
    """Refuse a criterion that reads what is not there, or compares text with a number.

    ``codes`` are the checks that are run before the criteria are asked, ``more`` what else they may read, by level, and
    ``later`` what can be read after the conversion alone.
    Raises ``UsageError`` with the place of the criterion, the legal names and the closest one.
    """
    for criterion in criteria:
        condition = condition_of(criterion.text)
        legal = {**legal_names(criterion.level, columns), **more.get(criterion.level, {})}
        of_images = {*image_names(), *more.get("stack", ())}
        for name in sorted(condition.columns - legal.keys()):
            why = _too_early(name, criterion.level, later) or _unknown(name, criterion, legal, columns, of_images)
            raise UsageError(f"{criterion.place}: {why}")
        for code in sorted(condition.codes - {*codes}):
            known = " ".join(sorted(codes))
            raise UsageError(f"{criterion.place}: {code} is no check that is run by then; these are: {known}")
        try:
            condition.check(legal)
        except ConditionError as error:
            said = str(error).removeprefix(f"{criterion.text!r}: ")  # its place is said already
            raise UsageError(f"{criterion.place}: {said}") from error


def _too_early(name: str, level: str, later: Mapping[str, Mapping[str, type]]) -> str:
    """The sentence for a name that is known after the conversion alone, "" for others."""
    levels = [each for each, names in later.items() if name in names]
    if level in levels:
        return f"{name} is known after the conversion alone; add `after: conversion`"
    wanted = f"write a criterion of level {' or '.join(levels)} with `after: conversion`"
    return f"{name} is known after the conversion alone; {wanted}" if levels else ""


def _unknown(
    name: str,
    criterion: Criterion,
    legal: Mapping[str, type],
    columns: Mapping[str, type],
    of_images: Collection[str],
) -> str:
    """The sentence for a name that cannot be read."""
    if name in of_images and criterion.level not in IMAGE_LEVELS:
        ask = "ask has(…) or count(…), or write a criterion of level stack"
        return f"{name} belongs to one image, and a {criterion.level} has many; {ask}"
    if condition_of(criterion.text).wants_quotes(name, legal):
        return f"there is no column or value {name}; text stands in quotes: '{name}'"
    close = get_close_matches(name, legal, n=1, cutoff=0.5)
    guess = f" (did you mean {close[0]}?)" if close else ""
    plain = sorted(legal.keys() - keywords().keys() - columns.keys())
    said = f"columns of the clinical tables: {', '.join(sorted(columns)) or 'none'}"
    return f"there is no column or value {name}{guess}; there are {', '.join(plain)}, DICOM keywords, and {said}"


def hidden_names(criteria: Sequence[Criterion], columns: Mapping[str, type]) -> tuple[str, ...]:
    """A sentence for every name that a criterion reads and that stands both in a clinical table and elsewhere."""
    said: dict[str, None] = {}
    for criterion in criteria:
        for name in sorted(condition_of(criterion.text).columns & columns.keys()):
            if name in plan_names(criterion.level):
                said[f"criteria read {name} as the plan knows it, not the column of the clinical tables"] = None
            elif name in header_names():
                said[f"criteria read {name} from the clinical tables, not from the images' headers"] = None
    return tuple(said)


def check_levels(criteria: Sequence[Criterion], levels: Mapping[str, Collection[str]]) -> None:
    """Refuse a criterion that compares a column with a text that is none of its levels: it would say the same of all.

    ``levels`` are those of the columns of clinical tables that have any. Raises ``UsageError``.
    """
    for criterion in criteria:
        for name, texts in condition_of(criterion.text).compared.items():
            strange = sorted(texts - {*levels.get(name, texts)})
            if strange and name not in plan_names(criterion.level):
                close = get_close_matches(strange[0], levels[name], n=1)
                guess = f" (did you mean '{close[0]}'?)" if close else ""
                known = ", ".join(sorted(levels[name]))
                raise UsageError(f"{criterion.place}: {name} is never '{strange[0]}'{guess}; its levels are {known}")


def strange_labels(criteria: Sequence[Criterion], labels: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """A sentence for every criterion that names a label which nobody has; ``labels`` are those of sites and sessions.

    What the criterion says is not repeated: it is private.
    """
    said = []
    for criterion in criteria:
        for name, texts in sorted(condition_of(criterion.text).compared.items()):
            known = labels.get(name, ())
            n = len(texts - {*known})
            if n and known and name in plan_names(criterion.level):
                ask = f"compares {name} with {n} {'text' if n == 1 else 'texts'} that no {name} is called"
                some = f"{', '.join(sorted(known)[:MOST_LABELS])}{', …' if len(known) > MOST_LABELS else ''}"
                said.append(f"criterion {criterion.id} {ask}; they are {some}")
    return tuple(said)
