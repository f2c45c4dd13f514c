"""The bytes of PixelData as they lie in the files: converters and readers blank the bits beyond BitsStored, and so a
value that does not fit is gone from the image without a word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import UID

from ...inventory.instance import Instance
from ...stacks.stack import Stack

Paths = Mapping[tuple[str, str], Path]
NO_FILES: Paths = MappingProxyType({})
PIXEL_DATA = b"\xe0\x7f\x10\x00"
HEADS = {True: 8, False: 12}
"""Bytes of the element's head, with an implicit and an explicit VR (PS3.5 7.1.2, 7.1.3)."""


def files_at_hand(stack: Stack, unpacked: Paths) -> Paths:
    """Where the files of a stack's objects lie, by (path, member): members of archives where they were ``unpacked``.
    Empty if one of them does not lie anywhere."""
    keys = {(i.path, i.member) for i in stack.instances}
    found = {key: unpacked.get(key) or (Path(key[0]) if not key[1] else None) for key in keys}
    return {} if None in found.values() else {key: path for key, path in found.items() if path is not None}


def beyond_bits(stack: Stack, paths: Paths) -> Iterator[Instance]:
    """The instances one of whose stored values needs more than BitsStored bits, of 16 bits allocated and not
    compressed; of a multi-frame object its first frame of the stack."""
    seen: set[Path] = set()
    for instance in stack.instances:
        path = paths.get((instance.path, instance.member))
        if path is None or path in seen or not 1 <= (instance.BitsStored or 16) < 16:
            continue
        seen.add(path)
        values = stored_values(instance, path)
        if values is not None and exceeds(values, instance):
            yield instance


def stored_values(instance: Instance, path: Path) -> NDArray[np.uint16] | None:
    """The 16-bit words of PixelData, None where they do not lie plainly at the end of the file."""
    syntax, length = UID(instance.transfer_syntax), instance.pixel_length
    if instance.BitsAllocated != 16 or not length or length < 2 or not syntax.is_transfer_syntax:
        return None
    if syntax.is_compressed or not syntax.is_little_endian:
        return None
    head = HEADS[syntax.is_implicit_VR]
    try:
        with path.open("rb") as file:
            file.seek(-(length + head), 2)
            data = file.read()
    except OSError:
        return None
    if data[:4] != PIXEL_DATA or int.from_bytes(data[head - 4 : head], "little") != length:
        return None
    return np.frombuffer(data, "<u2", count=length // 2, offset=head)


def exceeds(values: NDArray[np.uint16], instance: Instance) -> bool:
    """Whether a value lies outside of BitsStored bits. Not where all of them are set in the high bits (stored from
    the top, HighBit 15), nor where a CT pads its round field with one value of its own."""
    bits = instance.BitsStored or 16
    if instance.PixelRepresentation == 1:
        half = 2 ** (bits - 1)
        numbers = values.view(np.int16)
        if -half <= int(numbers.min()) and int(numbers.max()) < half:
            return False
        beyond = (numbers < -half) | (numbers >= half)
    else:
        if int(np.bitwise_or.reduce(values)) < 2**bits:
            return False
        beyond = values >= 2**bits
    from_the_top = not np.bitwise_or.reduce(values) & (2 ** (16 - bits) - 1)
    padded = instance.Modality == "CT" and len(np.unique(values[beyond])) == 1
    return not from_the_top and not padded
