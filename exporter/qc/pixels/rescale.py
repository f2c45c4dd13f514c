"""A rescale that varies from slice to slice (P04): was it applied, and do the stored values follow it at all?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ...convert.foreground import foreground
from ...errors import ConversionError
from ...inventory.instance import Instance
from ..check import Evidence, about
from .reduce import LARGEST, Images, area_means
from .slices import usual_steps
from .view import Pixels, instances_by_volume

Floats = NDArray[np.float64]
SAME_SCALE = 1e-4
"""Rescales that differ by less than this share are one, written with other digits."""
STEADY = frozenset({"MR", "CT"})
"""Modalities that scale a volume as a whole. Positron images have a slope for each slice, and rightly so."""
MOST_VOLUMES = 4
"""So many volumes are read again where their slices differ in rescale."""
FEWEST_PIXELS = 30


def odd_rescale(pixels: Pixels, share: float) -> Iterator[Evidence]:
    """Images of a stack have each its own rescale, and the voxels are stored values; or the slices of one volume have,
    and their physical values jump with it where the stored ones do not."""
    scales = {scale_of(i) for i in pixels.stack.instances}
    if len(scales) < 2 or pixels.in_colour:
        return
    values = (("rescales", len(scales)),)
    if pixels.picture.volume.voxels.dtype.kind in "iu" and differ(np.array(sorted(scales)), pixels, share):
        yield Evidence(f"{len(scales)} different rescales in one stack, and the voxels hold stored values", "", values)
    elif pixels.stack.first.Modality in STEADY and pixels.is_original and not pixels.stack.first.mosaic_tiles:
        jumping = [n for n in _varied(pixels, share) if jumps_with_rescale(pixels, n, share)]
        if jumping:
            message = f"the rescale varies among the slices of {len(jumping)} volumes, and their stored values do not"
            yield Evidence(message, "varies", (*values, ("volumes", len(jumping))), about=about(jumping))


def scale_of(instance: Instance) -> tuple[float, float]:
    """Slope and intercept of an image."""
    return instance.RescaleSlope or 1.0, instance.RescaleIntercept or 0.0


def differ(scales: Floats, pixels: Pixels, share: float) -> bool:
    """Whether of (n, 2) slopes and intercepts some differ by more than a ``share`` of what they make of the voxels."""
    slope, (low, high) = np.abs(scales[:, 0]).max(), pixels.extremes
    range_ = max(float(np.abs(low).max()), float(np.abs(high).max())) * slope or 1.0
    return bool(np.ptp(scales[:, 0]) > share * slope or np.ptp(scales[:, 1]) > share * range_)


def _varied(pixels: Pixels, share: float) -> list[int]:
    """The first volumes whose slices differ in rescale."""
    of_volume = instances_by_volume(pixels.stack)
    scales = {n: np.array([scale_of(i) for i in rows]) for n, rows in of_volume.items() if len(rows) == pixels.n_slices}
    return [n for n, those in sorted(scales.items()) if differ(those, pixels, share)][:MOST_VOLUMES]


def jumps_with_rescale(pixels: Pixels, n: int, share: float) -> bool:
    """Whether volume ``n`` would be smoother from slice to slice under one rescale for all than under those stated."""
    rows = instances_by_volume(pixels.stack)[n]
    slopes, inters = np.array([scale_of(i) for i in rows], np.float32).T[:, :, np.newaxis, np.newaxis]
    stored = stored_slices(pixels, rows, n)
    if stored is None or len(stored) < 3:
        return False
    alike = stored * np.median(slopes) + np.median(inters)
    stated = stored * slopes + inters
    mask = foreground(alike)
    changed = np.abs(np.diff(slopes[:, 0, 0])) + np.abs(np.diff(inters[:, 0, 0])) > 0
    return roughness(alike, mask, changed) < roughness(stated, mask, changed)


def stored_slices(pixels: Pixels, rows: Sequence[Instance], n: int) -> Images | None:
    """The stored values of a volume, small, (slices, rows, columns): read from the files where these are at hand, else
    taken back from the image."""
    if pixels.reader is not None:
        try:
            slices = [pixels.reader.slices(i)[0].astype(np.float32) for i in rows]
        except ConversionError:
            return None  # another check's
        return area_means(np.stack(slices), largest=LARGEST // 2)
    if n not in pixels.looked_at or pixels.picture.volume.voxels.dtype.kind != "f":
        return None
    slopes, inters = np.array([scale_of(i) for i in rows], np.float32).T[:, :, np.newaxis, np.newaxis]
    return (pixels.coarse[list(pixels.looked_at).index(n)] - inters) / slopes


def roughness(images: Images, mask: NDArray[np.bool_], at: NDArray[np.bool_]) -> float:
    """How much the foreground, and what lies around it, change from a slice to the next, and how much that differs from
    the changes around it: medians, summed over those steps (slices - 1) that are asked for.

    The tissue of CT lies around 0, which no slope changes; the air around it lies at -1000.
    """
    total = 0.0
    for part in (mask[1:] | mask[:-1], ~(mask[1:] | mask[:-1])):
        steps = np.zeros(len(images) - 1)
        for k, here in enumerate(part):
            if np.count_nonzero(here) > FEWEST_PIXELS:
                steps[k] = np.median((images[k + 1] - images[k])[here])
        total += float((np.abs(steps) + np.abs(steps - usual_steps(steps)))[at].sum())
    return total
