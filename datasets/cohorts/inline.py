"""Queries written without Python: as keys and values in a recipe, or as one word on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trialbids.mappings.vocabulary import vocabulary

from ..errors import QueryError
from .query import Q, Times

NUMBERS = ("phases", "bvalues", "tolerance")
WORDS = ("label", "reader")
NEVER_ABSENT = (*NUMBERS, *WORDS, "derived", "family", "scope", "units", "suffix", "datatype", "seg", "segmentation")
LISTS = ("phases", "bvalues", "derived")
"""What Q takes as a list; a list for anything else means any of its values."""


def query_of_text(text: str) -> tuple[str, Q]:
    """Key and query of ``t2=T2w,plane=sag``: the key, the sequence, then conditions.

    Several values are joined by ``/``, an empty one means absent: ``dce=DCE,phases=0/30/60,tolerance=10``,
    ``t1=T1w,plane=ax/sag,agent=``, ``lesion=label=lesion,reader=consensus``. Raises :class:`QueryError`.

    >>> query_of_text("t2=T2w,plane=sag")
    ('t2', Q('T2w', plane='sag'))
    """
    key, equals, rest = text.partition("=")
    if not equals or not key.strip().isidentifier() or not rest.strip():
        raise QueryError(
            f"{text!r} is no query; write a key, what it is, and conditions, such as t2=T2w,plane=sag or "
            "lesion=label=lesion,reader=consensus"
        )
    return key.strip(), query_of_words(rest)


def query_of_words(text: str) -> Q:
    """The query of ``T2w,plane=sag``. Raises :class:`QueryError`."""
    first, *others = [part.strip() for part in text.split(",")]
    conditions: dict[str, Any] = {}
    for part in [first, *others] if "=" in first else [f"sequence={first}", *others]:
        name, equals, value = (word.strip() for word in part.partition("="))
        if not equals or not name:
            raise QueryError(f"{text!r}: {part!r} is no condition; write it as name=value, such as plane=sag")
        if name in conditions:
            raise QueryError(f"{text!r}: {name} is given twice; several values are joined by /, such as plane=ax/sag")
        values = [_read(name, word.strip(), text) for word in value.split("/")]
        conditions[name] = values if len(values) > 1 or name in LISTS else values[0]
    return query_of_values(conditions)


def query_of_values(conditions: Mapping[str, Any]) -> Q:
    """The query of ``{sequence: DCE, phases: [0, 30, 60], tolerance: 10}``. Raises :class:`QueryError`.

    Names and values are those of :class:`Q`; a list means any of its values, null absent.
    """
    given: dict[str, Any] = {}
    for name, value in conditions.items():
        given[str(name)] = _meant(str(name), value)
    tolerance = given.pop("tolerance", None)
    if tolerance is not None and not isinstance(tolerance, int | float):
        raise QueryError(f"tolerance is a number of seconds, found {tolerance!r}")
    if "phases" in given:
        times = given["phases"]
        given["phases"] = Times(times) if tolerance is None else Times(times, tolerance=tolerance)
    elif tolerance is not None:
        raise QueryError("tolerance belongs to phases; give the times that are wanted, such as phases: [0, 30, 60]")
    sequence = given.pop("sequence", None)
    return Q(sequence, **given) if sequence is not None else Q(**given)


def _meant(name: str, value: Any) -> Any:
    """One value as Q takes it."""
    if isinstance(value, Mapping):
        raise QueryError(f"{name}: expected a value or a list of values, found keys and values")
    if name in NEVER_ABSENT and (value is None or (isinstance(value, list) and None in value)):
        raise QueryError(f"{name} needs a value; leave it out where it does not matter")
    if name == "derived":
        return "any" if value in ("any", ["any"]) else value
    if name in WORDS:
        return tuple(map(str, value)) if isinstance(value, list) else str(value)
    return tuple(value) if isinstance(value, list) and name not in LISTS else value


def _read(name: str, word: str, text: str) -> Any:
    """A value as it is meant: a number where one is due, None for nothing."""
    attribute = vocabulary().get(name)
    if name in NUMBERS or (word and attribute is not None and attribute.kind in ("index", "number", "numbers")):
        try:
            return int(word) if word.isdigit() else float(word)
        except ValueError as error:
            raise QueryError(f"{text!r}: {name} is a number, found {word!r}") from error
    return word or None
