"""The labels of a sample as one label map: whole numbers that follow each other, with 0 for the background."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ExportError, listing
from ..files.nifti import Header, read_header
from ..files.places import fetch
from ..files.regions import read_regions
from .channels import naming, who
from .files import Sample, listed, nifti_bytes, place, read_key, why_anew, write_whole
from .ongrid import array_on_grid, off_grid, why_moved

if TYPE_CHECKING:
    from ..cohorts.cohort import Cohort
    from ..cohorts.policies import Resample

BACKGROUND = "background"


@dataclass(frozen=True, slots=True)
class LabelMap:
    """How the labels of a cohort become one map. ``names`` are the values by name; ``values`` gives, for every key, the
    value that each of its own values becomes. ``grid`` is the one that all are brought to, if any."""

    names: Mapping[str, int]
    values: Mapping[str, Mapping[int, int]]
    grid: Resample | None = None

    def write(self, sample: Sample, target: Path, *, copy: bool = False) -> str:
        """Put the map of one sample in its place; returns why it is not the tree's own file, "" where it is."""
        why = self._why_anew(sample)
        (key, *_) = self.values
        if not why:
            return place(sample, key, target, copy=copy).anew
        array, header = self.joined(sample)
        like = key if self.grid is None else self.grid.to
        write_whole(target, nifti_bytes(array, header, fetch(listed(sample, like)[0])))
        return why

    def _why_anew(self, sample: Sample) -> str:
        """Why the tree's own file is not the map, "" where it is."""
        (key, *others) = self.values
        if others:
            return "several labels as one map"
        if any(old != new for old, new in self.values[key].items()):
            return "values that do not follow each other"
        if self.grid is not None and off_grid(sample, key, self.grid):
            return why_moved(self.grid)
        files = [fetch(path) for path in listed(sample, key)]
        if why := why_anew(sample, key, files):
            return why
        header = read_header(files[0])
        whole = header.dtype.kind in "iu" and not header.scaled and len(header.shape) <= 3
        return "" if whole else "no plain whole numbers in three axes"

    def joined(self, sample: Sample) -> tuple[np.ndarray, Header]:
        """The map of one sample, uint8 or uint16 ``[X, Y, Z]``, and the header of its grid.

        Raises :class:`ExportError` where two labels lie on one voxel.
        """
        dtype = np.uint8 if max(self.names.values()) < 256 else np.uint16
        first: Header | None = None
        out = np.zeros((), dtype)
        for key, values in self.values.items():
            array, header = self._array(sample, key)
            first, out = (header, np.zeros(array.shape, dtype, order="F")) if first is None else (first, out)
            for old, new in values.items():
                here = array == old if new else np.False_
                if np.any(out[here]):
                    raise ExportError(
                        f"{who(sample)}: {key} lies on voxels that another label has already; ask for one."
                    )
                out[here] = new
        assert first is not None
        return out, first

    def _array(self, sample: Sample, key: str) -> tuple[np.ndarray, Header]:
        if self.grid is not None and off_grid(sample, key, self.grid):
            return array_on_grid(sample, key, self.grid, label=True)
        return _read(sample, key)


def label_map(cohort: Cohort) -> LabelMap:
    """Read every label of the cohort and say how they become one map.

    A mask of 0 and 1 keeps its key as its name; the values of a label map are named by its table of regions. Raises
    :class:`ExportError` naming the samples where a label is missing, is a table of boxes, or no map of whole numbers.
    """
    found: dict[str, set[int]] = {key: set() for key in cohort.label_keys}
    regions: dict[str, dict[int, str]] = {key: {} for key in cohort.label_keys}
    wrong: list[str] = []
    for sample in cohort:
        for key in cohort.label_keys:
            if why := _objection(sample, key):
                wrong.append(f"{who(sample)}: {key}: {why}")
                continue
            array, _ = _read(sample, key)
            values = np.unique(array)
            if np.any(values != np.round(values)) or values.min() < 0:
                wrong.append(f"{who(sample)}: {key}: its values are no whole numbers from 0 on")
                continue
            found[key] |= {int(value) for value in values} - {0}
            if not sample.get(f"{key}_indices"):
                regions[key] = {**_regions(listed(sample, key)[0]), **regions[key]}
    if wrong:
        raise ExportError(f"a label map needs one mask or label map of whole numbers a label:\n{listing(wrong)}")
    return _numbered(found, regions, cohort.resample)


def _objection(sample: Sample, key: str) -> str:
    if f"{key}_table" in sample:
        return "a table of boxes or points"
    return "" if listed(sample, key) else "it is missing; ask for missing='drop'"


def _read(sample: Sample, key: str) -> tuple[np.ndarray, Header]:
    """One label ``[X, Y, Z]``. Raises :class:`ReadError` naming participant and session."""
    with naming(sample, key):
        array, header = read_key(sample, key, [fetch(path) for path in listed(sample, key)])
    return array.reshape((*array.shape, 1, 1)[:3], order="F"), header


def _regions(path: str) -> dict[int, str]:
    """The names of a label map's values from the table beside it, the full name before the abbreviation."""
    if "_dseg." not in path:
        return {}
    table = fetch(f"{path.partition('.nii')[0]}.tsv")
    names: dict[int, str] = {}
    for name, value in read_regions(table):
        names.setdefault(value, name)
    return names


def _numbered(
    found: Mapping[str, set[int]], regions: Mapping[str, Mapping[int, str]], grid: Resample | None
) -> LabelMap:
    names, values = {BACKGROUND: 0}, {key: {0: 0} for key in found}
    for key, own in found.items():
        masks = own <= {1} and not regions[key]
        for value in sorted(own or {1}):
            name = key if masks else regions[key].get(value, f"{key}_{value}")
            name = name if name not in names else f"{key}_{value}"
            names[name] = values[key][value] = len(names)
    return LabelMap(names, values, grid)
