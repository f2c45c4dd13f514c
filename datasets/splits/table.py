"""The parts of all participants as a table for a spreadsheet: ``splits.tsv``, with ``splits.json`` beside."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..errors import QueryError, SplitError, listing
from ..files.names import natural
from .bundles import Tie
from .design import PARTS, Design
from .sheet import read_sheet

SCHEMA = "trialbids-splits/1"
PARTICIPANT, GROUP, PRESENT = "participant_id", "group", "in_cohort"
FOLD_WORDS = ("fold", "without ")
NOTHING = "n/a"


@dataclass(frozen=True, slots=True)
class Table:
    """The part of every participant in every fold.

    ``groups`` names what a participant belongs to; who shares one is never separated. ``away`` are participants of an
    earlier cohort, who keep their parts for the case that they come back.
    """

    names: tuple[str, ...]
    words: Mapping[str, tuple[str, ...]]
    groups: Mapping[str, str] = field(default_factory=dict)
    away: frozenset[str] = frozenset()

    @property
    def present(self) -> list[str]:
        """The participants of the cohort, in the order of their numbers."""
        return [name for name in self.words if name not in self.away]

    def ties(self) -> list[Tie]:
        """Who shares a group."""
        members: dict[str, list[str]] = {}
        for name, group in self.groups.items():
            members.setdefault(group, []).append(name)
        return [Tie(f"group {group}", tuple(people)) for group, people in members.items() if len(people) > 1]

    def fold(self, number: int) -> dict[str, str]:
        """The part of everybody in one fold."""
        return {name: words[number] for name, words in self.words.items()}


@dataclass(frozen=True, slots=True)
class Origin:
    """What ``splits.json`` says: how the parts were made, and of which cohort."""

    design: Design
    fingerprint: str
    names: tuple[str, ...]


def ordered(names: Iterable[str]) -> list[str]:
    """Participants in the order of their numbers: 2 before 10."""
    return sorted(names, key=lambda name: (natural(name), name))


def write_table(path: Path, table: Table, design: Design | None, facts: Mapping[str, Any]) -> None:
    """Write the TSV, and the JSON where it is known how the parts were made. Raises :class:`SplitError`."""
    header = [PARTICIPANT, *([GROUP] if table.groups else []), *([PRESENT] if table.away else []), *table.names]
    lines = ["\t".join(header)]
    for name in ordered(table.words):
        cells = [name]
        cells += [table.groups.get(name, NOTHING)] if table.groups else []
        cells += ["no" if name in table.away else "yes"] if table.away else []
        lines.append("\t".join([*cells, *table.words[name]]))
    try:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
        if design is not None:
            origin = {"schema": SCHEMA, "trialbids": version("trialbids"), **facts, "design": design.to_json()}
            text = json.dumps({**origin, "folds": list(table.names)}, indent=2, ensure_ascii=False)
            beside(path).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise SplitError(f"{path}: cannot be written ({error.strerror}).") from error


def beside(path: Path) -> Path:
    """The JSON of a table. Raises :class:`SplitError` where the table has its name."""
    if path.suffix.lower() == ".json":
        raise SplitError(f"{path}: splits are saved as a table; give it a name that ends with .tsv.")
    return path.with_suffix(".json")


def read_table(path: Path) -> tuple[Table, Origin | None]:
    """Read both files. Raises :class:`SplitError` naming the rows that cannot be meant."""
    rows = read_sheet(path, PARTICIPANT)
    if not rows:
        raise SplitError(f"{path}: has no rows.")
    origin = _read_origin(beside(path))
    names = origin.names if origin else tuple(n for n in rows[0] if n.startswith(FOLD_WORDS))
    if lost := [name for name in names if name not in rows[0]]:
        raise SplitError(f"{path}: the column {lost[0]!r} is missing; there are: {', '.join(rows[0])}.")
    if not names:
        raise SplitError(f"{path}: has no column of a fold; they are named fold1, fold2 …")
    words, twice, strange = _words(rows, names)
    if strange:
        raise SplitError(f"{path}: a part is one of {', '.join(PARTS)}:\n{listing(strange)}")
    if twice:
        raise SplitError(f"{path}: participants are there twice with different parts; keep one row:\n{listing(twice)}")
    groups = {row[PARTICIPANT]: row[GROUP] for row in rows if row.get(GROUP, "") not in ("", NOTHING)}
    away = frozenset(row[PARTICIPANT] for row in rows if row.get(PRESENT, "").lower() == "no")
    return Table(names, {name: words[name] for name in ordered(words)}, groups, away), origin


def _words(
    rows: Sequence[Mapping[str, str]], names: Sequence[str]
) -> tuple[dict[str, tuple[str, ...]], list[str], list[str]]:
    """The parts by participant, and the lines that contradict another one or hold words that are no part."""
    words: dict[str, tuple[str, ...]] = {}
    twice: list[str] = []
    strange: list[str] = []
    for row in rows:
        person = row[PARTICIPANT]
        cells = tuple(row[name].lower() for name in names)
        wrong = [f"{name} is {row[name]!r}" for name, cell in zip(names, cells, strict=True) if cell not in PARTS]
        strange += [f"{person or 'a row without participant_id'}: {words}" for words in wrong[:1]]
        if not person and not wrong:
            strange.append(f"a row without participant_id: {', '.join(cells)}")
        if words.setdefault(person, cells) != cells:
            twice.append(f"{person}: {', '.join(words[person])}, and {', '.join(cells)}")
    return words, twice, strange


def _read_origin(path: Path) -> Origin | None:
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        if content["schema"] != SCHEMA:
            raise SplitError(f"{path}: has the schema {content['schema']!r}, expected {SCHEMA!r}.")
        names = tuple(map(str, content["folds"]))
        return Origin(Design.from_json(content["design"]), str(content["fingerprint"]), names)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, QueryError):
            raise SplitError(f"{path}: {error}") from error
        raise SplitError(
            f"{path}: is not the JSON that was written beside the table ({error}); restore it, or move it away: then "
            "the table is read without it."
        ) from error
