"""The inspection of a compressed NIfTI: its two headers, what lies behind the voxels, and every byte of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from isal import isal_zlib
from nibabel.nifti1 import Nifti1Header
from nibabel.spatialimages import HeaderDataError
from nibabel.wrapstruct import WrapStructError

from .search import Hit, Searcher, is_likely

PIECE = 16 * 1024 * 1024
GZIP_HEADER = 10
HEADER_BYTES = 348
VOX_OFFSET = 352
TEXTS = ("data_type", "db_name", "descrip", "aux_file", "intent_name")
ZEROS = ("extents", "session_error", "glmax", "glmin", "intent_p1", "intent_p2", "intent_p3", "intent_code")
_GZIP = 31

DAMAGED: type[Exception] = isal_zlib.error  # pyright: ignore[reportAssignmentType]
"""What isal raises for bytes that are no gzip stream."""

Finding = tuple[str, str, str, str]
"""Place, kind, form and value, as in a ``Leak``."""


def look_into_image(path: Path, searcher: Searcher) -> Iterator[Finding]:
    """Everything in a ``.nii.gz`` that may not leave. Raises ``OSError``, and ``ValueError`` where it is none."""
    with path.open("rb") as file:
        packed = file.read()
    yield from _gzip_header(packed)
    for hit in searcher.in_bytes(packed):
        yield f"compressed byte {hit.offset}", hit.kind, hit.form, ""
    yield from _content(packed, searcher)


def _gzip_header(packed: bytes) -> Iterator[Finding]:
    """No name, no comment, no extra field and no time (RFC 1952)."""
    if packed[:3] != b"\x1f\x8b\x08" or len(packed) < GZIP_HEADER:
        raise ValueError("no gzip stream")
    if packed[3]:
        yield "gzip header", "odd-header", "", f"flags {packed[3]:#04x}"
    if any(packed[4:8]):
        yield "gzip header", "odd-header", "", "a time"


def _content(packed: bytes, searcher: Searcher) -> Iterator[Finding]:
    """The decompressed bytes in pieces, each with the end of the one before."""
    inflate = isal_zlib.decompressobj(wbits=_GZIP)
    overlap = max(searcher.longest, 1)
    kept = b""
    position = expected = 0
    data = memoryview(packed)
    try:
        piece = inflate.decompress(data, PIECE)
        while piece:
            window = kept + piece
            start = position - len(kept)
            if not position:
                expected = _expected_bytes(piece)
                yield from _header(piece)
            yield from _hits(searcher, window, start, expected)
            position += len(piece)
            kept = window[-overlap:]
            piece = inflate.decompress(inflate.unconsumed_tail, PIECE) if not inflate.eof else b""
    except DAMAGED as error:
        raise ValueError("a damaged gzip stream") from error
    if not inflate.eof:
        raise ValueError("a gzip stream without its end")
    if inflate.unused_data:
        yield "behind the gzip stream", "odd-bytes", "", f"{len(inflate.unused_data)} bytes"
    if position != expected:
        yield "behind the voxels", "odd-bytes", "", f"{position - expected} bytes"


def _hits(searcher: Searcher, window: bytes, start: int, total: int) -> Iterator[Finding]:
    """What stands in a piece; a form that voxels like those around it spell by chance is none."""
    octets = np.frombuffer(window, np.uint8)
    for hit in searcher.in_bytes(window):
        if start + hit.offset < VOX_OFFSET or not _is_chance(hit, octets, total):
            yield f"byte {start + hit.offset}", hit.kind, hit.form, ""


def _is_chance(hit: Hit, octets: np.ndarray, total: int) -> bool:
    return is_likely(hit.form, octets, hit.offset, total)


def _parsed(head: bytes) -> Nifti1Header:
    try:
        return Nifti1Header(head[:HEADER_BYTES], check=True)
    except (WrapStructError, HeaderDataError) as error:
        raise ValueError("no NIfTI-1 header") from error


def _expected_bytes(head: bytes) -> int:
    header = _parsed(head)
    try:
        size = header.get_data_dtype().itemsize
    except HeaderDataError as error:
        raise ValueError("no NIfTI data type") from error
    return VOX_OFFSET + int(np.prod([int(n) for n in header.get_data_shape()], dtype=np.int64)) * size


def _header(head: bytes) -> Iterator[Finding]:
    """Text fields blank, no extension, the fields that nothing uses zero."""
    header = _parsed(head)
    for name in TEXTS:
        if any(bytes(header[name].tobytes())):
            yield f"NIfTI header, {name}", "odd-header", "", repr(bytes(header[name].tobytes()))
    for name in ZEROS:
        if name in header.keys() and any(bytes(header[name].tobytes())):  # noqa: SIM118  (a header is no dict)
            yield f"NIfTI header, {name}", "odd-header", "", str(header[name])
    if bytes(header["regular"].tobytes()) not in (b"\0", b"r"):
        yield "NIfTI header, regular", "odd-header", "", str(header["regular"])
    if int(header["vox_offset"]) != VOX_OFFSET or any(head[HEADER_BYTES:VOX_OFFSET]):
        yield "NIfTI header, extension", "odd-header", "", ""
