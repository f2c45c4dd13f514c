"""Masks and label maps saved as volumes: NIfTI by nibabel, NRRD and MetaImage by :mod:`.headed`."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.nifti1 import Nifti1Image, Nifti1Pair
from nibabel.nifti2 import Nifti2Image, Nifti2Pair
from nibabel.spatialimages import HeaderDataError, HeaderTypeError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from .grid import LPS_TO_RAS, Grid, MaskRefused, order_on
from .headed import is_headed, read_headed

NIFTI = (Nifti1Image, Nifti1Pair, Nifti2Image, Nifti2Pair)
REAL = "biuf"
"""Kinds of voxel types that can say inside and outside: colours, complex numbers and records cannot."""

LARGEST = 2**30
"""Voxels of the largest volume that is read without an image to compare its size with: 1024 in each direction."""

PARTS = 64
"""Label values are looked for in so many slabs, to hold one slab's sorted copy at a time."""

UNREADABLE = (
    OSError, EOFError, ValueError, OverflowError, MemoryError, zlib.error,
    ImageFileError, HeaderDataError, HeaderTypeError, WrapStructError,
)  # fmt: skip
"""What a broken file makes nibabel and the readers of headers raise."""


@dataclass(frozen=True, slots=True)
class VolumeShape:
    """The voxels of a file: of a binary mask, or those that have the label ``value``."""

    file: Path
    value: int | None = None

    def on(self, grid: Grid) -> NDArray[np.uint8]:
        """The mask on the grid, uint8 ``[X, Y, Z]``; size, type and place are seen before a voxel is read.

        Axes that are permuted or flipped against the grid are re-ordered. Raises ``MaskRefused``: A01 another grid, A02
        nothing inside, F03 not readable, or not binary where no ``value`` says which label is meant.
        """
        volume = _opened(self.file)
        order = order_on(grid, volume.shape, volume.affine)
        voxels = order.apply(volume.voxels())
        inside = _binary(voxels) if self.value is None else (voxels == self.value)
        if not inside.any():
            raise MaskRefused("A02", "the mask is empty" if self.value is None else f"no voxel has label {self.value}")
        return np.ascontiguousarray(inside, dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class _Volume:
    """A file whose header was read: shape, affine (RAS+ mm) and what reads its voxels."""

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    read: Callable[[], NDArray[np.generic]]

    def voxels(self) -> NDArray[np.generic]:
        try:
            return self.read().reshape(self.shape, order="A")
        except UNREADABLE as error:
            raise MaskRefused("F03", "the mask's voxels cannot be read") from error


def labels_in(file: Path) -> tuple[int, ...]:
    """The labels of a label map, ascending, without the background 0.

    Raises ``MaskRefused`` F03 where the file cannot be read, holds other than whole numbers, or claims more than
    1024×1024×1024 voxels.
    """
    voxels = voxels_in(file)
    found = {float(value) for part in np.array_split(voxels.reshape(-1, order="A"), PARTS) for value in np.unique(part)}
    if not all(value.is_integer() for value in found):
        raise MaskRefused("F03", "the voxels are no whole numbers, so they are no labels")
    return tuple(sorted(int(value) for value in found if value))


def voxels_in(file: Path) -> NDArray[np.generic]:
    """The voxels ``[X, Y, Z]`` in the file's own order.

    Raises ``MaskRefused`` F03 where the file cannot be read or claims more than 1024×1024×1024 voxels.
    """
    volume = _opened(file)
    if np.prod([float(size) for size in volume.shape]) > LARGEST:
        raise MaskRefused("F03", "the file claims more voxels than any image has")
    return volume.voxels()


def _binary(voxels: NDArray[np.generic]) -> NDArray[np.bool_]:
    inside = voxels == 1
    if not (inside | (voxels == 0)).all():
        raise MaskRefused(
            "F03", "the mask holds other values than 0 and 1; if it is a label map, say which value is meant"
        )
    return inside


def _opened(file: Path) -> _Volume:
    try:
        return _headed(file) if is_headed(file) else _nifti(file)
    except UNREADABLE as error:
        what = "cannot be read as NIfTI, NRRD or MetaImage" if _exists(file) else "is not there"
        raise MaskRefused("F03", f"the mask {what}") from error


def _exists(file: Path) -> bool:
    try:
        return file.exists()
    except (OSError, ValueError):  # ValueError: no path can be so, such as one with a null character
        return False


def _nifti(file: Path) -> _Volume:
    if not file.is_file():  # a pipe would wait for ever
        raise OSError("no file")
    kind = next((k for k in NIFTI if k.path_maybe_image(file)[0]), None)
    if kind is None:
        raise ImageFileError("neither NIfTI-1 nor NIfTI-2")
    nifti = kind.from_filename(file)
    voxel_type = np.dtype(nifti.get_data_dtype())
    if voxel_type.kind not in REAL:
        raise MaskRefused("F03", f"the mask's voxels are of type {voxel_type}; save it as uint8")
    affine = np.asarray(nifti.affine, dtype=float)
    return _Volume(_three(nifti.shape), affine, lambda: np.asanyarray(nifti.dataobj))


def _three(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """The shape in three axes: one slice has one voxel along z, and one volume of a series stands for itself."""
    while len(shape) < 3:
        shape = (*shape, 1)
    if any(size != 1 for size in shape[3:]):
        raise MaskRefused("A01", f"the mask has {len(shape)} axes; save each volume as one file")
    return shape[0], shape[1], shape[2]


def _headed(file: Path) -> _Volume:
    stored = read_headed(file)
    return _Volume(_three(stored.shape), LPS_TO_RAS @ stored.affine, stored.read)
