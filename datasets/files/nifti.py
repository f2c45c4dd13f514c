"""NIfTI headers and voxels, read as they lie on disk.

A compressed file is decoded as one buffer (isal) and given its shape in Fortran order, which is the order of the
file: nothing is transposed. Header fields and affine are those of nibabel.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from isal import igzip, isal_zlib
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.spatialimages import HeaderDataError

from ..errors import ReadError

_HEADERS: dict[int, type[Nifti1Header]] = {348: Nifti1Header, 540: Nifti2Header}
_PIECE = 1 << 16
_HEAD = 4096
_ISAL: Any = isal_zlib.error  # the stubs of isal call this class an instance
DAMAGE: tuple[type[Exception], ...] = (OSError, EOFError, _ISAL, zlib.error, ValueError, HeaderDataError, struct.error)
"""What reading a damaged image raises."""


@dataclass(frozen=True, slots=True)
class Header:
    """What is needed to read the voxels. ``affine`` is 4×4 float64 (RAS+, mm), ``dtype`` has the file's byte order."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    slope: float
    inter: float
    affine: np.ndarray
    zooms: tuple[float, ...]

    @property
    def scaled(self) -> bool:
        """Whether stored values differ from physical ones."""
        return (self.slope, self.inter) != (1.0, 0.0)

    @property
    def voxels(self) -> int:
        """Number of values in one 3D volume."""
        return int(np.prod(self.shape[:3], dtype=np.int64))


def read_header(path: str | Path) -> Header:
    """Read only the header of a ``.nii`` or ``.nii.gz`` file. Raises :class:`ReadError`."""
    try:
        with Path(path).open("rb") as file:
            return header_of(file.read(_HEAD))
    except DAMAGE as error:
        raise ReadError(f"{path}: the NIfTI header cannot be read ({error}).") from error


def header_of(start: bytes) -> Header:
    """The header in the first bytes of a file, compressed or not; 4 KiB are enough.

    Raises ``ValueError``, or what the decoder raises, where they are not the start of an image.
    """
    if start[:2] == b"\x1f\x8b":
        start = isal_zlib.decompressobj(wbits=31).decompress(start, 540)
    return parse_header(start[:540])


def parse_header(head: bytes) -> Header:
    """Interpret the first 348 (NIfTI-1) or 540 (NIfTI-2) bytes. Raises ``ValueError`` where they are not a header."""
    if len(head) < 348:
        raise ValueError(f"{len(head)} bytes are too few for a NIfTI header")
    for order in "<>":
        (size,) = struct.unpack_from(f"{order}i", head)
        if size in _HEADERS and len(head) >= size:
            header = _HEADERS[size](head[:size], endianness=order, check=False)
            break
    else:
        raise ValueError("no NIfTI header at the start of the file")
    slope, inter = header.get_slope_inter()
    return Header(
        shape=tuple(int(n) for n in header.get_data_shape()),
        dtype=header.get_data_dtype(),
        offset=int(header.get_data_offset()) or size + 4,
        slope=1.0 if slope is None else float(slope),
        inter=0.0 if inter is None else float(inter),
        affine=np.asarray(header.get_best_affine(), dtype=np.float64),
        zooms=tuple(float(z) for z in header.get_zooms()),
    )


def read_volume(
    path: str | Path, *, factor: float = 1.0, volumes: Sequence[int] | None = None
) -> tuple[np.ndarray, Header]:
    """Read physical values: ``(stored × slope + intercept) × factor``.

    Returns the array in Fortran order, ``(X, Y, Z)`` or ``(X, Y, Z, N)``, and the header. The stored integer or float
    type is kept (native byte order) where nothing is to be applied; everything else is computed in float64 and
    rounded once to float32, as nibabel's values cast to float32. ``volumes`` takes those of a 4D file, in that order.
    Raises :class:`ReadError` naming the file.
    """
    try:
        data = inflated(Path(path).read_bytes())
        header = parse_header(data[:540])
        return voxels_of(data, header, factor, volumes), header
    except DAMAGE as error:
        raise unreadable(path, error) from error


def unreadable(path: str | Path, error: Exception) -> ReadError:
    """What to raise for a file that is damaged or not there: one of :data:`DAMAGE` happened."""
    return ReadError(f"{path}: the image cannot be read ({error}); restore the file or export it again.")


def inflated(data: bytes) -> bytes:
    """The bytes of a ``.nii`` from those of a ``.nii`` or ``.nii.gz``, checksums compared. Raises :data:`DAMAGE`."""
    return igzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def voxels_of(data: bytes, header: Header, factor: float = 1.0, volumes: Sequence[int] | None = None) -> np.ndarray:
    """The array of :func:`read_volume` from the bytes of a ``.nii``. Raises :data:`DAMAGE`."""
    count = int(np.prod(header.shape, dtype=np.int64))
    if len(data) - header.offset < count * header.dtype.itemsize:
        raise ValueError(f"{len(data)} bytes are fewer than the header promises")
    stored = np.frombuffer(data, header.dtype, count=count, offset=header.offset)
    shape = header.shape
    if volumes is not None and list(volumes) != list(range(int(np.prod(shape[3:])))):
        stack = stored.reshape(-1, header.voxels)
        if max(volumes, default=0) >= len(stack):
            raise ValueError(f"the file holds {len(stack)} volumes, number {max(volumes)} was asked for")
        stored = stack[list(volumes)].reshape(-1)
        shape = (*shape[:3], len(volumes))
    if not header.scaled and factor == 1.0:
        return stored.astype(header.dtype.newbyteorder("="), copy=True).reshape(shape, order="F")
    if header.dtype.kind not in "iuf":
        raise ValueError(f"voxels of type {header.dtype} cannot be scaled")
    return _physical(stored, header.slope, header.inter, factor).reshape(shape, order="F")


def _physical(stored: np.ndarray, slope: float, inter: float, factor: float) -> np.ndarray:
    """Apply the scale in pieces that stay in the processor's cache."""
    out = np.empty(stored.size, np.float32)
    for start in range(0, stored.size, _PIECE):
        piece = stored[start : start + _PIECE].astype(np.float64)
        if slope != 1.0:
            piece *= slope
        if inter != 0.0:
            piece += inter
        if factor != 1.0:
            piece *= factor
        out[start : start + _PIECE] = piece
    return out
