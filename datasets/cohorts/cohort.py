"""A cohort: the samples a model is to see, as plain values and paths."""

from __future__ import annotations

import hashlib
import json
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np

from ..errors import QueryError


@dataclass(frozen=True, slots=True)
class Count:
    """How many samples are left after a condition, in all and by site."""

    condition: str
    left: int
    by_site: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Dropped:
    """One sample that was left out, by which condition and why."""

    sample_id: str
    site: str
    condition: str
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """Counts after each condition, in order, and every sample left out. ``str()`` is a table."""

    counts: tuple[Count, ...]
    dropped: tuple[Dropped, ...]

    def __str__(self) -> str:
        sites = sorted({site for count in self.counts for site in count.by_site})
        header = ["after", "left", *(site or "n/a" for site in sites)]
        rows = [[c.condition, str(c.left), *(str(c.by_site.get(site, 0)) for site in sites)] for c in self.counts]
        widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
        lines = [
            "  ".join(
                cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
            )
            for row in [header, *rows]
        ]
        return "\n".join(line.rstrip() for line in lines)


class Cohort(Sequence[dict[str, Any]]):
    """An immutable sequence of samples: ``cohort[0]`` is a dict, a slice or a list of positions is a cohort.

    A sample holds ``sample_id``, ``participant_id``, ``session_id``, ``site``, the targets, and for every key of
    images and labels the path of its file, a list of paths (the phases of a DCE), or ``""`` where it is missing and
    to be masked. Beside an image key stand ``<key>_unit`` and ``<key>_factor`` (from rescaled values to the unit) and,
    where they apply, ``<key>_times`` (s), ``<key>_bvalues`` (s/mm²) and ``<key>_volumes``; ``present`` has a flag for
    every key where missing ones are masked, and ``<key>_dtype`` the type of their zeros. A label that is made of
    several masks has ``<key>_union``, one from regions of a label map ``<key>_indices``, a table of boxes or points
    ``<key>_table`` and ``<key>_rows``. :class:`LoadSequencesd` reads such a dict; so does MONAI's ``LoadImaged``,
    without factor and volumes.
    """

    def __init__(
        self,
        root: Path,
        rows: Iterable[Mapping[str, Any]],
        *,
        image_keys: Sequence[str],
        label_keys: Sequence[str] = (),
        classes: Mapping[str, tuple[Any, ...]] | None = None,
        identities: Mapping[str, str] | None = None,
        report: Report | None = None,
        description: str = "",
    ) -> None:
        self._root = root
        self._rows = tuple(rows)
        self._identities = dict(identities or {})
        self._report = report or Report((), ())
        self._description = description
        self.image_keys = tuple(image_keys)
        self.label_keys = tuple(label_keys)
        self.classes: Mapping[str, tuple[Any, ...]] = dict(classes or {})

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys that become tensors: images, then labels; ``present`` has this order."""
        return (*self.image_keys, *self.label_keys)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice | Sequence[int]) -> Cohort: ...
    def __getitem__(self, index: int | slice | Sequence[int]) -> dict[str, Any] | Cohort:
        if isinstance(index, slice):
            return self._part(self._rows[index])
        if isinstance(index, Iterable):
            return self._part([self._rows[_position(i)] for i in index])
        return self._absolute(self._rows[_position(index)])

    def __repr__(self) -> str:
        return f"Cohort({len(self)} samples: {', '.join(self.keys)})"

    def report(self) -> Report:
        """How many samples were left after each condition, by site, when the cohort was made."""
        return self._report

    @cached_property
    def fingerprint(self) -> str:
        """A SHA-256 over the samples, the queries and the content of their files; the place of the tree is no part.

        Where the tree has no manifest, the content is known by size and time of change only.
        """
        body = [self._description, self._rows, {path: self._identity(path) for path in self._paths()}]
        return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()

    def _paths(self) -> list[str]:
        paths = {path for row in self._rows for key in self.keys for path in _listed(row[key])}
        return sorted(paths)

    def _identity(self, path: str) -> str:
        if known := self._identities.get(path):
            return known
        stat = (self._root / path).stat()
        return f"{stat.st_size}:{stat.st_mtime_ns}"

    def _part(self, rows: Iterable[Mapping[str, Any]]) -> Cohort:
        kept = tuple(rows)
        part = Cohort(
            self._root,
            kept,
            image_keys=self.image_keys,
            label_keys=self.label_keys,
            classes=self.classes,
            report=self._report,
            description=self._description,
        )
        part._identities = {path: self._identities[path] for path in part._paths() if path in self._identities}
        return part

    def _absolute(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A fresh dict with full paths, which the caller may change."""
        sample = {key: list(value) if isinstance(value, tuple) else value for key, value in row.items()}
        for key in self.keys:
            value = sample[key]
            sample[key] = (
                [str(self._root / p) for p in value] if isinstance(value, list) else value and str(self._root / value)
            )
        return sample


def _position(index: Any) -> int:
    """A place in the cohort. Raises :class:`QueryError` for True and False, which Python counts as 1 and 0."""
    if isinstance(index, bool | np.bool_):
        raise QueryError(
            f"cohort[{index}]: a sample is asked for by its position; of a mask take the positions, as "
            "numpy.flatnonzero(mask) gives them"
        )
    return operator.index(index)


def _listed(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (value,) if value else ()


def count_sites(condition: str, sites: Iterable[str]) -> Count:
    """Count samples, given the site of each."""
    by_site: dict[str, int] = {}
    for site in sites:
        by_site[site] = by_site.get(site, 0) + 1
    return Count(condition, sum(by_site.values()), by_site)
