"""How a cohort came to be: what was left after each condition, who was left out and why."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

WIDTH = 80
CONDITION = 48
"""How wide the text of a condition may be before it is broken."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many samples are left after a condition, in all and by site."""

    condition: str
    left: int
    by_site: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Dropped:
    """One sample that was left out, by which condition and why. ``str()`` is a line."""

    sample_id: str
    site: str
    condition: str
    reason: str

    def __str__(self) -> str:
        return f"{self.sample_id} ({self.site or 'n/a'}): {self.condition}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Multiplicity:
    """How often something is there: ``of`` acquisitions of a key, or visits; ``samples`` by their number."""

    of: str
    samples: Mapping[int, int]

    def __str__(self) -> str:
        each = ", ".join(f"{n} × {times}" for times, n in sorted(self.samples.items()))
        return f"{self.of}: {each}"


@dataclass(frozen=True, slots=True)
class Report:
    """Counts after each condition, in order, and every sample left out. ``str()`` is a table of at most 80 columns.

    ``multiplicities`` say how many visits a participant has and how many acquisitions answered a key; ``notes`` what
    is worth knowing before training, such as a class without a sample.
    """

    counts: tuple[Count, ...]
    dropped: tuple[Dropped, ...]
    multiplicities: tuple[Multiplicity, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def sites(self) -> tuple[str, ...]:
        """Every site that had a sample at any step, sorted; "" where none was given."""
        return tuple(sorted({site for count in self.counts for site in count.by_site}))

    def __str__(self) -> str:
        parts = [_steps(self.counts)]
        if len(self.sites) > 1 or any(self.sites):
            parts.append(_by_site(self.counts, self.sites))
        if self.multiplicities:
            lines = [line for each in self.multiplicities for line in _wrapped(str(each))]
            parts.append("\n".join(["how often", *lines]))
        if self.notes:
            parts.append("\n".join(["to note", *(line for note in self.notes for line in _wrapped(note))]))
        return "\n\n".join(parts)


def count_sites(condition: str, sites: Iterable[str]) -> Count:
    """Count samples, given the site of each."""
    by_site = dict(Counter(sites))
    return Count(condition, sum(by_site.values()), by_site)


def _steps(counts: Sequence[Count]) -> str:
    """One line a condition: its number, what is left, and how many it took away."""
    rows: list[tuple[str, str, str, str]] = [("", "after", "left", "lost")]
    for number, count in enumerate(counts):
        lost = str(counts[number - 1].left - count.left) if number else ""
        first, *more = textwrap.wrap(count.condition, CONDITION) or [""]
        rows.append((str(number), first, str(count.left), lost))
        rows += [("", f"  {text}", "", "") for text in more]
    return _table(rows, (False, False, True, True))


def _by_site(counts: Sequence[Count], sites: Sequence[str]) -> str:
    """One line a site, one column a condition by its number; blocks of columns where they are too many."""
    cells = {site: [str(count.by_site.get(site, 0)) for count in counts] for site in sites}
    name = max(4, *(len(site) for site in sites))
    widest = max(2, *(len(cell) for row in cells.values() for cell in row)) + 2
    at_once = max(1, (WIDTH - name) // widest)
    blocks: list[str] = []
    for start in range(0, len(counts), at_once):
        numbers = range(start, min(start + at_once, len(counts)))
        rows = [("site", *map(str, numbers))]
        rows += [(site or "n/a", *(cells[site][n] for n in numbers)) for site in sites]
        blocks.append(_table(rows, (False, *(True for _ in numbers))))
    return "\n\n".join(blocks)


def _table(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(w) if to_right else cell.ljust(w) for cell, w, to_right in zip(row, widths, right, strict=True)
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")
