"""Masks drawn on an image: on its exact grid, or refused."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.nifti1 import Nifti1Image, Nifti1Pair
from nibabel.nifti2 import Nifti2Image, Nifti2Pair
from nibabel.spatialimages import HeaderDataError, HeaderTypeError
from nibabel.wrapstruct import WrapStructError

from .table import MaskRow

TOLERANCE_MM = 1e-3
KINDS = (Nifti1Image, Nifti1Pair, Nifti2Image, Nifti2Pair)
REAL = "biuf"
"""Kinds of voxel types that can say inside and outside: colours, complex numbers and records cannot."""

UNREADABLE = (
    OSError, EOFError, ValueError, OverflowError, MemoryError, zlib.error,
    ImageFileError, HeaderDataError, HeaderTypeError, WrapStructError,
)  # fmt: skip
"""What a broken file makes nibabel raise."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The grid of an exported image: shape of its first three axes and the 4×4 affine (RAS+, mm)."""

    shape: tuple[int, ...]
    affine: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Mask:
    """A mask that lies on its image's grid: ``voxels`` uint8 ``[X, Y, Z]``, 1 inside."""

    row: MaskRow
    voxels: np.ndarray
    affine: np.ndarray


class MaskRefused(Exception):
    """A mask that cannot be put on its image; ``check`` is the code of ``qc.md``."""

    def __init__(self, check: str, message: str) -> None:
        super().__init__(message)
        self.check = check


def fit(row: MaskRow, image: Grid) -> Mask:
    """Read a mask and see that it lies on the image's grid.

    Shape, type and affine are seen in the header, before a voxel is read. Raises ``MaskRefused``: A01 another grid, A02
    empty, F03 not readable or not binary.
    """
    nifti = _opened(row)
    _on_grid(row, nifti, image)
    voxels = _voxels(row, nifti)
    values = np.unique(voxels)
    if not np.isin(values, (0, 1)).all():
        raise MaskRefused("F03", f"line {row.line}: the mask holds other values than 0 and 1")
    if values[-1] == 0:
        raise MaskRefused("A02", f"line {row.line}: the mask is empty")
    return Mask(row, voxels.astype(np.uint8), np.reshape(image.affine, (4, 4)))


def _opened(row: MaskRow) -> Nifti1Pair:
    """The mask with its header read."""
    try:
        kind = next((k for k in KINDS if k.path_maybe_image(row.file)[0]), None)
        if kind is None:
            raise ImageFileError("neither NIfTI-1 nor NIfTI-2")
        nifti = kind.from_filename(row.file)
        voxel_type = np.dtype(nifti.get_data_dtype())
    except UNREADABLE as error:
        what = "cannot be read as NIfTI" if row.file.exists() else "is not there"
        raise MaskRefused("F03", f"line {row.line}: the mask {what}") from error
    if voxel_type.kind not in REAL:
        raise MaskRefused("F03", f"line {row.line}: the mask's voxels are of type {voxel_type}; save it as uint8")
    return nifti


def _on_grid(row: MaskRow, nifti: Nifti1Pair, image: Grid) -> None:
    shape = nifti.shape
    if shape != image.shape[:3]:
        raise MaskRefused("A01", f"line {row.line}: the mask has shape {shape}, its image {image.shape[:3]}")
    corners = np.array([[x, y, z, 1] for x in (0, shape[0]) for y in (0, shape[1]) for z in (0, shape[2])])
    distance = float(np.abs((np.asarray(nifti.affine) - np.reshape(image.affine, (4, 4))) @ corners.T).max())
    if not distance <= TOLERANCE_MM:
        raise MaskRefused("A01", f"line {row.line}: the mask lies up to {distance:.3g} mm beside its image's grid")


def _voxels(row: MaskRow, nifti: Nifti1Pair) -> np.ndarray:
    try:
        return np.asanyarray(nifti.dataobj)
    except UNREADABLE as error:
        raise MaskRefused("F03", f"line {row.line}: the mask's voxels cannot be read") from error
