"""Encapsulated pixel data written anew (PS3.5 A.4): every frame rewritten, in one fragment, with its own offset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from struct import pack

import numpy as np
from pydicom.uid import (
    UID,
    JPEG2000TransferSyntaxes,
    JPEGLSTransferSyntaxes,
    JPEGTransferSyntaxes,
    RLETransferSyntaxes,
)

from ...convert.decoders import iter_decoded
from ...errors import ConversionError
from .codestream import Codestream, corrupt, unknown
from .jpeg import START as JPEG_START
from .jpeg import clean_jpeg
from .jpeg2000 import FILE as JPEG2000_FILE
from .jpeg2000 import START as JPEG2000_START
from .jpeg2000 import clean_jpeg2000
from .rle import clean_rle
from .samples import Samples

LONGEST_FRAGMENT = LARGEST_OFFSET = 0xFFFFFFFE
ITEM = bytes.fromhex("feff00e0")
DELIMITER = bytes.fromhex("feffdde000000000")
STARTS = (JPEG_START, JPEG2000_START, JPEG2000_FILE)
HIDDEN = "The compressed pixels have something in bits that belong to no sample. Ask for an uncompressed copy."
WHAT_DECODERS_RAISE = (RuntimeError, ValueError, AttributeError, NotImplementedError, IndexError, TypeError)
"""pydicom wraps what its plugins raise; headers at odds with the codestream raise the others."""


def clean_frames(offsets: bytes, fragments: Sequence[bytes], samples: Samples, syntax: str) -> bytes:
    """The value of encapsulated pixel data with its delimiter, from the offset table and the fragments of a file.

    Raises ``ConversionError``: corrupt, truncated, unused-bits, or no-dicom-output for a compression that is not known.
    """
    clean = _cleaner(UID(syntax), samples)
    frames = [clean(frame) for frame in _frames(offsets, fragments, samples.frames)]
    for frame in frames:
        shape = (frame.rows, frame.columns, frame.components)
        if shape != (samples.rows, samples.columns, samples.per_pixel):
            raise ConversionError("corrupt", "A compressed image is not of the size that its header says.")
    value = _encapsulated([frame.data for frame in frames])
    if any(frame.precision > samples.stored for frame in frames):
        _check_unused_bits(value, samples, UID(syntax))
    return value


def _cleaner(syntax: UID, samples: Samples) -> Callable[[bytes], Codestream]:
    if syntax in JPEGTransferSyntaxes or syntax in JPEGLSTransferSyntaxes:
        return clean_jpeg
    if syntax in JPEG2000TransferSyntaxes:
        return clean_jpeg2000
    if syntax in RLETransferSyntaxes:
        return lambda data: clean_rle(data, samples)
    raise ConversionError("no-dicom-output", f"Pixels compressed as {syntax.name} are not written.")


def _frames(offsets: bytes, fragments: Sequence[bytes], count: int) -> list[bytes]:
    """The fragments of each frame joined: by their number, the offset table, or where a codestream begins."""
    if len(fragments) == count:
        return list(fragments)
    if count == 1 and fragments:
        return [b"".join(fragments)]
    starts = accumulate((8 + len(fragment) for fragment in fragments[:-1]), initial=0)
    places = {start: n for n, start in enumerate(starts)}
    said = [int.from_bytes(offsets[n : n + 4], "little") for n in range(0, len(offsets), 4)]
    if len(said) == count and said[0] == 0 and set(said) < places.keys():
        begins = sorted(places[offset] for offset in said)
    else:
        begins = [n for n, fragment in enumerate(fragments) if fragment.startswith(STARTS)]
    if len(set(begins)) != count or begins[0] != 0:
        raise corrupt()
    return [b"".join(fragments[begin:end]) for begin, end in pairwise([*begins, len(fragments)])]


def _encapsulated(frames: Sequence[bytes]) -> bytes:
    """Frames as fragments of even length behind their offset table; the table is empty where an offset is too large."""
    padded = [frame + b"\0" * (len(frame) % 2) for frame in frames]
    if max(map(len, padded)) > LONGEST_FRAGMENT:
        raise unknown()
    *places, _ = accumulate((8 + len(frame) for frame in padded), initial=0)
    table = pack(f"<{len(places)}L", *places) if places[-1] <= LARGEST_OFFSET else b""
    items = b"".join(ITEM + pack("<L", len(value)) + value for value in (table, *padded))
    return items + DELIMITER


def _check_unused_bits(value: bytes, samples: Samples, syntax: UID) -> None:
    """Raises ``ConversionError`` where a codestream of wider samples has something beside them.

    Compressed samples are not changed: their coded form would have to be made anew.
    """
    try:
        frames = iter_decoded(
            syntax, value, rows=samples.rows, columns=samples.columns, number_of_frames=samples.frames,
            samples_per_pixel=samples.per_pixel, bits_allocated=samples.allocated, bits_stored=samples.allocated,
            pixel_representation=int(samples.signed), planar_configuration=0, pixel_keyword="PixelData",
            photometric_interpretation="MONOCHROME2" if samples.per_pixel == 1 else "RGB",
        )  # fmt: skip
        for pixels in frames:
            words = np.ascontiguousarray(pixels).view(f"u{pixels.dtype.itemsize}")
            if not np.array_equal(samples.without_unused_bits(words), words):
                raise ConversionError("unused-bits", HIDDEN)
    except WHAT_DECODERS_RAISE as error:
        sentence = f"The compressed pixels cannot be decoded ({type(error).__name__}). Ask for an uncompressed copy."
        raise ConversionError("undecodable", sentence) from None
