"""Masks drawn on an image: on its exact grid, or refused."""

from __future__ import annotations

from dataclasses import dataclass

import nibabel
import numpy as np
from nibabel.filebasedimages import ImageFileError

from .table import MaskRow

TOLERANCE_MM = 1e-3


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

    Raises ``MaskRefused``: A01 another grid, A02 empty, F03 not readable or not binary.
    """
    try:
        nifti = nibabel.load(row.file)
        voxels = np.asanyarray(nifti.dataobj)  # pyright: ignore[reportAttributeAccessIssue]
        affine = nifti.affine  # pyright: ignore[reportAttributeAccessIssue]
    except (OSError, ImageFileError, ValueError, EOFError) as error:
        raise MaskRefused("F03", f"line {row.line}: the mask cannot be read as NIfTI") from error
    if voxels.shape != image.shape[:3]:
        raise MaskRefused("A01", f"line {row.line}: the mask has shape {voxels.shape}, its image {image.shape[:3]}")
    wanted = np.reshape(image.affine, (4, 4))
    corners = np.array(
        [[x, y, z, 1] for x in (0, voxels.shape[0]) for y in (0, voxels.shape[1]) for z in (0, voxels.shape[2])]
    )
    distance = float(np.abs((np.asarray(affine) - wanted) @ corners.T).max())
    if not distance <= TOLERANCE_MM:
        raise MaskRefused("A01", f"line {row.line}: the mask lies up to {distance:.3g} mm beside its image's grid")
    values = np.unique(voxels)
    if not np.isin(values, (0, 1)).all():
        raise MaskRefused("F03", f"line {row.line}: the mask holds other values than 0 and 1")
    if values[-1] == 0:
        raise MaskRefused("A02", f"line {row.line}: the mask is empty")
    return Mask(row, voxels.astype(np.uint8), wanted)
