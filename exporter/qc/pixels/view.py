"""What checks of voxels look at: one converted image, the stack that it was made of, and its record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trialbids.mappings.record import Record

from ...convert.grid import Grid, Placement, expected_grids, place
from ...convert.pixels import PixelReader
from ...errors import ConversionError
from ...inventory.instance import Instance
from ...stacks.stack import Stack
from ..check import Place
from .picture import Picture
from .reduce import LARGEST, Images, area_means
from .stored import Paths

MAPS = frozenset({"ADC", "expADC", "FA", "colFA", "S0map", "perfmap", "fatfraction"})
PARTED, AVERAGED = frozenset({"inphase", "opposed", "water", "fat"}), frozenset({"DWI", "trace"})
MOST_REDUCED = 48_000_000
"""Pixels of all reduced volumes of one image; of longer time series evenly chosen volumes are looked at."""


@dataclass(frozen=True, eq=False)
class Pixels:
    """One image in memory. ``picture`` is its first volume; all volumes have the slices of the stack.

    ``has_text`` says that text was detected in it, and that a person let it leave. ``paths`` are the stack's files by
    (path, member) where they are still at hand, see :func:`.stored.files_at_hand`; ``changed`` says that the voxels are
    no longer theirs (a face was removed).
    """

    picture: Picture
    stack: Stack
    record: Record
    has_text: bool = False
    paths: Paths = field(default_factory=dict)
    changed: bool = False

    @cached_property
    def reader(self) -> PixelReader | None:
        """What reads the pixels of the files, None where that is not possible or would not be the same."""
        return PixelReader(self.paths) if self.paths and not self.changed else None

    @cached_property
    def grid(self) -> tuple[Grid, Placement] | None:
        """The stack's grid and how the image lies on it; None where the headers do not tell or disagree."""
        try:
            grids = expected_grids(self.stack)
        except ConversionError:
            return None
        volume = self.picture.volume
        found = ((grid, place(grid, volume.voxels.shape, volume.affine)) for grid in grids)
        return next(((grid, placement) for grid, placement in found if placement), None)

    @property
    def n_volumes(self) -> int:
        """1 for a 3D image."""
        return self.picture.volume.n_volumes

    @property
    def in_colour(self) -> bool:
        """Whether a voxel is a colour and not a number."""
        return self.picture.volume.voxels.dtype.names is not None

    @property
    def is_map(self) -> bool:
        """Whether the voxels are computed numbers rather than a measured signal."""
        return self.record.sequence in MAPS

    @property
    def is_original(self) -> bool:
        """Whether the scanner measured these voxels: neither the header nor the record calls them derived."""
        kind = self.stack.first.ImageType[:1]
        return not self.is_map and not self.record.derived and (not kind or kind[0].upper() != "DERIVED")

    @property
    def is_signal(self) -> bool:
        """Whether the body shows in every voxel as it was measured: in an original, and in what scanners call derived
        although it only parts or averages the signal (Dixon products, trace-weighted images)."""
        record = self.record
        parted = record.dixon in PARTED or record.sequence in AVERAGED
        return self.is_original or (parted and not self.is_map and not record.derived)

    @property
    def slice_axis(self) -> int:
        """Axis of :attr:`Picture.raw` along which the stack's slices lie."""
        return 2 - self.grid[1].axes.index(2) if self.grid else 0

    @property
    def n_slices(self) -> int:
        """Slices of one volume."""
        return self.picture.shape[self.slice_axis]

    def volume(self, n: int) -> Picture:
        """The ``n``-th volume."""
        return Picture(self.picture.volume, n) if n else self.picture

    @cached_property
    def extremes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lowest and highest stored value of every slice, each (volumes, slices), slices in the stack's order."""
        found = [_slice_extremes(self.volume(n).raw, self.slice_axis) for n in range(self.n_volumes)]
        lows, highs = (np.array([pair[m] for pair in found], dtype=np.float64) for m in (0, 1))
        return (lows[:, ::-1], highs[:, ::-1]) if self.backwards else (lows, highs)

    @property
    def backwards(self) -> bool:
        """Whether the slices lie in memory from the last of the stack to the first."""
        return bool(self.grid and self.grid[1].flips[self.grid[1].axes.index(2)])

    @cached_property
    def looked_at(self) -> Sequence[int]:
        """The volumes that are reduced: all, but of very long series evenly chosen ones."""
        k, j, i = (n if axis == self.slice_axis else min(n, LARGEST) for axis, n in enumerate(self.picture.shape))
        most = max(1, MOST_REDUCED // max(1, k * j * i))
        if self.n_volumes <= most:
            return range(self.n_volumes)
        return sorted({round(n) for n in np.linspace(0, self.n_volumes - 1, most)})

    @cached_property
    def reduced(self) -> Images:
        """(volumes, slices, rows, columns) Stored values, at most 96 x 96 a slice, in the orientation of the stack's
        grid; of the volumes in :attr:`looked_at`."""
        return np.stack([self._reduced(self.volume(n).stored) for n in self.looked_at])

    @cached_property
    def coarse(self) -> Images:
        """The same, at most 48 x 48 a slice: where noise has mostly gone."""
        small = [area_means(images, largest=LARGEST // 2) for images in self.reduced]
        return np.stack(small)

    def _reduced(self, stored: Images) -> Images:
        small = area_means(stored, self.slice_axis)
        return np.ascontiguousarray(self.grid[1].undo(small.T).T if self.grid else small, np.float32)

    def places(self, slices: Iterable[tuple[int, int]]) -> tuple[Place, ...]:
        """The instances that hold these (volume, slice) pairs, each once."""
        of_volume = instances_by_volume(self.stack)
        found = (of_volume[n][min(k, len(of_volume[n]) - 1)].key for n, k in slices if n in of_volume)
        return tuple(dict.fromkeys(found))


def instances_by_volume(stack: Stack) -> dict[int, list[Instance]]:
    """The instances of each volume, in slice order."""
    of_volume: dict[int, list[Instance]] = {}
    for instance, n in zip(stack.instances, stack.volume, strict=True):
        of_volume.setdefault(n, []).append(instance)
    return of_volume


def _slice_extremes(raw: NDArray[np.generic], axis: int) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    """Lowest and highest value of each plane across ``axis`` of a contiguous 3D array."""
    if axis == 0:
        flat = raw.reshape(len(raw), -1)
        return flat.min(axis=1), flat.max(axis=1)
    left = 1 if axis == 1 else 0  # of (rows, columns), once the first axis is gone
    return raw.min(axis=0).min(axis=left), raw.max(axis=0).max(axis=left)
