"""A small copy of an image that has siblings, so that they can be compared without loading a volume twice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...convert.adc import stated_factor
from ...convert.foreground import foreground
from ...harmonise.facts import agent
from .reduce import Images
from .view import Pixels

DIFFUSION = frozenset({"DWI", "trace"})


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """Physical values at a resolution of at most 96 x 96 in the plane of the slices.

    ``values``      float32 (volumes, x, y, z) in the orientation of the stack's grid; of diffusion one volume, their
                    mean, for each b-value
    ``foreground``  bool (x, y, z): what Otsu's threshold finds in the first volume
    ``shape``, ``affine``   of the image itself on that grid, voxel to RAS+ mm
    ``bvalues``     s/mm², one a volume, empty where the image is not diffusion
    ``unit``        factor to mm²/s that the header's unit of an ADC map means, None where it says none
    ``agent``       whether the header names a contrast agent
    """

    stack_id: str
    acquisition_id: str
    values: Images
    foreground: NDArray[np.bool_]
    shape: tuple[int, ...]
    affine: NDArray[np.float64]
    bvalues: tuple[float, ...] = ()
    phase_index: int | None = None
    phase_time_s: float | None = None
    unit: float | None = None
    agent: bool = False


def has_siblings(pixels: Pixels) -> bool:
    """Whether images like this are compared with others: diffusion, ADC, phases of a dynamic acquisition."""
    record = pixels.record
    if record.sequence == "T1w":
        return record.phase_index is not None
    return record.sequence in (*DIFFUSION, "ADC", "DCE")


def sketch_of(pixels: Pixels) -> Sketch | None:
    """The sketch of an image, None where it has no siblings to be compared with or cannot be placed."""
    if not has_siblings(pixels) or pixels.grid is None or pixels.in_colour or pixels.record.part != "mag":
        return None
    stack, record, volume = pixels.stack, pixels.record, pixels.picture.volume
    values, bvalues = _by_bvalue(pixels) if record.sequence in DIFFUSION else (pixels.reduced, ())
    values = np.ascontiguousarray(values.transpose(0, 3, 2, 1)) * np.float32(volume.slope) + np.float32(volume.inter)
    grid = pixels.grid[0]
    return Sketch(
        stack_id=stack.stack_id,
        acquisition_id=stack.acquisition_id,
        values=values,
        foreground=foreground(values[0]),
        shape=grid.shape,
        affine=grid.affine,
        bvalues=bvalues,
        phase_index=record.phase_index,
        phase_time_s=record.phase_time_s,
        unit=stated_factor(stack.first.RescaleType or stack.first.Units),
        agent=bool(agent(stack.instances)),
    )


def _by_bvalue(pixels: Pixels) -> tuple[Images, tuple[float, ...]]:
    """The mean volume of each b-value, rising; as they are where the number of b-values does not fit."""
    known = pixels.stack.bvalues
    if len(known) != pixels.n_volumes:
        return pixels.reduced, ()
    seen = np.array([known[n] for n in pixels.looked_at])
    shells = np.unique(seen)
    return np.stack([pixels.reduced[seen == b].mean(axis=0) for b in shells]), tuple(map(float, shells))
