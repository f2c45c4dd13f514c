"""One key of a sample on the voxel grid of another, where the cohort was made with ``grid=Resample(…)``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..files.nifti import Header
from ..files.places import fetch
from .channels import Channel, grids_apart, header_of, naming
from .files import Sample, listed, nifti_bytes, place, read_key, why_anew, write_whole

if TYPE_CHECKING:
    from ..cohorts.policies import Resample


def off_grid(sample: Sample, key: str, grid: Resample | None) -> bool:
    """Whether a key must be resampled: it is there, has voxels, and they lie on another grid than the reference's."""
    if grid is None or key == grid.to or f"{key}.table" in sample or not listed(sample, key):
        return False
    return grids_apart(_reference(sample, grid), header_of(sample, listed(sample, key)[0]))


def why_moved(grid: Resample) -> str:
    """In the words of :class:`~.notes.Noted`."""
    return f"resampled to the grid of {grid.to}"


def tensor_on_grid(sample: Sample, key: str, grid: Resample, *, label: bool) -> Any:
    """What a cohort's dataset gives for one key: a ``MetaTensor [C, X, Y, Z]`` on the reference grid.

    Raises :class:`ReadError` naming participant, session and file.
    """
    from ..reading.loading import LoadSequencesd
    from ..reading.resampling import ResampleToGridd

    pair = (grid.to, key)
    loaded = LoadSequencesd(pair, resample=False)({**sample})
    return ResampleToGridd(grid, (grid.to,) if label else pair, (key,) if label else ())(loaded)[key]


def array_on_grid(sample: Sample, key: str, grid: Resample, *, label: bool) -> tuple[np.ndarray, Header]:
    """The same as ``[X, Y, Z]`` or ``[X, Y, Z, C]`` in the order of a file, and the header of the reference."""
    array = np.moveaxis(tensor_on_grid(sample, key, grid, label=label).as_tensor().numpy(), 0, -1)
    return np.asfortranarray(array[..., 0] if array.shape[-1] == 1 else array), _reference(sample, grid)


def nifti_on_grid(sample: Sample, key: str, grid: Resample, *, label: bool) -> bytes:
    """The same as a ``.nii.gz`` with the geometry of the reference."""
    array, header = array_on_grid(sample, key, grid, label=label)
    return nifti_bytes(array, header, fetch(listed(sample, grid.to)[0]))


def place_volume(channel: Channel, target: Path, grid: Resample | None, *, copy: bool) -> str:
    """Put one volume at ``target``, as a file with three axes; returns why it is not the tree's own, "" where it is."""
    sample, key = channel.sample, channel.key
    if grid is not None and off_grid(sample, key, grid):
        write_whole(target, nifti_on_grid(sample, key, grid, label=False))
        return why_moved(grid)
    files = [fetch(path) for path in listed(sample, key)]
    reason = why_anew(sample, key, files)
    if not reason and len(channel.header.shape) <= 3:
        return place(sample, key, target, copy=copy).anew
    with naming(sample, key):
        array, header = read_key(sample, key, files)
    write_whole(target, nifti_bytes(array.reshape(array.shape[:3], order="F"), header, files[0]))
    return reason or "a fourth axis of length one"


def is_own_file(channel: Channel, grid: Resample | None) -> bool:
    """Whether the tree's own file is that volume as the cohort serves it."""
    files = [fetch(path) for path in listed(channel.sample, channel.key)]
    whole = len(channel.header.shape) <= 3 and not why_anew(channel.sample, channel.key, files)
    return whole and not off_grid(channel.sample, channel.key, grid)


def _reference(sample: Sample, grid: Resample) -> Header:
    return header_of(sample, listed(sample, grid.to)[0])
