"""NIfTI headers and voxels, read as they lie on disk.

A compressed file is decoded as one buffer (isal) and given its shape in Fortran order, which is the order of the
file: nothing is transposed. Header fields and affine are those of nibabel. What a file holds beyond its header's
promise is never inflated.
"""

from __future__ import annotations

import math
import struct
import sys
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from isal import igzip_lib, isal_zlib
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.spatialimages import HeaderDataError

from ..errors import ReadError
from .regular import read_regular

_HEADERS: dict[int, type[Nifti1Header]] = {348: Nifti1Header, 540: Nifti2Header}
_LONGEST = max(_HEADERS)
_PIECE = 1 << 16
_HEAD = 4096
_GZIP = b"\x1f\x8b"
_SLACK = 1 << 20
"""Bytes that may follow the voxels: padding."""
_ISAL: Any = isal_zlib.error  # the stubs of isal call this class an instance
DAMAGE: tuple[type[Exception], ...] = (
    *(OSError, EOFError, _ISAL, zlib.error, ValueError, HeaderDataError, struct.error),
    *(MemoryError, OverflowError),
)
"""What reading a damaged image raises."""

TYPES: Mapping[int, str] = MappingProxyType(
    {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
)
"""The datatype codes of NIfTI whose voxels are one number each, as NumPy writes them."""
_OTHERS = {
    1: "binary", 32: "complex64", 128: "RGB", 1536: "float128", 1792: "complex128", 2048: "complex256", 2304: "RGBA",
}  # fmt: skip
_NAMES = frozenset(np.dtype(code).name for code in TYPES.values())


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


class Layout(NamedTuple):
    """Where the voxels of a file lie: byte order, length of the header, shape, type and offset (bytes)."""

    order: str
    size: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int

    @property
    def end(self) -> int:
        """The length of the file that the header promises."""
        return self.offset + math.prod(self.shape) * self.dtype.itemsize


def read_header(path: str | Path) -> Header:
    """Read only the header of a ``.nii`` or ``.nii.gz`` file. Raises :class:`ReadError`."""
    try:
        return header_of(read_regular(path, _HEAD))
    except DAMAGE as error:
        raise ReadError(f"{path}: the NIfTI header cannot be read ({_words(error)}).") from error


def header_of(start: bytes) -> Header:
    """The header in the first bytes of a file, compressed or not; 4 KiB are enough.

    Raises ``ValueError``, or what the decoder raises, where they are not the start of an image.
    """
    return parse_header(_head(start))


def parse_header(head: bytes) -> Header:
    """Interpret the first 348 (NIfTI-1) or 540 (NIfTI-2) bytes.

    Raises ``ValueError`` where they are not a header, or one of an image that cannot be: without voxels, with voxels of
    several numbers (RGB, complex), with its voxels inside its header, or with an affine that gives no place in space.
    """
    layout = layout_of(head)
    header = _HEADERS[layout.size](head[: layout.size], endianness=layout.order, check=False)
    slope, inter = header.get_slope_inter()
    affine = np.asarray(header.get_best_affine(), dtype=np.float64)
    if not _spans_space(affine.ravel().tolist()):
        raise ValueError("its affine is singular or not finite, so that its voxels have no place in space")
    return Header(
        shape=layout.shape,
        dtype=layout.dtype,
        offset=layout.offset,
        slope=1.0 if slope is None else float(slope),
        inter=0.0 if inter is None else float(inter),
        affine=affine,
        zooms=tuple(float(z) for z in header.get_zooms()),
    )


def layout_of(head: bytes) -> Layout:
    """Where the voxels lie, of the first bytes of a ``.nii``. Raises ``ValueError`` as :func:`parse_header`."""
    if len(head) < 348:
        raise ValueError(f"{len(head)} bytes are too few for a NIfTI header")
    for order in "<>":
        (size,) = struct.unpack_from(f"{order}i", head)
        if size in _HEADERS and len(head) >= size:
            break
    else:
        raise ValueError("no NIfTI header at the start of the file")
    dims, code, offset = _fields(head, order, size)
    shape = dims[1 : 1 + dims[0]] if 1 <= dims[0] <= 7 else ()
    if not shape or min(shape) < 1:
        raise ValueError(f"its header gives no shape (dim is {' '.join(map(str, dims))})")
    if code not in TYPES:
        raise ValueError(f"unsupported type {_OTHERS.get(code, 'unknown')} (datatype {code}): voxels must be numbers")
    if not math.isfinite(offset) or (offset and offset < size + 4):
        raise ValueError(f"its voxels would begin at byte {offset:g}, inside its header")
    return Layout(order, size, shape, np.dtype(f"{order}{TYPES[code]}"), int(offset) or size + 4)


def _fields(head: bytes, order: str, size: int) -> tuple[tuple[int, ...], int, float]:
    """``dim``, ``datatype`` and ``vox_offset``, which lie elsewhere in NIfTI-2."""
    places = (("8h", 40), ("h", 70), ("f", 108)) if size == 348 else (("8q", 16), ("h", 12), ("q", 168))
    dims, code, offset = (struct.unpack_from(order + kind, head, place) for kind, place in places)
    return dims, code[0], offset[0]


def _spans_space(affine: Sequence[float]) -> bool:
    """Whether the axes of the voxels have lengths, and directions that do not lie in one plane; row by row."""
    if not all(map(math.isfinite, affine)):
        return False
    a, b, c, _, d, e, f, _, g, h, i = affine[:11]
    volume = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    box = math.hypot(a, d, g) * math.hypot(b, e, h) * math.hypot(c, f, i)  # what it is where the axes are orthogonal
    return box > 0 and abs(volume) > 1e-6 * box


def believable(shape: Sequence[int], dtype: str, affine: Sequence[float]) -> bool:
    """Whether somebody else's account of a header is one that :func:`parse_header` could give; ``dtype`` is a name."""
    if dtype not in _NAMES or len(affine) != 16 or not shape or min(shape) < 1:
        return False
    return _spans_space(affine)


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
        data = inflated(read_regular(path))
        header = parse_header(data[:540])
        return voxels_of(data, header, factor, volumes), header
    except DAMAGE as error:
        raise unreadable(path, error) from error


def unreadable(path: str | Path, error: Exception) -> ReadError:
    """What to raise for a file that is damaged or not there: one of :data:`DAMAGE` happened."""
    return ReadError(f"{path}: the image cannot be read ({_words(error)}); restore the file or export it again.")


def _words(error: Exception) -> str:
    return "there is not enough memory for it" if isinstance(error, MemoryError) else str(error)


def inflated(data: bytes) -> bytes:
    """The bytes of a ``.nii`` from those of a ``.nii`` or ``.nii.gz``, checksums compared. Raises :data:`DAMAGE`.

    No more is inflated than the header promises, and 1 MiB: a file of some MB can hold many GB of zeros.
    """
    if data[:2] != _GZIP:
        return data
    most = min(layout_of(_head(data)).end + _SLACK, sys.maxsize - 1)
    parts: list[bytes] = []
    while data:
        member: Any = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        parts.append(member.decompress(data, most + 1))
        most -= len(parts[-1])
        if most < 0:
            raise ValueError("it holds far more bytes than its header promises")
        if not member.eof:
            raise EOFError("its compressed bytes end too early")
        data = member.unused_data.lstrip(b"\0")  # the padding of a tape
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _head(data: bytes) -> bytes:
    """The bytes of a header from the first ones of a ``.nii`` or ``.nii.gz``, of one gzip member or several."""
    if data[:2] != _GZIP:
        return data[:_LONGEST]
    head, rest = b"", data[:_HEAD]
    while rest and len(head) < _LONGEST:
        member: Any = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        head += member.decompress(rest, _LONGEST - len(head))
        rest = member.unused_data if member.eof else b""
    return head


def voxels_of(data: bytes, header: Header, factor: float = 1.0, volumes: Sequence[int] | None = None) -> np.ndarray:
    """The array of :func:`read_volume` from the bytes of a ``.nii``. Raises :data:`DAMAGE`."""
    count = math.prod(header.shape)
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
