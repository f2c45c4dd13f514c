"""Compressed pixels that are damaged (F03). Converters fill what is missing with zeros and say nothing."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.encaps import generate_frames
from pydicom.uid import UID, RLELossless

from ...convert.decoders import plugins_for
from ...convert.pixels import DECODING_ERRORS, PixelReader
from ...errors import ConversionError
from ...inventory.instance import Instance
from ..check import Evidence
from .view import Pixels

BEGINS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP")
"""Of a JPEG or JPEG-LS codestream, of a JPEG 2000 codestream, and of one in a file of its own."""
END = b"\xff\xd9"
"""Of all of them (ITU-T T.81 B.1.1.3, T.87 C.1.1, T.800 A.4.4)."""


def damaged(pixels: Pixels, _tolerance: float) -> Iterator[Evidence]:
    """The compressed pixels of an image break off, are none of the kind that the transfer syntax names, or cannot be
    decoded. Nothing is said of kinds of which no decoder is known, nor where the files are not at hand."""
    if pixels.reader is None:
        return
    compressed = {(i.path, i.member): i for i in pixels.stack.instances if is_compressed(i)}
    bad = [i for i in compressed.values() if not is_whole(i, pixels.reader)]
    if bad:
        message = f"the compressed pixels of {len(bad)} of {len(compressed)} objects are damaged"
        yield Evidence(message, "", (("objects", len(bad)),), tuple(i.key for i in bad))


def is_compressed(instance: Instance) -> bool:
    """Whether the pixels are coded in a way of which a decoder is known."""
    return instance.pixel_length == -1 and plugins_for(instance.transfer_syntax) not in ((), ("",))


def is_whole(instance: Instance, reader: PixelReader) -> bool:
    """Whether every frame of an object runs from the begin to the end of its code; run lengths, which have neither,
    are decoded."""
    if UID(instance.transfer_syntax) == RLELossless:
        try:
            reader.slices(instance)
        except ConversionError:
            return False
        return True
    try:
        dataset = reader.dataset(instance, whole=False)
        frames = generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames") or 1))
        return all(frame.startswith(BEGINS) and frame.rstrip(b"\0").endswith(END) for frame in frames)
    except (ConversionError, *DECODING_ERRORS):
        return False
