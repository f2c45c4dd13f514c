"""What images of one session say of each other: diffusion and its ADC map, the phases of a dynamic acquisition."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trialbids.mappings.record import Record

from .enhancement import enhancement
from .sketch import Sketch

SAME_PLACE_MM = 1.0
"""Images whose corners lie closer than this are on one grid: positions are rounded, and vendors round differently."""


@dataclass(frozen=True, eq=False)
class Siblings:
    """The sketches of one session and the records of all its images, by ``stack_id``."""

    sketches: Mapping[str, Sketch]
    records: Mapping[str, Record]

    @cached_property
    def acquisitions(self) -> Sequence[Sequence[Sketch]]:
        """The sketches by acquisition, in the order of their first."""
        groups: dict[str, list[Sketch]] = defaultdict(list)
        for sketch in self.sketches.values():
            groups[sketch.acquisition_id].append(sketch)
        return list(groups.values())

    def diffusion(self) -> Iterator[tuple[list[Sketch], list[Sketch]]]:
        """Of every acquisition the measured diffusion images and the scanner's ADC maps."""
        for group in self.acquisitions:
            measured = [s for s in group if s.bvalues and "calc" not in self.records[s.stack_id].derived]
            maps = [s for s in group if self.records[s.stack_id].sequence == "ADC"]
            yield measured, maps

    @cached_property
    def dynamic(self) -> Sequence[Dynamic]:
        """Of every dynamic acquisition each product (water, fat, an echo, a flip angle) of at least two phases that lie
        on one grid; where there are several grids, that of most."""
        found = []
        for group in self.acquisitions:
            for phases in self._by_product(group):
                kin = max(([p for p in phases if same_grid(p, one)] for one in phases), key=len)
                if len(kin) > 1:
                    kin.sort(key=lambda s: (s.phase_index or 0, s.phase_time_s or 0.0))
                    found.append(Dynamic(tuple(kin), tuple(self.records[s.stack_id] for s in kin)))
        return found

    def _by_product(self, group: Sequence[Sketch]) -> Iterable[Sequence[Sketch]]:
        """The phases of an acquisition by what one excitation gave."""
        products: dict[Hashable, list[Sketch]] = defaultdict(list)
        for sketch in group:
            r = self.records[sketch.stack_id]
            if r.sequence in ("DCE", "T1w") and not sketch.bvalues:
                products[r.dixon, r.part, r.echo_index, r.flip_index].append(sketch)
        return products.values()


@dataclass(frozen=True, eq=False)
class Dynamic:
    """The phases of one product of a dynamic acquisition, in order, with their records."""

    phases: Sequence[Sketch]
    records: Sequence[Record]

    @cached_property
    def gain(self) -> float | None:
        """How much the tissue brightens, see :func:`.enhancement.enhancement`; None where nothing is shown.

        Phases before contrast are those whose record says so, else the first; the last third comes after.
        """
        n_late = max(1, len(self.phases) // 3)
        early = self.phases[:-n_late]
        native = [s for s, r in zip(early, self.records, strict=False) if r.agent == "without"] or early[:1]
        return enhancement(mean_of(native), mean_of(self.phases[-n_late:]))

    @property
    def shows_water(self) -> bool:
        """Whether what the agent brightens is in the image: fat alone does not enhance."""
        return self.records[0].dixon != "fat"

    @property
    def says_contrast(self) -> bool:
        """Whether a header names a contrast agent."""
        return any(s.agent for s in self.phases)

    @property
    def should_enhance(self) -> bool:
        """Whether the records call the acquisition a DCE, or one of its phases contrast-enhanced."""
        return any(r.sequence == "DCE" or r.agent == "with" for r in self.records)


def mean_of(sketches: Sequence[Sketch]) -> NDArray[np.float32]:
    """(x, y, z) The mean of their first volumes."""
    return np.stack([s.values[0] for s in sketches]).mean(axis=0, dtype=np.float32)


def same_grid(a: Sketch, b: Sketch) -> bool:
    """Whether two images have the same voxels in space."""
    return a.shape == b.shape and bool(np.abs(corners(a) - corners(b)).max() <= SAME_PLACE_MM)


def corners(sketch: Sketch) -> NDArray[np.float64]:
    """(8, 3) Where the outermost voxels lie, RAS+ mm."""
    ends = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)], float)
    return ends * (np.array(sketch.shape) - 1) @ sketch.affine[:3, :3].T + sketch.affine[:3, 3]
