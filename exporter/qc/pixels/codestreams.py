"""Compressed pixels that are damaged (F03). Converters fill what is missing with zeros and say nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pydicom.encaps import generate_frames
from pydicom.uid import UID, RLELossless

from ...convert.decoders import plugins_for
from ...convert.pixels import DECODING_ERRORS, PixelReader
from ...errors import ConversionError
from ...inventory.instance import Instance
from ..check import Evidence
from .runs import Runs, Shape, damaged_frames, runs_of
from .view import Pixels

BEGINS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP")
"""Of a JPEG or JPEG-LS codestream, of a JPEG 2000 codestream, and of one in a file of its own."""
END = b"\xff\xd9"
"""Of all of them (ITU-T T.81 B.1.1.3, T.87 C.1.1, T.800 A.4.4)."""
NO_RUNS = Runs(whole=False, crossing=False)


def damaged(pixels: Pixels, _tolerance: float) -> Iterator[Evidence]:
    """The compressed pixels of an image break off, are none of the kind that the transfer syntax names, or cannot be
    decoded. Nothing is said of kinds of which no decoder is known, nor where the files are not at hand."""
    if pixels.reader is None:
        return
    compressed = {(i.path, i.member): i for i in pixels.stack.instances if is_compressed(i)}
    runs = [i for i in compressed.values() if UID(i.transfer_syntax) == RLELossless]
    codes = [i for i in compressed.values() if UID(i.transfer_syntax) != RLELossless]
    bad = [i for i in codes if not is_whole(i, pixels.reader)] + broken_runs(runs, pixels.reader)
    if bad:
        message = f"the compressed pixels of {len(bad)} of {len(compressed)} objects are damaged"
        yield Evidence(message, "", (("objects", len(bad)),), tuple(i.key for i in bad))


def is_compressed(instance: Instance) -> bool:
    """Whether the pixels are coded in a way of which a decoder is known."""
    return instance.pixel_length == -1 and plugins_for(instance.transfer_syntax) not in ((), ("",))


def is_whole(instance: Instance, reader: PixelReader) -> bool:
    """Whether every frame of an object runs from the begin to the end of its code."""
    frames = frames_of(instance, reader)
    return bool(frames) and all(frame.startswith(BEGINS) and frame.rstrip(b"\0").endswith(END) for frame in frames)


def broken_runs(instances: Sequence[Instance], reader: PixelReader) -> list[Instance]:
    """The objects of one image whose run lengths are damaged: these have no end that could be looked for."""
    told: list[tuple[Instance, Runs]] = []
    for instance in instances:
        frames, shape = frames_of(instance, reader), shape_of(instance, reader)
        told += [(instance, runs_of(frame, shape)) for frame in frames if shape] or [(instance, NO_RUNS)]
    bad = damaged_frames([runs for _, runs in told])
    return list({told[n][0].key: told[n][0] for n in bad}.values())


def frames_of(instance: Instance, reader: PixelReader) -> list[bytes]:
    """The code of every frame of an object, none where it cannot be read."""
    try:
        dataset = reader.dataset(instance, whole=False)
        return list(generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames") or 1)))
    except (ConversionError, *DECODING_ERRORS):
        return []


def shape_of(instance: Instance, reader: PixelReader) -> Shape | None:
    """The matrix that each frame of an object fills, None where the header does not say."""
    try:
        dataset = reader.dataset(instance, whole=False)
        bits = int(dataset.get("SamplesPerPixel") or 1) * int(dataset.BitsAllocated)
        return Shape(int(dataset.Rows), int(dataset.Columns), bits // 8)
    except (ConversionError, *DECODING_ERRORS):
        return None
