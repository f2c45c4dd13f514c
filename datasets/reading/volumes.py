"""The volumes of NIfTI files as channels: decoded anew (L0), or mapped from the cache (L1), the same values."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ReadError
from ..files.nifti import DAMAGE, Header, header_of, inflated, parse_header, unreadable, voxels_of
from ..files.places import fetch
from .adjacent import adjacent, can_lie_adjacent
from .blobs import Blob, Damaged, Place, believed
from .cache import Cache, code_version
from .masks import check_mask, is_mask
from .stamp import stamp_of

WIDER = {"uint16": np.int32, "uint32": np.int64, "uint64": np.int64, "float16": np.float32, "longdouble": np.float64}
"""Stored types that torch cannot compute with, or not on every device, and what they become."""

_START = 1 << 12


@dataclass(frozen=True, slots=True)
class Piece:
    """A file of which all volumes are channels, or one; values are multiplied by ``factor``.

    No file (``""``) is one channel of zeros on the grid of the others.
    """

    path: str | Path
    factor: float = 1.0
    volume: int | None = None


@dataclass(frozen=True, slots=True)
class Volumes:
    """All volumes of one file, ``[N, Z, Y, X]`` in memory order: in memory, or in an open blob."""

    header: Header
    memory: np.ndarray | None = None
    blob: Blob | None = None

    @property
    def place(self) -> Place | None:
        """Where they lie in the blob."""
        return self.blob.places[0] if self.blob else None

    def array(self) -> np.ndarray:
        """The volumes, writable; what is written does not reach the cache."""
        if self.memory is not None:
            return self.memory
        assert self.blob is not None
        return self.blob.array(self.blob.places[0])


def read_channels(
    files: Sequence[str | Path],
    factor: float = 1.0,
    volumes: Sequence[int] | None = None,
    cache: Cache | None = None,
) -> tuple[np.ndarray, Header]:
    """Read files as one array ``(C, X, Y, Z)``, channels and slices outermost in memory, and the first header.

    One file gives all its volumes, or those of ``volumes``; of several files, ``volumes`` names one volume each.
    Raises :class:`ReadError` for a damaged file, or one with another grid than the first.
    """
    if len(files) == 1:
        with ExitStack() as opened:
            one = _open(files[0], factor, cache, opened)
            return _axes(_chosen(one.array(), volumes, files[0])), one.header
    chosen = [None] * len(files) if volumes is None else volumes
    return read_pieces([Piece(path, factor, n) for path, n in zip(files, chosen, strict=True)], cache)


def read_pieces(pieces: Sequence[Piece], cache: Cache | None = None) -> tuple[np.ndarray, Header]:
    """Read pieces of several files as one array ``(C, X, Y, Z)`` of their common type, and the first header.

    From the cache nothing is copied where the types agree. Raises :class:`ReadError` as :func:`read_channels`.
    """
    with ExitStack() as opened:
        found = [_open(p.path, p.factor, cache, opened) if p.path else None for p in pieces]
        first = next((n for n, one in enumerate(found) if one), None)
        if first is None:
            raise ReadError("every file is missing, so there is no grid to be zeros on.")
        header = _header(found[first])
        for piece, one in zip(pieces, found, strict=True):
            if one and not _same_grid(one.header, header):
                raise ReadError(
                    f"{piece.path}: its grid differs from that of {pieces[first].path}; they cannot be stacked."
                )
        mapped = _side_by_side(pieces, found)
        return _axes(_copied(pieces, found, first) if mapped is None else mapped), header


def read_union(files: Sequence[str | Path], cache: Cache | None = None) -> tuple[np.ndarray, Header]:
    """Several masks of one grid as one, ``(C, X, Y, Z)``: the larger value of each voxel; and the first header.

    Raises :class:`ReadError` as :func:`read_channels`, and where their numbers of volumes differ.
    """
    array, first = read_channels(files[:1], cache=cache)
    for path in files[1:]:
        other, header = read_channels([path], cache=cache)
        if other.shape != array.shape or not np.allclose(header.affine, first.affine, atol=1e-3):
            raise ReadError(f"{path}: its grid differs from that of {files[0]}; they cannot become one mask.")
        array = np.maximum(array, other)
    return array, first


def key_of(path: str | Path, *parts: object) -> str:
    """The key of a file's content together with what is done with it. Raises :class:`ReadError`."""
    try:
        with fetch(path).open("rb") as file:
            return stamp_of(file).key(*parts, code_version())
    except OSError as error:
        raise unreadable(path, error) from error


def is_whole(path: str | Path) -> bool:
    """Whether the key of a file speaks of all its bytes: not where a gzip file has several members.

    Each member has a trailer, and only the last is part of the key; it tells the length of the image where it is the
    only one. Raises :class:`ReadError`.
    """
    try:
        with fetch(path).open("rb") as file:
            stamp, header = stamp_of(file), header_of(file.read(_START))
    except DAMAGE as error:
        raise unreadable(path, error) from error
    length = header.offset + math.prod(header.shape) * header.dtype.itemsize
    return not stamp.is_gzip or stamp.length == length & 0xFFFFFFFF


def _open(path: str | Path, factor: float, cache: Cache | None, opened: ExitStack) -> Volumes:
    try:
        with fetch(path).open("rb", buffering=0) as file:
            if cache is None:
                found, _ = _decoded(file.readall(), factor)
                check_mask(path, found.array())
                return found
            stamp = stamp_of(file)
            key = stamp.key("volumes", factor, is_mask(path), code_version())
            if (kept := _kept(cache, key, factor, opened)) is not None:
                return kept
            data = file.readall()
            found, length = _decoded(data, factor)
            check_mask(path, found.array())
            whole = not stamp.is_gzip or stamp.length == length & 0xFFFFFFFF  # as in is_whole
            if whole and stamp_of(file) == stamp:
                cache.keep(key, _to_plain(found.header), [found.array()])
            return found
    except DAMAGE as error:
        raise unreadable(path, error) from error


