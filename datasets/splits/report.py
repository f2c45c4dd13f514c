"""What the parts of a split look like: sizes, and the balance of columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from .assign import Level
from .design import PARTS

WIDTH = 12
"""So many levels of a column are shown in words; all are in the report."""


@dataclass(frozen=True, slots=True)
class PartCount:
    """How large a part of a fold is, and how many of its participants have each level of the columns.

    A participant whose samples have several levels counts for each of them.
    """

    fold: str
    part: str
    participants: int
    samples: int
    levels: Mapping[Level, int]


@dataclass(frozen=True, slots=True)
class SplitReport:
    """Sizes and balance of every part, and what to know about them. ``str()`` is a table a column.

    ``rare`` are levels with fewer participants than there are parts: they cannot be in each.
    """

    parts: tuple[PartCount, ...]
    columns: tuple[str, ...]
    rare: tuple[str, ...]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        sizes = [[c.fold, c.part, str(c.participants), str(c.samples)] for c in self.parts]
        blocks = [_table(["fold", "part", "participants", "samples"], sizes)]
        for column in self.columns:
            levels = list(dict.fromkeys(level for c in self.parts for level in c.levels if level[0] == column))
            shown = levels[:WIDTH]
            rows = [[c.fold, c.part, *(str(c.levels.get(level, 0)) for level in shown)] for c in self.parts]
            more = f" (and {len(levels) - WIDTH} more levels)" if len(levels) > WIDTH else ""
            blocks.append(f"{column}{more}, participants\n" + _table(["fold", "part", *(w for _, w in shown)], rows))
        lines = [*(f"Rare: {line}" for line in self.rare), *self.notes]
        return "\n\n".join([*blocks, *(["\n".join(lines)] if lines else [])])


def count_parts(
    folds: Mapping[str, Mapping[str, str]],
    samples: Mapping[str, int],
    levels: Mapping[str, Mapping[Level, float]],
    order: Sequence[Level],
) -> Iterable[PartCount]:
    """Count every part of every fold; ``folds`` gives the part of every participant."""
    for fold, words in folds.items():
        for part in PARTS:
            people = [name for name, word in words.items() if word == part]
            if people:
                having = Counter(level for name in people for level in levels[name])
                counts = {level: having[level] for level in order}
                yield PartCount(fold, part, len(people), sum(samples[name] for name in people), counts)


def rare_levels(
    levels: Mapping[str, Mapping[Level, float]], columns: Collection[str], bundles: Mapping[str, str], parts: int
) -> tuple[str, ...]:
    """Levels of some columns with fewer participants (groups count once) than there are parts, in words."""
    having: dict[Level, set[str]] = {}
    for name, given in levels.items():
        for level in given:
            if level[0] in columns:
                having.setdefault(level, set()).add(bundles[name])
    return tuple(
        f"{column} = {word}: {len(names)} participant{'s' * (len(names) > 1)}, fewer than the {parts} parts; merge it "
        "with another level, or ask for fewer parts"
        for (column, word), names in sorted(having.items())
        if len(names) < parts
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(w) if i < 2 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in [header, *rows]
    )
