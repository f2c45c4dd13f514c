"""One person known under several ids: the trial's table of aliases, read and carried through."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import UsageError
from ..tables import read_table
from .lookups import bare
from .namespaces import Identity, Namespaces, place_word
from .notice import Notice

COLUMNS = ("id", "is")


@dataclass(frozen=True, slots=True)
class AliasRow:
    """One line of the table: the id ``name`` (at ``site``, where that is said) is the person ``person``."""

    line: int
    name: str
    person: str
    site: str


@dataclass(frozen=True, slots=True)
class Aliases:
    """Who else an identity is, with everything said about the table that holds no id."""

    of: Mapping[Identity, Identity]
    notices: tuple[Notice, ...] = ()

    def person(self, identity: Identity) -> Identity:
        """The identity under which a person is known: the given one where no alias says otherwise."""
        return self.of.get(identity, identity)


def read_aliases(path: Path) -> tuple[AliasRow, ...]:
    """The table of aliases. Raises ``UsageError`` with the line where it cannot be used; no id stands in a sentence."""
    rows = read_table(path)
    for name in COLUMNS:
        if rows and name not in rows[0]:
            raise UsageError(f"{path}: has no column {name}; a table of aliases has id, is and, if need be, site")
    found: dict[tuple[str, str], AliasRow] = {}
    for line, row in enumerate(rows, start=2):
        alias = AliasRow(line, bare(row["id"]), bare(row["is"]), place_word(row.get("site", "")))
        if not alias.name or not alias.person:
            raise UsageError(f"{path}: line {line}: id and is must both be filled: this id is that person's")
        before = found.setdefault((alias.name, alias.site), alias)
        if before.person != alias.person:
            raise UsageError(
                f"{path}: lines {before.line} and {line}: one id is said to be two people; take one of the lines away"
            )
    return tuple(found.values())


def _refuse_circles(path: Path, rows: Sequence[AliasRow]) -> None:
    """Aliases that lead back to where they began, whoever of them is met in the source."""
    steps = {(row.name, row.site): row for row in rows if row.name != row.person}
    for start in steps.values():
        row, lines = start, [start.line]
        while (following := steps.get((row.person, row.site))) is not None and following.line not in lines:
            row = following
            lines.append(row.line)
        if following is start and len(lines) > 1:
            where = ", ".join(map(str, sorted(lines)))
            raise UsageError(f"{path}: lines {where}: go in a circle; one of the ids must be the person's own")


def find_aliases(path: Path | None, namespaces: Namespaces, pinned: Collection[Identity]) -> Aliases:
    """The aliases of a trial, those of aliases followed to their end.

    ``pinned`` are identities that were given a label before. Raises ``UsageError`` where the table cannot be used,
    it is not clear at which place an id is meant, or aliases go in a circle.
    """
    if path is None:
        return Aliases({})
    steps: dict[Identity, tuple[Identity, int]] = {}
    absent = 0
    rows = read_aliases(path)
    for row in rows:
        sources = _sources(path, row, namespaces)
        absent += not sources or not namespaces.places(row.person)
        for source in sources:
            target = _target(path, row, source, namespaces, pinned)
            if target != source:
                steps.setdefault(source, (target, row.line))
    ends = {source: _follow(path, source, steps) for source in steps}
    _refuse_circles(path, rows)
    notices = []
    if absent:
        message = f"{absent} rows of the table of aliases name an id that is not in this source: is it spelt as there?"
        notices.append(Notice("C09", "warning", "", message))
    further = sum(steps[source][0] != end for source, end in ends.items())
    if further:
        message = f"{further} ids of the table of aliases are an id that is itself an alias: the last one is taken"
        notices.append(Notice("C09", "info", "", message))
    return Aliases(ends, tuple(notices))


def _sources(path: Path, row: AliasRow, namespaces: Namespaces) -> list[Identity]:
    """Whom the row speaks of: none where the id is not met, everybody of that id where it is to be one person."""
    places = namespaces.places(row.name)
    found = sorted(space for space, words in places.items() if not row.site or row.site in words)
    if len(found) > 1 and row.name != row.person:
        raise UsageError(f"{path}: line {row.line}: this id is used at several places; say which in a column site")
    return [(space, row.name) for space in found]


def _target(
    path: Path, row: AliasRow, source: Identity, namespaces: Namespaces, pinned: Collection[Identity]
) -> Identity:
    """Who the row says that somebody is: the id at the only place where it is met, else at the same place."""
    spaces = set(namespaces.places(row.person))
    if row.name == row.person:
        if row.site:
            spaces.discard(source[0])
        else:  # wherever this id is met it is one person: the one that was named before, else the first
            named = sorted(space for space in spaces if (space, row.person) in pinned)
            spaces = {min(named or spaces)}
    elif not spaces:
        spaces = {space for space, name in pinned if name == row.person} or {source[0]}
    if len(spaces) > 1 and source[0] in spaces:
        spaces = {source[0]}
    if len(spaces) > 1:
        sentence = "the id in column is is used at several places; turn the row round and give its site"
        raise UsageError(f"{path}: line {row.line}: {sentence}")
    return (min(spaces, default=source[0]), row.person)


def _follow(path: Path, start: Identity, steps: Mapping[Identity, tuple[Identity, int]]) -> Identity:
    """The end of a chain of aliases."""
    identity, lines = start, []
    while identity in steps:
        identity, line = steps[identity]
        lines.append(line)
        if identity == start or len(lines) > len(steps):
            where = ", ".join(map(str, sorted(set(lines))))
            raise UsageError(f"{path}: lines {where}: go in a circle; one of the ids must be the person's own")
    return identity