def _kept(cache: Cache, key: str, factor: float, opened: ExitStack) -> Volumes | None:
    """The volumes of a blob, if there is one and it holds what its header says."""
    blob = cache.find(key)
    if blob is None:
        return None
    try:
        with believed():
            header = _from_plain(blob.body)
            (place,) = blob.places
            if place.dtype != _served(header, factor) or place.shape != _memory_shape(header):
                raise Damaged("its arrays are not those of its header")
    except Damaged as error:
        blob.file.close()
        cache.discard(key, error)
        return None
    return Volumes(header, blob=opened.enter_context(blob))


def _decoded(data: bytes, factor: float) -> tuple[Volumes, int]:
    """The volumes in the bytes of a file, and the length of its uncompressed bytes."""
    plain = inflated(data)
    header = parse_header(plain[:540])
    array = voxels_of(plain, header, factor)
    wider = WIDER.get(array.dtype.name)
    memory = array.reshape((*_spatial(header), -1), order="F").T
    return Volumes(header, memory if wider is None else memory.astype(wider)), len(plain)


def _spatial(header: Header) -> tuple[int, ...]:
    return (*header.shape, 1, 1)[:3]


def _memory_shape(header: Header) -> tuple[int, ...]:
    return (math.prod(header.shape[3:]), *reversed(_spatial(header)))


def _served(header: Header, factor: float) -> np.dtype[Any]:
    """The type in which the volumes of a file are served."""
    if header.scaled or factor != 1.0:
        return np.dtype(np.float32)
    return np.dtype(WIDER.get(header.dtype.name, header.dtype.newbyteorder("=")))


def _to_plain(header: Header) -> dict[str, Any]:
    return {
        "shape": header.shape, "dtype": header.dtype.str, "offset": header.offset, "slope": header.slope,
        "inter": header.inter, "affine": header.affine.tolist(), "zooms": header.zooms,
    }  # fmt: skip


def _from_plain(body: dict[str, Any]) -> Header:
    return Header(
        shape=tuple(body["shape"]),
        dtype=np.dtype(body["dtype"]),
        offset=body["offset"],
        slope=body["slope"],
        inter=body["inter"],
        affine=np.array(body["affine"]),
        zooms=tuple(body["zooms"]),
    )


def _chosen(array: np.ndarray, volumes: Sequence[int] | None, path: str | Path) -> np.ndarray:
    """Some volumes; a view where they are evenly spaced."""
    if volumes is None:
        return array
    if max(volumes, default=0) >= len(array):
        raise ReadError(f"{path}: the file holds {len(array)} volumes, number {max(volumes)} was asked for.")
    steps = {b - a for a, b in itertools.pairwise(volumes)} or {1}
    if volumes and len(steps) == 1 and (step := steps.pop()) > 0:
        return array[volumes[0] : volumes[-1] + 1 : step]
    return array[list(volumes)]


def _side_by_side(pieces: Sequence[Piece], found: Sequence[Volumes | None]) -> np.ndarray | None:
    """The channels mapped, or None where they do not all lie in blobs of one type, each at the start of a page."""
    there = [one.place for one in found if one]
    if any(place is None or place.dtype != there[0].dtype for place in there if there[0]) or there[0] is None:
        return None
    (_, *shape), dtype = there[0].shape, there[0].dtype
    nbytes = math.prod(shape) * dtype.itemsize
    parts: list[tuple[int | None, int]] = []
    for piece, one in zip(pieces, found, strict=True):
        if one is None or one.blob is None or one.place is None:
            parts.append((None, 0))
            continue
        numbers = range(one.place.shape[0])
        for n in numbers if piece.volume is None else numbers[piece.volume : piece.volume + 1] or _beyond(piece, one):
            parts.append((one.blob.file.fileno(), one.place.offset + n * nbytes))
    if not can_lie_adjacent([offset for _, offset in parts], nbytes):
        return None
    return adjacent(parts, dtype, shape)


def _copied(pieces: Sequence[Piece], found: Sequence[Volumes | None], first: int) -> np.ndarray:
    grid = _header(found[first]).shape
    z, y, x = reversed((*grid, 1, 1)[:3])
    parts = [
        np.zeros((1, z, y, x), np.uint8)
        if one is None
        else _chosen(one.array(), None if piece.volume is None else [piece.volume], piece.path)
        for piece, one in zip(pieces, found, strict=True)
    ]
    dtype = np.result_type(*(part for part, one in zip(parts, found, strict=True) if one))
    return np.concatenate(parts, dtype=dtype)


def _beyond(piece: Piece, one: Volumes) -> range:
    assert one.place is not None
    raise ReadError(f"{piece.path}: the file holds {one.place.shape[0]} volumes, number {piece.volume} was asked for.")


def _header(one: Volumes | None) -> Header:
    assert one is not None
    return one.header


def _same_grid(a: Header, b: Header) -> bool:
    return a.shape[:3] == b.shape[:3] and (
        a.affine.tobytes() == b.affine.tobytes() or np.allclose(a.affine, b.affine, atol=1e-3)
    )


def _axes(memory: np.ndarray) -> np.ndarray:
    """``[C, Z, Y, X]`` as it is in memory, seen as ``[C, X, Y, Z]``."""
    return memory.transpose(0, 3, 2, 1)
