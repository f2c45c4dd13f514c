"""A stack of several series: the converter makes one image a series, and here they become the one that is promised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..inventory.instance import Instance
from ..stacks.stack import Stack
from .volume import Volume

Found = tuple[Stack, Volume, tuple[int, ...]]
"""The stack of one series, its image, and the places of its volumes in the whole."""
Choose = Callable[[Stack], tuple[Volume | None, str]]
SAME_AFFINE_MM = 0.1


def by_series(stack: Stack) -> list[tuple[Stack, tuple[int, ...]]]:
    """The stack's volumes series by series, each part with the places of its volumes in the whole.

    Empty where all lies in one series, or a volume has slices of several.
    """
    series: dict[int, set[tuple[str, int | None]]] = {}
    for instance, volume in zip(stack.instances, stack.volume, strict=True):
        series.setdefault(volume, set()).add((instance.SeriesInstanceUID, instance.SeriesNumber))
    if any(len(homes) > 1 for homes in series.values()):
        return []
    places: dict[tuple[str, int | None], list[int]] = {}
    for volume, homes in series.items():
        places.setdefault(next(iter(homes)), []).append(volume)
    return [(part(stack, tuple(p)), tuple(p)) for p in places.values()] if len(places) > 1 else []


def part(stack: Stack, volumes: Sequence[int]) -> Stack:
    """Some volumes of a stack as a stack of their own, numbered from 0."""
    at = {volume: n for n, volume in enumerate(volumes)}
    rows: list[tuple[Instance, int]] = [
        (i, at[v]) for i, v in zip(stack.instances, stack.volume, strict=True) if v in at
    ]
    return replace(
        stack,
        instances=tuple(i for i, _ in rows),
        volume=tuple(n for _, n in rows),
        n_volumes=len(volumes),
        bvalues=tuple(stack.bvalues[v] for v in volumes) if stack.bvalues else (),
        directions=tuple(stack.directions[v] for v in volumes) if stack.directions else (),
    )


def joined(stack: Stack, choose: Choose) -> tuple[Volume | None, str]:
    """The image of each series, found by ``choose``, as one image; or None and what was wrong.

    For stacks that :func:`by_series` takes apart.

    One rescale for all stays in the header; where the series were scaled each by its own, the voxels are physical
    values in float32.
    """
    found: list[Found] = []
    for one, places in by_series(stack):
        volume, refusal = choose(one)
        if volume is None:
            return None, refusal
        found.append((one, volume, places))
    images = [volume for _, volume, _ in found]
    first = images[0]
    if any(v.voxels.shape[:3] != first.voxels.shape[:3] or not same_affine(v, first) for v in images):
        return None, "the series came out on different grids"
    scaled_alike = len({(v.slope, v.inter) for v in images}) == 1
    dtype = np.result_type(*{v.voxels.dtype for v in images}) if scaled_alike else np.dtype(np.float32)
    voxels = np.empty((*first.voxels.shape[:3], stack.n_volumes), dtype, order="F")
    for _, volume, places in found:
        values = volume.voxels.reshape(*first.voxels.shape[:3], len(places))
        if not scaled_alike:
            values = values.astype(np.float32) * np.float32(volume.slope) + np.float32(volume.inter)
        voxels[..., list(places)] = values
    header = first.header.copy()
    header.set_data_dtype(voxels.dtype)
    header.set_data_shape(voxels.shape)
    header.set_zooms((*header.get_zooms()[:3], (stack.first.RepetitionTime or 0.0) / 1000))
    slope, inter = (first.slope, first.inter) if scaled_alike else (1.0, 0.0)
    bval, bvec = gradients(found, stack.n_volumes)
    return first.but(header=header, voxels=voxels, slope=slope, inter=inter, bval=bval, bvec=bvec), ""


def gradients(found: Sequence[Found], n_volumes: int) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """b-values and directions of the whole, None where the converter left out those of a weighted series."""
    bval, bvec = np.zeros(n_volumes), np.zeros((3, n_volumes))
    for one, volume, places in found:
        if volume.bval is not None and volume.bvec is not None and volume.bvec.shape == (3, len(places)):
            bval[list(places)], bvec[:, list(places)] = volume.bval, volume.bvec
        elif any(one.bvalues):
            return None, None
    return bval, bvec


def same_affine(a: Volume, b: Volume) -> bool:
    """Whether two images of one shape lie at the same place: their corners agree within 0.1 mm."""
    corners = np.array([[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)], float)
    corners[:, :3] *= np.array(a.voxels.shape[:3]) - 1
    return bool(np.abs(corners @ (a.affine - b.affine).T).max() <= SAME_AFFINE_MM)
