"""Who is never separated: participants that share a group, or are one person under two names."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ..cohorts.cohort import Cohort
from ..errors import QueryError, SplitError
from .sheet import read_sheet

T = TypeVar("T")
Declared = Mapping[str, Hashable]
"""The group of a participant; who is not in it, or has None, NaN or "", is in no group."""


@dataclass(frozen=True, slots=True)
class Tie:
    """Participants that may not be separated, and why, in words: ``family F7``, ``aliases``."""

    reason: str
    participants: tuple[str, ...]


def declared_ties(
    cohort: Cohort, groups: str | Declared | None, aliases: str | Path | Mapping[str, str] | None
) -> tuple[Tie, ...]:
    """The ties that the user names.

    ``groups`` is a column (then every value but an empty one is a group) or a mapping of participants to groups.
    ``aliases`` maps a participant to the one who is the same person, or is a table with the columns ``id`` and ``is``.
    Participants that are not in the cohort still tie others together. What is empty (None, NaN, "") ties nobody. A
    mapping may also be a pandas ``Series``. Raises :class:`QueryError`, and :class:`SplitError` for what can be no
    group, such as a list.
    """
    ties: list[Tie] = []
    if isinstance(groups, str):
        pairs = zip(cohort.column("participant_id"), cohort.column(groups), strict=True)
        ties += _ties(groups, ((str(person), group) for person, group in pairs))
    elif groups is not None:
        known = _given("groups=", groups)
        _check_known("groups=", known, cohort)
        ties += _ties("group", known.items())
    if aliases is not None:
        aliases = _read_aliases(Path(aliases)) if isinstance(aliases, str | Path) else _given("aliases=", aliases)
        _check_known("aliases=", {**aliases, **{other: name for name, other in aliases.items()}}, cohort)
        ties += [Tie("aliases", (name, other)) for name, other in aliases.items() if name != other]
    return tuple(ties)


def bundles_of(participants: Iterable[str], ties: Iterable[Tie]) -> dict[str, str]:
    """The bundle of every participant: ties are followed to their end. A bundle has the name of the first of them.

    >>> bundles_of(["sub-1", "sub-2", "sub-3"], [Tie("twins", ("sub-1", "sub-3"))])
    {'sub-1': 'sub-1', 'sub-2': 'sub-2', 'sub-3': 'sub-1'}
    """
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for tie in ties:
        for other in tie.participants[1:]:
            parent[root(other)] = root(tie.participants[0])
    first: dict[str, str] = {}
    return {name: first.setdefault(root(name), name) for name in participants}


def is_empty(value: object) -> bool:
    """Whether a cell of a table says nothing: None, "", or a NaN of any kind, which is not equal to itself."""
    if value is None or (isinstance(value, str) and not value):
        return True
    try:
        return bool(value != value)
    except TypeError:  # pandas.NA is neither equal nor unequal to anything
        return True


def _given(argument: str, named: Mapping[str, T]) -> dict[str, T]:
    """Who is given something, of a mapping or a pandas ``Series``. Raises :class:`SplitError`."""
    for name, value in named.items():
        try:
            hash(value)
        except TypeError as error:
            raise SplitError(
                f"split: {argument} gives {name!r} {value!r}; one word or number a participant is expected."
            ) from error
    return {name: value for name, value in named.items() if not is_empty(value)}


def _ties(word: str, pairs: Iterable[tuple[str, object]]) -> list[Tie]:
    members: dict[object, dict[str, None]] = {}
    for person, group in pairs:
        if not is_empty(group):
            members.setdefault(group, {})[person] = None
    return [Tie(f"{word} {group}", tuple(people)) for group, people in members.items() if len(people) > 1]


def _check_known(argument: str, named: Mapping[str, object], cohort: Cohort) -> None:
    """A mapping that names nobody of the cohort was written with other ids."""
    known = cohort.column("participant_id")
    if named and not set(named) & set(known):
        raise QueryError(
            f"split: {argument} names nobody of the cohort; it has {next(iter(named))!r}, the cohort has "
            f"{known[0] if known else 'nobody'!r}. Write participants as in participants.tsv."
        )


def _read_aliases(path: Path) -> dict[str, str]:
    rows = read_sheet(path, "id")
    if rows and "is" not in rows[0]:
        raise SplitError(
            f"{path}: has no column 'is'; a table of aliases has id and is, both participants of the tree."
        )
    found: dict[str, str] = {}
    for row in rows:
        if {row["id"], row["is"]} & {"", "n/a"}:
            raise SplitError(f"{path}: a row has no id or no is: {row}.")
        if found.setdefault(row["id"], row["is"]) != row["is"]:
            raise SplitError(f"{path}: {row['id']} is said to be {found[row['id']]} and {row['is']}; keep one row.")
    return found


def together(bundles: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The participants of every bundle, by its name."""
    members: dict[str, list[str]] = {}
    for person, bundle in bundles.items():
        members.setdefault(bundle, []).append(person)
    return {bundle: tuple(people) for bundle, people in members.items()}
