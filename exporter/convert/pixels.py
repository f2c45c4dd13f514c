"""Stored pixel values of a stack's instances, read with pydicom."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.uid import UID, ImplicitVRLittleEndian

from ..errors import ConversionError
from ..inventory.instance import Instance
from .decoders import decoded
from .grid import tile_shape

# What pydicom and the decoders behind it raise on files that break the standard.
DECODING_ERRORS = (
    OSError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, struct.error,
    MemoryError,
)  # fmt: skip


# What describes the pixels; skipping the rest makes reading a file three times as fast.
PIXEL_TAGS = [
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData", "FloatPixelData",
    "DoubleFloatPixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
]  # fmt: skip


class PixelReader:
    """Reads slices of the instances whose files lie at ``paths``, by (path, member); keeps the last file in memory."""

    def __init__(self, paths: Mapping[tuple[str, str], Path]) -> None:
        self._paths = paths
        self._last: dict[bool, tuple[Path, Dataset]] = {}

    def dataset(self, instance: Instance, whole: bool = True) -> Dataset:
        """The data set that holds the instance, or its pixels alone. Raises :class:`ConversionError`."""
        path = self._paths[instance.path, instance.member]
        if whole not in self._last or self._last[whole][0] != path:
            try:
                dataset = dcmread(
                    path, force=True, specific_tags=None if whole else PIXEL_TAGS, defer_size="1 KB" if whole else None
                )
                if "TransferSyntaxUID" not in dataset.file_meta:
                    dataset.file_meta.TransferSyntaxUID = UID(instance.transfer_syntax or ImplicitVRLittleEndian)
            except DECODING_ERRORS as error:
                raise ConversionError(
                    "unreadable",
                    f"a file of the series cannot be read ({type(error).__name__}); check that it is still there",
                ) from error
            self._last[whole] = path, dataset
        return self._last[whole][1]

    def slices(self, instance: Instance) -> NDArray[np.generic]:
        """Stored values, (slices, rows, columns): one slice, or the tiles of a mosaic; RGB as records of three bytes.

        Raises :class:`ConversionError` (``undecodable``) where the pixels are truncated or no decoder reads them.
        """
        dataset = self.dataset(instance, whole=False)
        try:
            pixels = decoded(dataset, instance.frame - 1 if instance.frame else None)
        except DECODING_ERRORS as error:
            raise ConversionError(
                "undecodable",
                f"the pixels of instance number {instance.InstanceNumber} cannot be decoded ({type(error).__name__}); "
                "ask the site for an uncompressed copy of the series",
            ) from error
        if pixels.ndim == (4 if (dataset.get("SamplesPerPixel") or 1) > 1 else 3) and pixels.shape[0] == 1:
            pixels = pixels[0]
        if pixels.ndim == 3 and pixels.shape[2] == 3:
            pixels = as_rgb(pixels)
        if pixels.shape != (instance.Rows, instance.Columns):
            raise ConversionError(
                "undecodable",
                f"instance number {instance.InstanceNumber} holds pixels of shape {pixels.shape}, "
                f"its header promises {(instance.Rows, instance.Columns)}",
            )
        return mosaic_tiles(pixels, instance) if instance.mosaic_tiles else pixels[np.newaxis]


def as_rgb(pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    """(rows, columns, 3) bytes as (rows, columns) records, NIfTI's RGB24."""
    if pixels.dtype != np.uint8:
        raise ConversionError(
            "undecodable", f"a colour image of {pixels.dtype} has no NIfTI type; only 8 bits a colour do"
        )
    return np.ascontiguousarray(pixels).view(np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]))[..., 0]


def mosaic_tiles(pixels: NDArray[np.generic], instance: Instance) -> NDArray[np.generic]:
    """The tiles of a mosaic as (slices, rows, columns)."""
    rows, columns = tile_shape(instance)
    across = pixels.shape[1] // columns
    return np.stack(
        [
            pixels[(n // across) * rows : (n // across + 1) * rows, (n % across) * columns : (n % across + 1) * columns]
            for n in range(instance.mosaic_tiles)
        ]
    )
