"""A volume built with pydicom and numpy, where dcm2niix refuses a stack or gets it wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from nibabel.nifti1 import Nifti1Header, Nifti1Image
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation
from numpy.typing import NDArray
from pydicom import Dataset

from ..errors import ConversionError
from ..inventory.csa import csa_values
from ..inventory.instance import Instance
from ..stacks.stack import Stack
from .dcm2niix import is_adc
from .grid import Grid, expected_grids, slice_normal
from .pixels import PixelReader
from .proof import is_philips
from .sidecar import sidecar_of
from .volume import Volume, squeezed

Scale = tuple[float, float]
Slices = NDArray[np.generic]


def build(stack: Stack, reader: PixelReader) -> Volume:
    """The stack as dcm2niix would store it: LPS to RAS, rows from the last to the first, 3D acquisitions turned
    to the nearest RAS axes, one rescale in the header or, where it varies, applied to float32 voxels.

    A shear (tilted gantry) stands in the affine; uneven slices take the median step.
    Raises :class:`ConversionError` where the stack cannot be placed, is incomplete, or its pixels cannot be decoded.
    """
    slices, scales = read_slices(stack, reader)
    grid = mosaic_grid(stack, reader) if stack.first.mosaic_tiles else expected_grids(stack)[0]
    try:
        voxels, (slope, inter) = scaled(slices, scales)
        voxels = squeezed(assemble(voxels, stack, grid))
    except MemoryError as error:
        raise ConversionError(
            "too-large", f"stack {stack.stack_id} does not fit into memory; run with fewer workers"
        ) from error
    affine = grid.affine
    if stack.first.MRAcquisitionType == "3D" and voxels.ndim == 3 and stack.n_slices > 1:
        voxels, affine = towards_ras(voxels, affine)
    return Volume(
        header=make_header(stack, voxels, affine),
        voxels=voxels,
        affine=affine,
        slope=slope,
        inter=inter,
        sidecar=sidecar_of(stack.first),
        bval=None,
        bvec=None,
        converter="pydicom",
    )


def read_slices(stack: Stack, reader: PixelReader) -> tuple[list[Slices], list[Scale]]:
    """The slices of every instance, each (slices, rows, columns), and the rescale of each instance."""
    slices, scales = [], []
    for instance in stack.instances:
        pixels = reader.slices(instance)
        if pixels.dtype == np.uint16 and (instance.BitsStored or 16) < 16:
            pixels = pixels.astype(np.int16)  # as dcm2niix: the widest-read NIfTI type that holds the values
        slices.append(pixels)
        scales.append(scale_of(instance, reader))
    return slices, scales


def scaled(slices: Sequence[Slices], scales: Sequence[Scale]) -> tuple[Sequence[Slices], Scale]:
    """Stored values and their one rescale; float32 physical values and (1, 0) where the rescale varies (PET)."""
    if len(set(scales)) == 1:
        return slices, scales[0]
    physical = [
        pixels.astype(np.float32) * np.float32(a) + np.float32(b) for pixels, (a, b) in zip(slices, scales, strict=True)
    ]
    return physical, (1.0, 0.0)


def assemble(slices: Sequence[Slices], stack: Stack, grid: Grid) -> NDArray[np.generic]:
    """The slices as (columns, rows, slices, volumes) in Fortran order; ``incomplete`` if some are missing."""
    of_volume: dict[int, list[Slices]] = {}
    for pixels, volume in zip(slices, stack.volume, strict=True):
        of_volume.setdefault(volume, []).extend(pixels)
    if len(of_volume) != stack.n_volumes or any(len(found) != stack.n_slices for found in of_volume.values()):
        raise ConversionError(
            "incomplete",
            f"stack {stack.stack_id}: {sorted(map(len, of_volume.values()))} slices in {len(of_volume)} volumes, "
            f"where {stack.n_volumes} volumes of {stack.n_slices} are expected; ask the site for the missing images",
        )
    dtype = np.result_type(*{pixels.dtype for pixels in slices})
    voxels = np.empty((*grid.shape, stack.n_volumes), dtype, order="F")
    for n, volume in enumerate(sorted(of_volume)):
        for k, pixels in enumerate(of_volume[volume]):
            if pixels.shape != grid.shape[1::-1]:
                raise ConversionError(
                    "incomplete", f"stack {stack.stack_id}: slices of different matrix sizes in one volume"
                )
            voxels[:, :, k, n] = pixels[::-1].T
    return voxels


def mosaic_grid(stack: Stack, reader: PixelReader) -> Grid:
    """The grid of a mosaic; Siemens' CSA header says to which side of the first tile the others lie."""
    forward, backward = expected_grids(stack)
    try:
        csa = reader.dataset(stack.first).private_block(0x0029, "SIEMENS CSA HEADER")[0x10].value
    except (KeyError, AttributeError):
        csa = b""
    normal = csa_values(csa, "SliceNormalVector")
    if len(normal) != 3:
        raise ConversionError(
            "no-geometry", f"stack {stack.stack_id}: the mosaic holds no slice normal, so its slice order is not known"
        )
    return forward if float(np.dot(normal, slice_normal(stack.first))) > 0 else backward


def scale_of(instance: Instance, reader: PixelReader) -> Scale:
    """Slope and intercept from stored to physical values.

    For Philips the precise value (stored x RS + RI) / (RS x SS), as dcm2niix gives by default (Chenevert et al. 2014,
    doi:10.1593/tlo.13811), but the plain rescale for ADC maps, see :func:`.dcm2niix.is_adc`.
    """
    slope, intercept = instance.RescaleSlope or 1.0, instance.RescaleIntercept or 0.0
    if is_philips(instance) and not is_adc(instance):
        precise = philips_scale_slope(reader.dataset(instance), instance.frame)
        if precise:
            return 1.0 / precise, intercept / (slope * precise)
    return slope, intercept


def philips_scale_slope(dataset: Dataset, frame: int) -> float | None:
    """Philips' private scale slope (2005,xx0E), of the frame where the object has several."""
    if frame:
        groups = dataset.get("PerFrameFunctionalGroupsSequence") or []
        private = groups[frame - 1].get((0x2005, 0x140F)) if frame <= len(groups) else None
        if private is None or not private.value:
            return None
        dataset = private.value[0]
    element = dataset.get((0x2005, 0x100E))
    try:
        return float(element.value) if element is not None else None
    except (TypeError, ValueError):
        return None


def towards_ras(
    voxels: NDArray[np.generic], affine: NDArray[np.float64]
) -> tuple[NDArray[np.generic], NDArray[np.float64]]:
    """Axes swapped and reversed so that they run nearest to right, anterior, superior; nothing is resampled."""
    orientation = io_orientation(affine)
    turned = np.asfortranarray(apply_orientation(voxels, orientation))
    return turned, affine @ inv_ornt_aff(orientation, voxels.shape)


def make_header(stack: Stack, voxels: NDArray[np.generic], affine: NDArray[np.float64]) -> Nifti1Header:
    """A NIfTI header with scanner coordinates in mm and, for several volumes, the repetition time in s."""
    header = Nifti1Image(np.empty((1, 1, 1), np.int16), np.eye(4)).header
    header.set_data_dtype(voxels.dtype)
    header.set_data_shape(voxels.shape)
    header.set_sform(affine, code="scanner")
    header.set_qform(affine, code="scanner", strip_shears=True)
    if voxels.ndim == 4:
        header.set_zooms((*header.get_zooms()[:3], (stack.first.RepetitionTime or 0.0) / 1000))
    header.set_xyzt_units("mm", "sec")
    return header
