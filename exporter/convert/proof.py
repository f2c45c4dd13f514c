"""Do the voxels that came out belong where the stack says? Slices are compared with pydicom's pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import UID

from ..errors import ConversionError
from ..inventory.instance import Instance
from ..stacks.stack import Stack
from .grid import Grid, place
from .pixels import PixelReader
from .volume import Volume

# Two decoders of a lossy transfer syntax may differ on average by this share of the range.
LOSSY = 0.01


def volume_order(
    volume: Volume, grids: Sequence[Grid], stack: Stack, reader: PixelReader
) -> tuple[tuple[int, ...], str]:
    """For each volume of the stack its place in ``volume``; or () and the reason why ``volume`` is not the stack.

    Shape and affine are checked against the headers, then slices against the DICOM's pixels: the first and a
    middle slice of the first volume, a middle slice of the middle and last volume (of every volume for diffusion,
    where converters sort). Only where these are not in their places are all volumes looked for.
    """
    if volume.n_volumes != stack.n_volumes:
        return (), f"{volume.n_volumes} volumes where the stack has {stack.n_volumes}"
    reason = "matrix, spacing, position or orientation differ from the headers"
    for grid in grids:
        placement = place(grid, volume.voxels.shape, volume.affine)
        if placement is not None:
            voxels = placement.undo(volume.voxels).reshape(*grid.shape, stack.n_volumes)
            order = Comparison(voxels, volume, stack, reader).order()
            if order:
                return order, ""
            reason = "voxels differ from the DICOM's pixels"
    return (), reason


class Comparison:
    """An image, turned onto the stack's grid, beside the instances it should hold."""

    def __init__(self, voxels: NDArray[np.generic], volume: Volume, stack: Stack, reader: PixelReader) -> None:
        self._voxels, self._slope, self._inter = voxels, volume.slope, volume.inter
        self._reader, self._n_volumes, self._middle = reader, stack.n_volumes, stack.n_slices // 2
        self._all = bool(stack.bvalues)
        self._instances: dict[int, list[Instance]] = {}
        for instance, n in zip(stack.instances, stack.volume, strict=True):
            self._instances.setdefault(n, []).append(instance)

    def order(self) -> tuple[int, ...]:
        """Where each volume of the stack is in the image, () where one is found nowhere or two in one place."""
        last = self._n_volumes - 1
        sample = range(self._n_volumes) if self._all else sorted({0, last // 2, last})
        identity = tuple(range(self._n_volumes))
        order = identity if all(self._same(n, n, self._middle) for n in sample) else self._assign()
        return order if order and self._same(0, order[0], 0) else ()

    def _assign(self) -> tuple[int, ...]:
        free, order = list(range(self._n_volumes)), []
        for n in range(self._n_volumes):
            at = next((candidate for candidate in free if self._same(n, candidate, self._middle)), None)
            if at is None:
                return ()
            free.remove(at)
            order.append(at)
        return tuple(order)

    def _same(self, n: int, at: int, k: int) -> bool:
        """Whether slice ``k`` of the stack's volume ``n`` is slice ``k`` of the image's volume ``at``."""
        of_volume = self._instances[n]
        instance = of_volume[0] if of_volume[0].mosaic_tiles else of_volume[k]
        try:
            slices = self._reader.slices(instance)
        except ConversionError:
            # A codec that only dcm2niix has leaves nothing to compare with; plain pixels must be readable.
            return UID(instance.transfer_syntax).is_private or UID(instance.transfer_syntax).is_compressed
        pixels = slices[k if instance.mosaic_tiles else 0][::-1].T
        return same_values(self._voxels[:, :, k, at], pixels, self._slope, self._inter, instance)


def same_values(
    stored: NDArray[np.generic], pixels: NDArray[np.generic], slope: float, inter: float, instance: Instance
) -> bool:
    """Whether a slice of the image holds the pixels of an instance, as stored or after each one's rescale.

    Philips' precise scaling has values of its own, which are still a straight line over the pixels.
    """
    stored, pixels = colours_apart(stored), colours_apart(pixels)
    if stored.shape != pixels.shape:
        return False
    if np.array_equal(stored, pixels, equal_nan=True):
        return True
    image, dicom = stored.astype(float), pixels.astype(float)
    if float(np.mean(np.abs(image - dicom))) <= (LOSSY * _span(dicom) if is_lossy(instance) else 0.0):
        return True
    physical = dicom * (instance.RescaleSlope or 1.0) + (instance.RescaleIntercept or 0.0)
    if np.allclose(image * slope + inter, physical, rtol=1e-4, atol=1e-4 * _span(physical), equal_nan=True):
        return True
    return is_philips(instance) and stored.dtype.kind == "f" and correlation(image, dicom) > 0.9999


def _span(values: NDArray[np.float64]) -> float:
    """From the least to the largest number, 1 where all are equal or none is one."""
    finite = values[np.isfinite(values)]
    return (float(np.ptp(finite)) if finite.size else 0.0) or 1.0


def colours_apart(slice_: NDArray[np.generic]) -> NDArray[np.generic]:
    """A colour slice with its colours in a last axis, any other slice as it is."""
    return np.ascontiguousarray(slice_)[..., np.newaxis].view(np.uint8) if slice_.dtype.names else slice_


def is_lossy(instance: Instance) -> bool:
    """Whether the transfer syntax may lose detail, so that decoders may differ (PS3.5 annex A)."""
    name = UID(instance.transfer_syntax).name
    return UID(instance.transfer_syntax).is_encapsulated and "RLE" not in name and "Lossless" not in name


def is_philips(instance: Instance) -> bool:
    """Whether the vendor is Philips."""
    return instance.Manufacturer.lower().startswith("philips")


def correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Pearson's r of two arrays, 0 where one is constant."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])
