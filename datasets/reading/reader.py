"""A MONAI image reader that decodes a NIfTI file as one buffer and keeps its memory order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from monai.config.type_definitions import PathLike
from monai.data.image_reader import ImageReader
from monai.data.utils import is_supported_format
from monai.utils.enums import MetaKeys, SpaceKeys
from monai.utils.misc import ensure_tuple

from ..errors import ReadError
from ..files.nifti import Header, read_volume


class NiftiReader(ImageReader):
    """Drop-in for MONAI's ``NibabelReader``: ``LoadImaged(keys, reader=NiftiReader)``.

    The same shapes, values and affine; several files are stacked on a new first axis. Unscaled data keep their
    stored type, scaled data are float32. Works for ``.nii`` and ``.nii.gz``, either byte order.
    """

    def verify_suffix(self, filename: Sequence[PathLike] | PathLike) -> bool:
        """Whether all names end in ``.nii`` or ``.nii.gz``."""
        return is_supported_format(filename, ["nii", "nii.gz"])

    def read(self, data: Sequence[PathLike] | PathLike, **kwargs: Any) -> list[Path]:
        """The files to read; decoding waits until :meth:`get_data`, so that damage is reported as it is."""
        return [Path(path) for path in ensure_tuple(data)]

    def get_data(self, img: Sequence[Path]) -> tuple[np.ndarray, dict[str, Any]]:
        """Voxels ``(X, Y, Z[, N])`` or ``(files, X, Y, Z[, N])``, and MONAI's metadata of the first file.

        Raises :class:`ReadError` naming the file that is damaged, or whose grid is not that of the first.
        """
        first, header = read_volume(img[0])
        meta = metadata(header)
        if len(img) == 1:
            return first, meta
        out = np.empty((*first.shape, len(img)), first.dtype, order="F")
        out[..., 0] = first
        for position, path in enumerate(img[1:], start=1):
            array, other = read_volume(path)
            if other.shape != header.shape or not np.allclose(other.affine, header.affine):
                raise ReadError(f"{path}: its shape or affine differs from that of {img[0]}; they cannot be stacked.")
            if array.dtype != out.dtype:
                out = out.astype(np.result_type(array, out), order="F", copy=False)
            out[..., position] = array
        meta[MetaKeys.ORIGINAL_CHANNEL_DIM] = 0
        return np.moveaxis(out, -1, 0), meta


def metadata(header: Header) -> dict[str, Any]:
    """The metadata that MONAI's transforms and writers read, as its ``NibabelReader`` names it."""
    spatial = np.asarray([*header.shape, 1, 1][: max(len(header.shape[:3]), 1)])
    return {
        MetaKeys.AFFINE: header.affine.copy(),
        MetaKeys.ORIGINAL_AFFINE: header.affine.copy(),
        MetaKeys.SPATIAL_SHAPE: spatial,
        MetaKeys.SPACE: SpaceKeys.RAS,
        MetaKeys.ORIGINAL_CHANNEL_DIM: float("nan") if len(header.shape) <= 3 else -1,
    }
