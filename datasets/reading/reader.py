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
from ..files.nifti import Header
from .cache import Cache
from .volumes import read_channels


class NiftiReader(ImageReader):
    """Drop-in for MONAI's ``NibabelReader``: ``LoadImaged(keys, reader=NiftiReader)``.

    The same shapes, values and affine; several files are stacked on a new first axis. Unscaled data keep their
    stored type, scaled data are float32. Works for ``.nii`` and ``.nii.gz``, either byte order. With a ``cache``,
    volumes are mapped from it the second time.
    """

    def __init__(self, cache: Cache | None = None) -> None:
        super().__init__()
        self.cache = cache

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
        parts = [read_channels([path], cache=self.cache) for path in img]
        header = parts[0][1]
        meta = metadata(header)
        if len(img) == 1:
            return _as_stored(*parts[0]), meta
        for path, (_, other) in zip(img, parts, strict=True):
            if other.shape != header.shape or not np.allclose(other.affine, header.affine):
                raise ReadError(f"{path}: its shape or affine differs from that of {img[0]}; they cannot be stacked.")
        meta[MetaKeys.ORIGINAL_CHANNEL_DIM] = 0
        out = np.empty((*header.shape, len(img)), np.result_type(*(array for array, _ in parts)), order="F")
        for position, part in enumerate(parts):
            out[..., position] = _as_stored(*part)
        return np.moveaxis(out, -1, 0), meta


def _as_stored(array: np.ndarray, header: Header) -> np.ndarray:
    """Channels as the last axes, as the file has them; a view."""
    return np.moveaxis(array, 0, -1).reshape(header.shape, order="F")


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
