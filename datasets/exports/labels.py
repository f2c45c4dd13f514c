"""The labels of a sample as one label map: whole numbers that follow each other, with 0 for the background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """How the labels of a cohort become one map. ``names`` are the values by name.

    ``values`` gives, for every sample id and key, the value that each of the file's own values becomes: two files may
    name the same value differently. ``grid`` is the one that all are brought to, if any.
    """

    names: Mapping[str, int]
    values: Mapping[str, Mapping[str, Mapping[int, int]]]
    grid: Resample | None = None

    def write(self, sample: Sample, target: Path, *, copy: bool = False) -> str:
        """Put the map of one sample in its place; returns why it is not the tree's own file, "" where it is."""
        why = self._why_anew(sample)
        (key, *_) = self.values[sample["sample_id"]]
        if not why:
            return place(sample, key, target, copy=copy).anew
        array, header = self.joined(sample)
        like = key if self.grid is None else self.grid.to
        write_whole(target, nifti_bytes(array, header, fetch(listed(sample, like)[0])))
        return why

    def _why_anew(self, sample: Sample) -> str:
        """Why the tree's own file is not the map, "" where it is."""
        (key, *others) = values = self.values[sample["sample_id"]]
        if others:
            return "several labels as one map"
        if any(old != new for old, new in values[key].items()):
            return "its values brought to those of dataset.json"
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
        for key, values in self.values[sample["sample_id"]].items():
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


@dataclass(frozen=True, slots=True)
class _Found:
    """The label of one sample: the values in its voxels, and those that its table of regions names."""

    sample: Sample
    values: frozenset[int]
    regions: Mapping[int, str]


def label_map(cohort: Cohort) -> LabelMap:
    """Read every label of the cohort and say how they become one map.

    A mask of 0 and 1 keeps its key as its name; the values of a label map are named by its own table of regions, and
    what has one name in several files becomes one value. Raises :class:`ExportError` naming the samples where a label
    is missing, is a table of boxes, or no map of whole numbers, and both files where one names a value and another
    does not.
    """
    found: dict[str, list[_Found]] = {key: [] for key in cohort.label_keys}
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
            regions = {} if sample.get(f"{key}.indices") else _regions(listed(sample, key)[0])
            found[key].append(_Found(sample, frozenset(int(value) for value in values) - {0}, regions))
    if wrong:
        raise ExportError(f"a label map needs one mask or label map of whole numbers a label:\n{listing(wrong)}")
    return _numbered(found, cohort.resample)


def _objection(sample: Sample, key: str) -> str:
    if f"{key}.table" in sample:
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


def _numbered(found: Mapping[str, Sequence[_Found]], grid: Resample | None) -> LabelMap:
    """Number the names of every key in turn, each key's by the least value that any file has for it."""
    names = {BACKGROUND: 0}
    values: dict[str, dict[str, dict[int, int]]] = {}
    for key, labels in found.items():
        named = _named(key, labels)
        least: dict[str, int] = {}
        for own in named:
            for value, name in own.items():
                least[name] = min(value, least.get(name, value))
        numbers: dict[str, int] = {}
        for name in sorted(least, key=lambda name: (least[name], name)) or [key]:
            own_name = name if name not in names else f"{key}_{name}"
            names[own_name] = numbers[name] = len(names)
        for label, own in zip(labels, named, strict=True):
            told = values.setdefault(str(label.sample["sample_id"]), {})
            told[key] = {0: 0, **{value: numbers[name] for value, name in sorted(own.items())}}
    return LabelMap(names, values, grid)


def _named(key: str, labels: Sequence[_Found]) -> list[dict[int, str]]:
    """The names of the values that each file of a key has."""
    tables: dict[int, _Found] = {}
    for label in labels:
        for value in label.regions:
            tables.setdefault(value, label)
    if not tables and frozenset[int]().union(*(label.values for label in labels)) <= {1}:
        return [dict.fromkeys(label.values, key) for label in labels]
    for label in labels:
        for value in sorted(label.values - label.regions.keys()):
            if value in tables:
                other = tables[value]
                raise ExportError(
                    f"{who(label.sample)}: {key}: {listed(label.sample, key)[0]} has the value {value} and no table "
                    f"that names it, and {listed(other.sample, key)[0]} calls it {other.regions[value]}; name it in a "
                    "table of regions (.tsv) beside the file."
                )
    return [{value: label.regions.get(value, f"{key}_{value}") for value in label.values} for label in labels]
